"""Second factors: a person takes up one-time codes, confirms them by one, and gives them up.

A lost device is the security administrator's to mend (``services.account_care``).
"""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, update

from models.account import AccountAct, SecondFactor
from models.base import table
from services.account_log import end_sessions, note
from services.command import Work, execute
from services.env import Env
from services.errors import Invalid, NotFound
from services.one_time_code import codes, factor_of, forget_factor, opened, sealed, take_code
from services.session import SignedIn, refuse, require_turn

ISSUER = "四责协同"
BYTES = 20
_factors = table(SecondFactor)


class WrongOneTimeCode(Invalid):
    """动态口令不对或已经用过。请核对手机时间，等下一个口令再试。"""

    code = "wrong_one_time_code"


@dataclass(frozen=True, slots=True)
class Entry:
    """A code as it was entered, from where, under which key of a form. The code is kept nowhere."""

    code: str = field(repr=False)
    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person's device is told; shown to them only, and kept encrypted."""

    secret: str
    """Base32, in groups of four, to be typed in."""
    uri: str
    """The same as an ``otpauth:`` address."""


def begin_factor(env: Env, who: SignedIn, *, key: str) -> None:
    """Make a secret, to be confirmed by a code; one that was not confirmed is replaced.

    ``Invalid`` where codes are in use already: they are dropped first, with a code.
    """
    secret = sealed(env, secrets.token_bytes(BYTES))

    def act(work: Work) -> dict[str, int]:
        known = factor_of(work.db, who.account_id)
        if known is not None and known.confirmed_at is not None:
            raise Invalid("已经启用动态口令。要更换设备，请先停用。")
        work.db.execute(delete(_factors).where(_factors.c.account_id == who.account_id))
        values = {"account_id": who.account_id, "secret": secret, "used_step": 0}
        work.db.execute(insert(_factors).values(values | {"made_at": work.now}))
        return {"account": who.account_id}

    execute(env, who.actor, "factor.begin", key, {}, act)


def enrolment(env: Env, db: Connection, who: SignedIn) -> Enrolment | None:
    """What to enter into a device, while the secret waits to be confirmed; None otherwise."""
    row = factor_of(db, who.account_id)
    if row is None or row.confirmed_at is not None:
        return None
    raw = opened(env, row.secret)
    text = base64.b32encode(raw).decode()
    grouped = " ".join(text[at : at + 4] for at in range(0, len(text), 4))
    return Enrolment(grouped, codes(raw).get_provisioning_uri(who.login, ISSUER))


def in_use(db: Connection, who: SignedIn) -> bool:
    """Whether codes are asked of the person when they sign in."""
    row = factor_of(db, who.account_id)
    return row is not None and row.confirmed_at is not None


def confirm_factor(env: Env, who: SignedIn, entry: Entry) -> None:
    """Show that the device makes the codes; from now on they are asked for.

    WrongOneTimeCode, which counts as a failed log-in; NotFound where nothing is to be confirmed.
    """

    def act(work: Work) -> dict[str, int]:
        row = factor_of(work.db, who.account_id)
        if row is None or row.confirmed_at is not None:
            raise NotFound
        if not take_code(env, work, who.account_id, entry.code):
            raise WrongOneTimeCode(field="code")
        mine = _factors.c.account_id == who.account_id
        work.db.execute(update(_factors).where(mine).values(confirmed_at=work.now))
        note(work, AccountAct.FACTOR_ADDED, [who.account_id], address=entry.address)
        return {"account": who.account_id}

    with _counted(env, who, entry):
        execute(env, who.actor, "factor.confirm", entry.key, {}, act)


def drop_factor(env: Env, who: SignedIn, entry: Entry) -> None:
    """Use codes no more, shown by one; one's other sessions end. Errors as for confirming."""

    def act(work: Work) -> dict[str, int]:
        row = factor_of(work.db, who.account_id)
        if row is None or row.confirmed_at is None:
            raise NotFound
        if not take_code(env, work, who.account_id, entry.code):
            raise WrongOneTimeCode(field="code")
        forget_factor(work, who.account_id)
        note(work, AccountAct.FACTOR_DROPPED, [who.account_id], address=entry.address)
        return {"ended": end_sessions(work, [who.account_id], but=who.session_id)}

    with _counted(env, who, entry):
        execute(env, who.actor, "factor.drop", entry.key, {}, act)


@contextmanager
def _counted(env: Env, who: SignedIn, entry: Entry) -> Iterator[None]:
    """A wrong code is a failed log-in: several, and the person has to wait."""
    of = {"login": who.login, "address": entry.address}
    require_turn(env, **of, account_id=who.account_id)
    try:
        yield
    except WrongOneTimeCode:
        refuse(env, who.account_id, **of)
        raise
