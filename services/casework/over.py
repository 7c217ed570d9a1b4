"""By whom, when and why a case was terminated, for pages and for whoever comes too late."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Case, CaseState
from models.organisation import Organisation, Post
from policy.calendar import SHANGHAI
from services.errors import AlreadyDecided
from services.scope import post_name

_cases = table(Case)
_organisations = table(Organisation)
_posts = table(Post)


@dataclass(frozen=True, slots=True)
class Termination:
    """终止: the post that did it, when, and the reason."""

    post: str
    at: datetime
    reason: str


def termination(db: Connection, case_id: int) -> Termination | None:
    """How a case was terminated; None for one that was not."""
    row = db.execute(
        select(_cases.c.ended_at, _cases.c.end_reason, _organisations.c.short_name, _posts.c.title)
        .join(_posts, _posts.c.id == _cases.c.ended_as)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_cases.c.id == case_id, _cases.c.state == CaseState.TERMINATED)
    ).first()
    if row is None:
        return None
    return Termination(post_name(row.short_name, row.title), row.ended_at, row.end_reason)


def already(db: Connection, case_id: int, otherwise: str) -> AlreadyDecided:
    """What somebody is told who comes after a termination; ``otherwise`` where there was none."""
    done = termination(db, case_id)
    if done is None:
        return AlreadyDecided(otherwise)
    said = f"这一事项已由{done.post}于{moment(done.at)}终止。"
    return AlreadyDecided(said, by=done.post, at=done.at.isoformat())


def moment(at: datetime) -> str:
    """``2026年3月2日 09:00`` in Shanghai."""
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
