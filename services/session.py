"""Who is signed in: revocable sessions, kept as the hash of a token (reliability §5, ASVS 7)."""

import hashlib
import secrets
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
from services.one_time_code import take_code
from services.password import matches
from services.throttle import Throttle, TooManyTries

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
LONGEST_LOGIN = 200
"""Characters; what is longer is nobody's, and is kept nowhere."""
SEEN_EVERY = timedelta(minutes=1)
PASSWORD, FACTOR = "password", "factor"
"""What somebody may owe before anything else is open to them."""
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

    @property
    def actor(self) -> Actor:
        """The person as the actor of a command."""
        return Actor(self.person_id)


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
    throttle: Throttle,
    *,
    login: str,
    password: str,
    address: str,
    code: str = "",
    browser: str = "",
) -> str:
    """Open a new session and return its token, which is kept nowhere else.

    ``WrongLogin`` does not say what was wrong: the name, the password, the one-time code, or that
    the account is closed or its person holds no post. ``TooManyTries`` comes before any password is
    tried.
    """
    now, given = env.clock(), plain(login.strip()[: LONGEST_LOGIN + 1])
    login = given if len(given) <= LONGEST_LOGIN else ""
    with reading(env.engine) as db:
        found = db.execute(_door, {"p_login": login, "p_on": local_day(now)}).first()
    try:
        throttle.admit(login, address, now)
    except TooManyTries:
        if throttle.first_held(login, address, now):
            refuse(env, AccountAct.HELD, found.id if found else None, address)
        raise
    token = secrets.token_urlsafe(32)
    fits = matches(password, found.password if found else None)
    try:
        if found is None or not fits or not _may_enter(found):
            raise _WrongCode
        _open(env, found, token, code=code, address=address, browser=browser)
    except _WrongCode:
        throttle.failed(login, address, now)
        refuse(env, AccountAct.REFUSED, found.id if found else None, address)
        raise WrongLogin from None
    throttle.passed(login, address)
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


def refuse(env: Env, what: AccountAct, account_id: int | None, address: str) -> None:
    """Write down that somebody was not let in; never what they typed."""

    def act(work: Work) -> dict[str, object]:
        note(work, what, [account_id], address=address)
        return {}

    execute(env, Actor(None), "session.refuse", secrets.token_urlsafe(16), {}, act)


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


def _open(
    env: Env, account: Row[Any], token: str, *, code: str, address: str, browser: str
) -> None:
    def act(work: Work) -> dict[str, int]:
        wanted = {"p_login": account.login, "p_on": work.today}
        now = work.db.execute(_DOOR_HELD, wanted).first()
        if now is None or now.password != account.password or not _may_enter(now):
            raise _WrongCode  # reset, changed or closed since it was looked at
        if now.has_factor and not take_code(env, work, account.id, code):
            raise _WrongCode
        kept = {
            "account_id": account.id,
            "token_hash": _digest(token),
            "csrf": secrets.token_urlsafe(32),
            "created_at": work.now,
            "seen_at": work.now,
            "address": address,
            "browser": browser,
        }
        made = work.db.execute(insert(_sessions).returning(_sessions.c.id), kept).scalar_one()
        note(work, AccountAct.SIGNED_IN, [account.id], session=made, address=address)
        return {"session": made}

    execute(env, Actor(account.person_id), "session.open", secrets.token_urlsafe(16), {}, act)


def _seen(env: Env, session_id: int, now: datetime) -> None:
    """Best effort: a page is shown also while nothing can be written."""
    with suppress(DBAPIError), env.engine.begin() as db:
        db.execute(update(_sessions).where(_sessions.c.id == session_id).values(seen_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
