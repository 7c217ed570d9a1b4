"""A person's own sessions, and as which of their posts they act."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from models.account import AccountAct, Session
from models.base import table
from services.account_log import STREAM, end_sessions, note
from services.command import Work, execute
from services.env import Env
from services.errors import NotFound
from services.scope import standing
from services.session import ABSOLUTE, IDLE, SignedIn

_sessions = table(Session)


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A live session of the person; ``here``: the one they look through."""

    id: int
    created_at: datetime
    seen_at: datetime
    address: str
    browser: str
    here: bool


def own_sessions(db: Connection, who: SignedIn, now: datetime) -> list[OwnSession]:
    """The sessions that are live now, the one last used first."""
    names = ("id", "created_at", "seen_at", "address", "browser")
    rows = db.execute(
        select(*(_sessions.c[name] for name in names))
        .where(
            _sessions.c.account_id == who.account_id,
            _sessions.c.revoked_at.is_(None),
            _sessions.c.seen_at >= now - IDLE,
            _sessions.c.created_at >= now - ABSOLUTE,
        )
        .order_by(_sessions.c.seen_at.desc(), _sessions.c.id.desc())
    )
    return [
        OwnSession(
            row.id, row.created_at, row.seen_at, row.address, row.browser, row.id == who.session_id
        )
        for row in rows
    ]


def end_others(env: Env, who: SignedIn, *, key: str) -> int:
    """End all sessions of the person but this one; how many there were."""

    def act(work: Work) -> dict[str, int]:
        ended = end_sessions(work, [who.account_id], but=who.session_id)
        note(work, AccountAct.SESSIONS_ENDED, [who.account_id], session=who.session_id)
        return {"ended": ended}

    return int(execute(env, who.actor, "session.end_others", key, {}, act)["ended"])


def act_as(env: Env, who: SignedIn, *, post_id: int, key: str) -> None:
    """Act as one of the posts that the person holds today; NotFound for any other."""

    def act(work: Work) -> dict[str, int]:
        if post_id not in standing(work.db, who.person_id, work.today).post_ids:
            raise NotFound
        mine = _sessions.c.id == who.session_id
        work.db.execute(update(_sessions).where(mine).values(post_id=post_id))
        work.audit(STREAM, {"act": "acts_as", "session": who.session_id, "post": post_id})
        return {"post": post_id}

    execute(env, who.actor, "session.act_as", key, {"post": post_id}, act)
