"""延期申请 as people read them: those of a step, and what one asks of the superior."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from models.act import ActRecord
from models.base import table
from models.casework import Case, Decision, Origin, Slot, Step
from models.organisation import Organisation, Post
from policy.acts import Act
from policy.deadline import due_day
from policy.extension import subject_of
from services.catalogue import step_title
from services.scope import post_name
from services.substitutes import in_place, substitute_names

_acts = table(ActRecord)
_cases = table(Case)
_decisions = table(Decision)
_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks: ``original_on`` and ``due_on`` are the dates of the step it is about."""

    slot_id: int
    title: str
    by: str
    at: datetime
    reason: str
    until: date
    original_on: date
    due_on: date


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a step: who is asked through which slot, and ``answer`` None while undecided.

    ``until`` is the date that was granted or, before that, the one that was asked for.
    """

    slot_id: int
    state: str
    post: str
    until: date
    answer: str | None
    reason: str


def wanted(db: Connection, key: str) -> Wanted:
    """What the request of this step key asks."""
    step_id, n = subject_of(key)
    row = db.execute(_asked(step_id).offset(n - 1).limit(1)).one()
    names = substitute_names(db, [row.substitution_id])
    return Wanted(
        slot_id=row.slot_id,
        title=step_title(row.mechanism, row.key),
        by=in_place(post_name(row.short_name, row.title), names.get(row.substitution_id, "")),
        at=row.at,
        reason=row.reason,
        until=date.fromisoformat(row.given["until"]),
        original_on=due_day(row.original_due_at or row.due_at),
        due_on=due_day(row.due_at),
    )


def requests_of(db: Connection, branch_id: int, step_id: int) -> tuple[Request, ...]:
    """The requests for a step, the oldest first."""
    of_branch = _steps.c.branch_id == branch_id, _steps.c.origin == Origin.EXTENSION
    rows = db.execute(_answers().where(*of_branch)).all()
    mine = [row for row in rows if subject_of(row.key)[0] == step_id]
    if not mine:
        return ()
    asked = [date.fromisoformat(row.given["until"]) for row in db.execute(_asked(step_id))]
    return tuple(
        Request(
            slot_id=row.id,
            state=row.state,
            post=post_name(row.short_name, row.title),
            until=_until(row.payload) or asked[subject_of(row.key)[1] - 1],
            answer=row.answer,
            reason=row.reason or "",
        )
        for row in mine
    )


def _until(payload: Any) -> date | None:
    return date.fromisoformat(payload["until"]) if payload else None


def _asked(step_id: int) -> Select[Any]:
    return (
        select(
            *(_acts.c[name] for name in ("slot_id", "at", "reason", "given", "substitution_id")),
            *(_steps.c[name] for name in ("key", "due_at", "original_due_at")),
            _cases.c.mechanism,
            _posts.c.title,
            _organisations.c.short_name,
        )
        .join(_steps, _steps.c.id == _acts.c.step_id)
        .join(_cases, _cases.c.id == _acts.c.case_id)
        .join(_posts, _posts.c.id == _acts.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_acts.c.step_id == step_id, _acts.c.act == Act.EXTEND)
        .order_by(_acts.c.id)
    )


def _answers() -> Select[Any]:
    return (
        select(
            _slots.c.id,
            _slots.c.state,
            _steps.c.key,
            _posts.c.title,
            _organisations.c.short_name,
            *(_decisions.c[name] for name in ("answer", "reason", "payload")),
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_posts, _posts.c.id == _slots.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id)
        .order_by(_slots.c.id)
    )
