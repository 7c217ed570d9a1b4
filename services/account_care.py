"""What the system and the security administrator do to a single account."""

import secrets
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select, update

from models.account import Account, AccountAct
from models.base import table
from models.organisation import Person
from policy.administration import Permission
from policy.calendar import local_day
from services.account_log import end_sessions, note
from services.account_making import AlreadyShown, Slip
from services.account_scope import answers_for
from services.accounts import write_password
from services.administration import require
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import AlreadyDecided, NotFound
from services.one_time_code import forget_factor
from services.password import hashed, new_password
from services.scope import standing

_accounts = table(Account)
_people = table(Person)


def account_of(db: Connection, login: str) -> int:
    """The account of a log-in; NotFound when there is none."""
    found = db.execute(select(_accounts.c.id).where(_accounts.c.login == login)).scalar()
    if found is None:
        raise NotFound
    return int(found)


def reset_password(env: Env, actor: Actor, *, account_id: int, key: str) -> Slip:
    """Give an account a new first password and end its sessions; the slip is shown once.

    For the security administrator who answers for the person, and the system; NotFound for anybody
    else. :class:`AlreadyShown` for the same key again.
    """
    with reading(env.engine) as db:  # whoever may not is refused before anything is hashed
        _look(db, actor, local_day(env.clock()), Permission.RESET_PASSWORDS, account_id)
    fresh, nonce = new_password(), secrets.token_urlsafe(16)
    kept = hashed(fresh)

    def act(work: Work) -> dict[str, Any]:
        row = _account(work, Permission.RESET_PASSWORDS, account_id)
        write_password(work, row.id, kept, must_change=True)
        end_sessions(work, [row.id])
        note(work, AccountAct.PASSWORD_RESET, [row.id])
        posts = standing(work.db, row.person_id, work.today).posts
        name = posts[0].name if posts else row.name
        return {"login": row.login, "name": name, "nonce": nonce}

    done = execute(env, actor, "account.reset", key, {"account": account_id}, act)
    if done["nonce"] != nonce:
        raise AlreadyShown
    return Slip(account_id, done["login"], fresh, done["name"])


def close_account(env: Env, actor: Actor, *, account_id: int, key: str) -> None:
    """Let nobody in by this account, and end its sessions: for the system administrator."""

    def act(work: Work) -> dict[str, int]:
        row = _account(work, Permission.CLOSE_ACCOUNTS, account_id)
        _set_disabled(work, row, disabled=True)
        end_sessions(work, [row.id])
        note(work, AccountAct.CLOSED, [row.id])
        return {"account": row.id}

    execute(env, actor, "account.close", key, {"account": account_id}, act)


def reopen_account(env: Env, actor: Actor, *, account_id: int, key: str) -> None:
    """Let the person in again, by the password they had: for the system administrator."""

    def act(work: Work) -> dict[str, int]:
        row = _account(work, Permission.CLOSE_ACCOUNTS, account_id)
        _set_disabled(work, row, disabled=False)
        note(work, AccountAct.REOPENED, [row.id])
        return {"account": row.id}

    execute(env, actor, "account.reopen", key, {"account": account_id}, act)


def recover_factor(env: Env, actor: Actor, *, account_id: int, key: str) -> None:
    """Drop the one-time codes of somebody who lost their device, and end their sessions: for the
    security administrator. AlreadyDecided where there are none."""

    def act(work: Work) -> dict[str, int]:
        row = _account(work, Permission.RECOVER_FACTORS, account_id)
        if not forget_factor(work, row.id):
            raise AlreadyDecided("这个账号没有启用动态口令。")
        end_sessions(work, [row.id])
        note(work, AccountAct.FACTOR_RECOVERED, [row.id])
        return {"account": row.id}

    execute(env, actor, "factor.recover", key, {"account": account_id}, act)


def end_all_sessions(env: Env, actor: Actor, *, account_id: int, key: str) -> None:
    """End every session of an account at once: for the security administrator."""

    def act(work: Work) -> dict[str, int]:
        row = _account(work, Permission.END_SESSIONS, account_id)
        ended = end_sessions(work, [row.id])
        note(work, AccountAct.SESSIONS_ENDED, [row.id])
        return {"ended": ended}

    execute(env, actor, "session.end_all", key, {"account": account_id}, act)


def _account(work: Work, permission: Permission, account_id: int) -> Row[Any]:
    """The account, locked; NotFound unless the actor has this act and answers for the person."""
    return _look(work.db, work.actor, work.today, permission, account_id, lock=True)


def _look(
    db: Connection,
    actor: Actor,
    on: date,
    permission: Permission,
    account_id: int,
    *,
    lock: bool = False,
) -> Row[Any]:
    query = (
        select(
            _accounts.c.id,
            _accounts.c.login,
            _accounts.c.person_id,
            _accounts.c.disabled,
            _people.c.name,
        )
        .join(_people, _people.c.id == _accounts.c.person_id)
        .where(_accounts.c.id == account_id)
    )
    if actor.person_id is not None:
        at = require(db, actor.person_id, on, permission)
        query = query.where(answers_for(at.path, _accounts.c.person_id, on))
    row = db.execute(query.with_for_update(of=_accounts, key_share=True) if lock else query).first()
    if row is None:
        raise NotFound
    return row


def _set_disabled(work: Work, row: Row[Any], *, disabled: bool) -> None:
    if row.disabled is disabled:
        raise AlreadyDecided("这个账号已经停用。" if disabled else "这个账号没有停用。")
    mine = _accounts.c.id == row.id
    work.db.execute(update(_accounts).where(mine).values(disabled=disabled))
