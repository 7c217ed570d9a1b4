"""The stages of a case on its page: what is behind it, where it stands, what is ahead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.casework import Branch, Case, CaseState, Fanout, Origin, Step, StepState
from policy.calendar import local_day
from policy.deadline import due_day
from services.casework.imported import IMPORTED
from services.catalogue import translated
from services.rectification_stages import FIRST, STAGES

OF_EDITION = {
    ("rectification", 1): FIRST,
    ("rectification", 2): STAGES,
    ("vacancy", 1): (("name", ("name-holder", "settle")),),
}
"""Stages by mechanism and edition: name, and the keys of the root's script that belong to it."""
_branches = table(Branch)
_cases = table(Case)
_fanouts = table(Fanout)
_steps = table(Step)


class Place(StrEnum):
    """Where a stage lies, seen from now."""

    DONE = "done"
    NOW = "now"
    STOPPED = "stopped"
    """The present one of a case that was terminated."""
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Stage:
    """``on``: the day it was done, or is due when it is the present one."""

    title: str
    place: Place
    on: date | None = None
    provisional: bool = False
    imported: bool = False
    """It was behind the case when it was taken over (存量台账)."""


def stages_of(db: Connection, case_id: int, mechanism: str, edition: int) -> tuple[Stage, ...]:
    """The stages of a case; none for a mechanism that has not said its stages."""
    stages = OF_EDITION.get((mechanism, edition), ())
    root = select(_branches.c.id).where(
        _branches.c.case_id == case_id, _branches.c.parent_id.is_(None)
    )
    branch_id = db.execute(root).scalar_one()
    steps = db.execute(
        select(_steps).where(
            _steps.c.branch_id == branch_id,
            _steps.c.voided.is_(False),
            _steps.c.origin == Origin.SCRIPT,
        )
    ).all()
    state = db.execute(select(_cases.c.state).where(_cases.c.id == case_id)).scalar_one()
    now = len(stages) if state == CaseState.ENDED else _present(stages, _live(db, branch_id, steps))
    found = [
        _stage(f"stage.{mechanism}.{name}", index - now, [s for s in steps if s.key in keys])
        for index, (name, keys) in enumerate(stages)
    ]
    if state == CaseState.TERMINATED and now < len(found):
        found[now] = Stage(found[now].title, Place.STOPPED)
    return tuple(found)


def _live(db: Connection, branch_id: int, steps: Sequence[Row[Any]]) -> set[str]:
    """The keys that the script has come to and not left again."""
    query = select(_fanouts.c.key).where(
        _fanouts.c.branch_id == branch_id,
        _fanouts.c.voided.is_(False),
        _fanouts.c.ended.is_(False),
    )
    open_ = {step.key for step in steps if step.state in (StepState.OPEN, StepState.CLOSED)}
    return open_ | set(db.execute(query).scalars())


def _present(stages: Sequence[tuple[str, Sequence[str]]], live: set[str]) -> int:
    return next((n for n, (_, keys) in enumerate(stages) if live & set(keys)), 0)


def _stage(title: str, distance: int, steps: Sequence[Row[Any]]) -> Stage:
    name = translated(title)
    if distance > 0:
        return Stage(name, Place.AHEAD)
    if distance < 0:
        brought = any(step.mode == IMPORTED for step in steps)
        ends = [step.closed_at for step in steps if step.closed_at and step.mode != IMPORTED]
        on = local_day(max(ends)) if ends else None
        return Stage(name, Place.DONE, on, imported=brought and on is None)
    waits = [s for s in steps if s.state == StepState.OPEN and s.due_at is not None]
    if not waits:
        return Stage(name, Place.NOW)
    return Stage(name, Place.NOW, due_day(waits[0].due_at), waits[0].provisional)
