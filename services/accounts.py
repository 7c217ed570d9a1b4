"""Accounts: passwords that the system sets, and the ones that people change themselves."""

import secrets
from collections.abc import Mapping

from sqlalchemy import Select, select, update

from models.account import Account, AccountAct
from models.base import table
from policy.calendar import local_day
from policy.password import plain
from services.account_log import end_sessions, note
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.password import all_hashed, hashed, matches, new_password, require_strong
from services.scope import Standing, standing
from services.session import SignedIn, refuse, require_turn

__all__ = ["change_password", "new_password", "set_password", "set_passwords"]
_accounts = table(Account)


class WrongPassword(Invalid):
    """原密码不对。"""

    code = "wrong_password"


def set_password(env: Env, actor: Actor, login: str, password: str) -> None:
    """Set the password of an account, by the system only, and end its sessions.

    NotFound for a log-in that is not there, ``Invalid`` for a password that is too short.
    """
    set_passwords(env, actor, {login: password})


def set_passwords(env: Env, actor: Actor, passwords: Mapping[str, str]) -> None:
    """:func:`set_password` for several log-ins, all or none; nobody has to change them."""
    if actor.person_id is not None:
        raise NotAuthorised
    # the body of a command is kept under a plain hash: no password belongs in it
    kept = all_hashed(passwords)

    def act(work: Work) -> dict[str, int]:
        query = select(_accounts.c.id, _accounts.c.login).where(_accounts.c.login.in_(kept))
        found = list(work.db.execute(query.order_by(_accounts.c.id)))
        if len(found) < len(kept):
            raise NotFound
        for row in found:
            write_password(work, row.id, kept[row.login], must_change=False)
        ids = [row.id for row in found]
        end_sessions(work, ids)
        note(work, AccountAct.PASSWORD_RESET, ids)
        return {"accounts": len(ids)}

    logins = {"logins": sorted(kept)}
    execute(env, actor, "account.set_password", secrets.token_urlsafe(16), logins, act)


def change_password(env: Env, who: SignedIn, *, old: str, new: str, address: str) -> None:
    """Change one's own password, by the old one; one's other sessions end.

    ``WrongPassword`` counts as a failed log-in, ``TooManyTries`` follows several; ``Invalid`` for a
    new one that is the old one, too short or too easily guessed.
    """
    now = env.clock()
    require_turn(env, login=who.login, address=address, account_id=who.account_id)
    with reading(env.engine) as db:
        kept = db.execute(_kept(who.account_id)).scalar()
        posts = standing(db, who.person_id, local_day(now))
    if not matches(old, kept):
        refuse(env, who.account_id, login=who.login, address=address)
        raise WrongPassword(field="old")
    if plain(new) == plain(old):
        raise Invalid("新密码不能与原密码相同。", field="password")
    require_strong(new, login=who.login, names=names_of(posts, who.name))
    fresh = hashed(new)

    def act(work: Work) -> dict[str, int]:
        if work.db.execute(_kept(who.account_id).with_for_update(key_share=True)).scalar() != kept:
            raise AlreadyDecided("密码刚刚已经改过，请重新登录。")
        write_password(work, who.account_id, fresh, must_change=False)
        ended = end_sessions(work, [who.account_id], but=who.session_id)
        note(work, AccountAct.PASSWORD_CHANGED, [who.account_id], address=address)
        return {"ended": ended}

    key, body = secrets.token_urlsafe(16), {"account": who.account_id}
    execute(env, who.actor, "account.change_password", key, body, act)


def write_password(work: Work, account_id: int, kept: str, *, must_change: bool) -> None:
    """Keep a hash; ``must_change`` where somebody else knows the password."""
    values = {"password": kept, "must_change": must_change, "password_at": work.now}
    work.db.execute(update(_accounts).where(_accounts.c.id == account_id).values(values))


def _kept(account_id: int) -> Select[tuple[str | None]]:
    return select(_accounts.c.password).where(_accounts.c.id == account_id)


def names_of(who: Standing, name: str) -> list[str]:
    """What a guesser knows of somebody: their name, units and posts."""
    return [name, *(part for post in who.posts for part in (post.organisation, post.title))]
