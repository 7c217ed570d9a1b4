"""Who is signed in: revocable sessions, kept as the hash of a token (reliability §5, ASVS 7)."""

import hashlib
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, exists, insert, select, update
from sqlalchemy.exc import DBAPIError

from models.account import Account, AccountAct, SecondFactor, Session
from models.base import table
from models.organisation import Person
from policy.administration import AdministratorRole
from policy.calendar import local_day
from policy.password import plain
from services.account_log import note
from services.administration import in_office, open_role
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env, SignInRules
from services.errors import DutiesError
from services.one_time_code import NoKey, is_right, take_code
from services.password import matches
from services.throttle import TooManyTries, admit, count, forgive, held_key, told

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
LONGEST_LOGIN = 200
"""Characters; what is longer is nobody's, and is kept nowhere."""
SEEN_EVERY = timedelta(minutes=1)
PASSWORD, FACTOR = "password", "factor"
"""What somebody may owe before anything else is open to them."""
_log = logging.getLogger(__name__)
_accounts = table(Account)
_factors = table(SecondFactor)
_sessions = table(Session)
_people = table(Person)


class NotSignedIn(DutiesError):
    """请先登录。登录已超时或已退出时，需要重新登录。"""

    status = 401
    code = "not_signed_in"


class WrongLogin(DutiesError):
    """用户名、密码或动态口令不对，或者这个账号现在不能登录。"""

    status = 401
    code = "wrong_login"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session: whose it is, and the secret its forms must carry."""

    session_id: int
    account_id: int
    person_id: int
    login: str
    name: str
    csrf: str
    role: AdministratorRole | None
    """Which of the three administrators they are today; None for everybody who holds a post."""
    post_id: int | None
    """The post as which they chose to act."""
    owes: str
    """:data:`PASSWORD` or :data:`FACTOR`: what must be settled before anything else; or ''."""
    confirmed: bool = False
    """Their request says that they looked at what the gate for texts noticed."""

    @property
    def actor(self) -> Actor:
        """The person as the actor of a command."""
        return Actor(self.person_id, confirmed=self.confirmed)


_has_factor = exists().where(
    _factors.c.account_id == _accounts.c.id, _factors.c.confirmed_at.is_not(None)
)
_holds_post = in_office(_accounts.c.person_id)
_door = select(
    *(_accounts.c[name] for name in ("id", "login", "person_id", "password", "disabled")),
    _has_factor.label("has_factor"),
    _holds_post.label("holds_post"),
    open_role(_accounts.c.person_id).label("role"),
).where(_accounts.c.login == bindparam("p_login"))
_DOOR_HELD = _door.with_for_update(of=_accounts, key_share=True)
_live = (
    select(
        _sessions.c.id,
        _sessions.c.csrf,
        _sessions.c.created_at,
        _sessions.c.seen_at,
        _sessions.c.post_id,
        _accounts.c.id.label("account_id"),
        _accounts.c.person_id,
        _accounts.c.login,
        _accounts.c.must_change,
        _accounts.c.password_at,
        _people.c.name,
        _has_factor.label("has_factor"),
        _holds_post.label("holds_post"),
        open_role(_accounts.c.person_id).label("role"),
    )
    .join(_accounts, _accounts.c.id == _sessions.c.account_id)
    .join(_people, _people.c.id == _accounts.c.person_id)
    .where(
        _sessions.c.token_hash == bindparam("p_token"),
        _sessions.c.revoked_at.is_(None),
        _accounts.c.disabled.is_(False),
    )
)


class _WrongCode(Exception):
    """The password fits, the one-time code does not."""


def sign_in(
    env: Env,
    *,
    login: str,
    password: str,
    address: str,
    code: str = "",
    browser: str = "",
    former: str = "",
) -> str:
    """Open a new session and return its token, which is kept nowhere else.

    ``WrongLogin`` does not say what was wrong: the name, the password, the one-time code, or that
    the account is closed or its person holds no post. ``TooManyTries`` comes before any password is
    tried. ``former`` is the token that the browser had: its session ends with this one's begin.
    """
    now, given = env.clock(), plain(login.strip()[: LONGEST_LOGIN + 1])
    login = given if len(given) <= LONGEST_LOGIN else ""
    with reading(env.engine) as db:
        found = db.execute(_door, {"p_login": login, "p_on": local_day(now)}).first()
    account_id = found.id if found else None
    require_turn(env, login=login, address=address, account_id=account_id)
    token = secrets.token_urlsafe(32)
    fits = matches(password, found.password if found else None)
    coded = _is_right(
        env, found, code
    )  # asked whatever the password: no clock tells which is wrong
    here = _Browser(address, browser, former)
    try:
        if found is None or not (fits and coded) or not _may_enter(found):
            raise _WrongCode
        _open(env, found, token, code, here)
    except _WrongCode:
        refuse(env, account_id, login=login, address=address)
        raise WrongLogin from None
    return token


def signed_in(env: Env, token: str) -> SignedIn:
    """Whose session a token is, in one SELECT; ``NotSignedIn`` when it is over.

    It is over at once when the account is closed, and when its person holds no post any more.
    """
    now = env.clock()
    with reading(env.engine) as db:
        row = db.execute(_live, {"p_token": _digest(token), "p_on": local_day(now)}).first()
    if row is None or now - row.seen_at > IDLE or now - row.created_at > ABSOLUTE:
        raise NotSignedIn
    if not row.holds_post and row.role is None:
        raise NotSignedIn
    if now - row.seen_at >= SEEN_EVERY:
        _seen(env, row.id, now)
    return SignedIn(
        session_id=row.id,
        account_id=row.account_id,
        person_id=row.person_id,
        login=row.login,
        name=row.name,
        csrf=row.csrf,
        role=_role(row),
        post_id=row.post_id,
        owes=_owes(env.sign_in, row, now),
    )


def sign_out(env: Env, who: SignedIn) -> None:
    """Revoke a session; the token is worthless from then on."""

    def act(work: Work) -> dict[str, int]:
        mine = _sessions.c.id == who.session_id
        work.db.execute(update(_sessions).where(mine).values(revoked_at=work.now))
        note(work, AccountAct.SIGNED_OUT, [who.account_id], session=who.session_id)
        return {"session": who.session_id}

    execute(env, who.actor, "session.close", f"session-close-{who.session_id}", {}, act)


def require_turn(env: Env, *, login: str, address: str, account_id: int | None) -> None:
    """TooManyTries while this log-in must wait: one line of the record tells of an address."""
    now, said = env.clock(), held_key(env, address, env.clock())
    try:
        with reading(env.engine) as db:
            admit(env, db, login=login, address=address, account_id=account_id, now=now)
    except TooManyTries:
        with reading(env.engine) as db:
            known = told(db, said)
        if not known:
            _refuse(env, AccountAct.HELD, account_id, address, said)
        raise


def refuse(env: Env, account_id: int | None, *, login: str, address: str) -> None:
    """Count that somebody was not let in, and write it down; never what they typed."""
    key = secrets.token_urlsafe(16)
    _refuse(env, AccountAct.REFUSED, account_id, address, key, login)


def _refuse(
    env: Env,
    what: AccountAct,
    account_id: int | None,
    address: str,
    key: str,
    counted: str | None = None,
) -> None:
    def act(work: Work) -> dict[str, object]:
        note(work, what, [account_id], address=address)
        if counted is not None:
            count(work, login=counted, address=address)
        return {}

    execute(env, Actor(None), "session.refuse", key, {}, act)


def _may_enter(row: Row[Any]) -> bool:
    return not row.disabled and (row.holds_post or row.role is not None)


def _role(row: Row[Any]) -> AdministratorRole | None:
    """Nobody administers who holds a post."""
    return None if row.holds_post else row.role


def _owes(rules: SignInRules, row: Row[Any], now: datetime) -> str:
    old = rules.password_days and (
        row.password_at is None or now - row.password_at > timedelta(days=rules.password_days)
    )
    if row.must_change or old:
        return PASSWORD
    wanted = rules.administrators_need_codes and _role(row) is not None
    return FACTOR if wanted and not row.has_factor else ""


@dataclass(frozen=True, slots=True)
class _Browser:
    """From where somebody signs in, and the token their browser had; '' for none."""

    address: str
    name: str
    former: str


def _open(env: Env, account: Row[Any], token: str, code: str, here: _Browser) -> None:
    def act(work: Work) -> dict[str, int]:
        wanted = {"p_login": account.login, "p_on": work.today}
        now = work.db.execute(_DOOR_HELD, wanted).first()
        if now is None or now.password != account.password or not _may_enter(now):
            raise _WrongCode  # reset, changed or closed since it was looked at
        if now.has_factor and not _without_key(lambda: take_code(env, work, account.id, code)):
            raise _WrongCode
        _end_former(work, here.former)
        kept = {
            "account_id": account.id,
            "token_hash": _digest(token),
            "csrf": secrets.token_urlsafe(32),
            "created_at": work.now,
            "seen_at": work.now,
            "address": here.address,
            "browser": here.name,
        }
        made = work.db.execute(insert(_sessions).returning(_sessions.c.id), kept).scalar_one()
        note(work, AccountAct.SIGNED_IN, [account.id], session=made, address=here.address)
        forgive(work, login=account.login, address=here.address)
        return {"session": made}

    execute(env, Actor(account.person_id), "session.open", secrets.token_urlsafe(16), {}, act)


def _is_right(env: Env, found: Row[Any] | None, code: str) -> bool:
    """Whether the code is right, or none is asked for."""
    with reading(env.engine) as db:
        right = _without_key(lambda: is_right(env, db, found.id if found else 0, code, env.clock()))
    return right or (found is not None and not found.has_factor)


def _without_key(fits: Callable[[], bool]) -> bool:
    """Without the key no code fits; who tries a password does not learn that it was right."""
    try:
        return fits()
    except NoKey:
        _log.error("a one-time code cannot be checked: the installation's key is not the one")
        return False


def _end_former(work: Work, token: str) -> None:
    """Nobody goes on by a cookie that the browser has no more, whoever it signed in."""
    mine = _sessions.c.token_hash == _digest(token), _sessions.c.revoked_at.is_(None)
    ended = update(_sessions).where(*mine).values(revoked_at=work.now)
    for row in work.db.execute(ended.returning(_sessions.c.id, _sessions.c.account_id)).all():
        note(work, AccountAct.SIGNED_OUT, [row.account_id], session=row.id)


def _seen(env: Env, session_id: int, now: datetime) -> None:
    """Best effort: a page is shown also while nothing can be written."""
    with suppress(DBAPIError), env.engine.begin() as db:
        db.execute(update(_sessions).where(_sessions.c.id == session_id).values(seen_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
