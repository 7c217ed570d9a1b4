"""How a case stands, as the mirror and pages show it: number, state, and what it waits for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from models.base import table
from models.casework import (
    Branch,
    BranchState,
    Case,
    CaseState,
    Effect,
    EffectState,
    Origin,
    Slot,
    SlotState,
    Step,
    StepState,
)
from models.organisation import Organisation, Post
from services.errors import NotFound
from services.scope import post_name

_branches = table(Branch)
_cases = table(Case)
_effects = table(Effect)
_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step that waits: its key, the posts it waits on, and when it is due."""

    id: int
    key: str
    posts: tuple[str, ...]
    due_at: datetime | None
    provisional: bool
    paused: bool = False
    """Whether its clock stands (暂停)."""


@dataclass(frozen=True, slots=True)
class CaseStatus:
    """``open`` holds the first few open steps by due date, ``open_count`` how many there are."""

    case_id: int
    number: str
    mechanism: str
    organisation_id: int
    state: CaseState
    blocked: int
    pending_effects: int
    open: tuple[OpenStep, ...]
    open_count: int
    paused: bool = False
    """Whether the whole case is paused (暂停)."""


def case_status(db: Connection, case_id: int) -> CaseStatus:
    """How a case stands. NotFound when there is none; it looks at no scope."""
    case = db.execute(select(_cases).where(_cases.c.id == case_id)).first()
    if case is None:
        raise NotFound(case=case_id)
    waiting = (
        _steps.c.case_id == case_id,
        _steps.c.state == StepState.OPEN,
        _steps.c.origin != Origin.RUNG,
    )
    blocked = _branches.c.case_id == case_id, _branches.c.error.is_not(None)
    whole = _branches.c.case_id == case_id, _branches.c.parent_id.is_(None)
    pending = (
        _effects.c.case_id == case_id,
        _effects.c.state.in_((EffectState.QUEUED, EffectState.CLAIMED)),
    )
    return CaseStatus(
        case_id=case.id,
        number=case.number,
        mechanism=case.mechanism,
        organisation_id=case.organisation_id,
        state=case.state,
        paused=bool(_count(db, _branches, *whole, _branches.c.paused_by.is_not(None))),
        blocked=_count(db, _branches, *blocked, _branches.c.state == BranchState.OPEN),
        pending_effects=_count(db, _effects, *pending),
        open=_open_steps(db, waiting),
        open_count=_count(db, _steps, *waiting),
    )


def _count(db: Connection, rows: Any, *conditions: Any) -> int:
    query: Select[Any] = select(func.count()).select_from(rows).where(*conditions)
    return int(db.execute(query).scalar_one())


def _open_steps(db: Connection, waiting: tuple[Any, ...]) -> tuple[OpenStep, ...]:
    said = "id", "key", "due_at", "provisional", "paused_at"
    columns = (_steps.c[name] for name in said)
    by_due = _steps.c.due_at.is_(None), _steps.c.due_at, _steps.c.id
    steps = db.execute(select(*columns).where(*waiting).order_by(*by_due).limit(_SHOWN)).all()
    names: dict[int, list[str]] = {step.id: [] for step in steps}
    asked = db.execute(
        select(_slots.c.step_id, _organisations.c.short_name, _posts.c.title)
        .join(_posts, _posts.c.id == _slots.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_slots.c.step_id.in_(names), _slots.c.state == SlotState.OPEN)
        .order_by(_slots.c.position)
    )
    for step_id, unit, title in asked:
        names[step_id].append(post_name(unit, title))
    return tuple(
        OpenStep(
            step.id,
            step.key,
            tuple(names[step.id]),
            step.due_at,
            step.provisional,
            step.paused_at is not None,
        )
        for step in steps
    )
