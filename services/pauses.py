"""What stands (暂停), as people read it: why, since when, by whom, and until which day."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from models.base import table
from models.casework import Branch, BranchState, Step, StepState
from models.organisation import Organisation, Post
from models.pause import Pause, Standstill
from policy.calendar import local_day
from policy.pause import PauseKind
from services.commanding import case_of, commands
from services.scope import Standing, post_name

_branches = table(Branch)
_organisations = table(Organisation)
_pauses = table(Pause)
_posts = table(Post)
_standstills = table(Standstill)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class PauseLine:
    """A pause. ``whole``: of the case, not of a branch of it."""

    id: int
    branch_id: int
    whole: bool
    kind: PauseKind
    reason: str
    post: str
    since: date
    at: datetime
    review_on: date
    ended_at: datetime | None
    end_reason: str


@dataclass(frozen=True, slots=True)
class Stands:
    """How a branch stands. ``pause``: what holds it; ``below``: how many branches are paused in it
    on their own; ``may_pause`` and ``may_resume``: what this person may do to it now."""

    branch_id: int
    pause: PauseLine | None
    below: int
    may_pause: bool
    may_resume: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A deadline that moved because of a pause."""

    kind: PauseKind
    since: date
    until: date
    days: int
    working: bool
    """Whether ``days`` are working days."""


def pause_of(db: Connection, pause_id: int | None) -> PauseLine | None:
    """A pause by its id."""
    if pause_id is None:
        return None
    return _line(db.execute(_listed().where(_pauses.c.id == pause_id)).one())


def standing_of(db: Connection, who: Standing, branch_id: int) -> Stands:
    """How a branch of a case that this person sees stands, and what they may do to it."""
    columns = ("case_id", "state", "paused_by")
    query = select(*(_branches.c[name] for name in columns)).where(_branches.c.id == branch_id)
    branch = db.execute(query).one()
    pause = pause_of(db, branch.paused_by)
    case = case_of(db, branch.case_id)
    may = case is not None and commands(db, who, case) is not None
    runs = branch.state == BranchState.OPEN
    own = pause is not None and pause.branch_id == branch_id
    own_below = _pauses.c.case_id == branch.case_id, _pauses.c.ended_at.is_(None)
    below = select(func.count()).where(*own_below, _pauses.c.branch_id != branch_id)
    return Stands(
        branch_id=branch_id,
        pause=pause,
        below=int(db.execute(below).scalar_one()),
        may_pause=may and runs and pause is None,
        may_resume=may and runs and own,
    )


def moved_by_pauses(db: Connection, step_id: int) -> tuple[Moved, ...]:
    """Why the deadline of a step moved, the earliest first."""
    query = (
        select(_pauses.c.kind, *(_standstills.c[n] for n in ("since", "until", "days", "unit")))
        .join(_pauses, _pauses.c.id == _standstills.c.pause_id)
        .where(_standstills.c.step_id == step_id, _standstills.c.days > 0)
        .order_by(_standstills.c.id)
    )
    return tuple(
        Moved(row.kind, row.since, row.until, row.days, row.unit == "wd")
        for row in db.execute(query)
    )


def standing_tasks(db: Connection, case_id: int) -> dict[int, date]:
    """Since when the tasks of a case stand whose lead unit is asked now, by task."""
    query = (
        select(_branches.c.row_id, _steps.c.paused_at)
        .join(_steps, _steps.c.branch_id == _branches.c.id)
        .where(
            _branches.c.case_id == case_id,
            _branches.c.row_kind == "task",
            _steps.c.state == StepState.OPEN,
            _steps.c.due_key == "row",
            _steps.c.paused_at.is_not(None),
        )
    )
    return {row.row_id: local_day(row.paused_at) for row in db.execute(query)}


def _listed() -> Select[Any]:
    names = ("id", "branch_id", "kind", "reason", "at", "review_on", "ended_at", "end_reason")
    top = _branches.alias("top")
    return (
        select(
            *(_pauses.c[name] for name in names),
            top.c.parent_id,
            _posts.c.title,
            _organisations.c.short_name,
        )
        .join(top, top.c.id == _pauses.c.branch_id)
        .join(_posts, _posts.c.id == _pauses.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
    )


def _line(row: Row[Any]) -> PauseLine:
    return PauseLine(
        id=row.id,
        branch_id=row.branch_id,
        whole=row.parent_id is None,
        kind=PauseKind(row.kind),
        reason=row.reason,
        post=post_name(row.short_name, row.title),
        since=local_day(row.at),
        at=row.at,
        review_on=row.review_on,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )
