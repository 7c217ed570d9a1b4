"""Ending a case before its time (终止, rule M): who may, what it would close, and the command.

Nobody ends their own, by whichever of their posts: it is for the office that opens such cases for
the unit (inspection or Party office, where it is not the unit's own), and for the unit's superiors
in line (CK-8). A discipline organ supervises and commands none but its own line. Four eyes are not
asked for, a reason is. Prefect's operators stop runs, never cases.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from models.base import table
from models.casework import (
    Branch,
    BranchState,
    CaseState,
    Effect,
    EffectState,
    Slot,
    SlotState,
    Step,
    StepState,
)
from services.casework.over import already
from services.casework.terminating import By, terminate_case
from services.command import Actor, Work, execute
from services.commanding import case_of, commands, seen_case
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.posts import appointment_of
from services.sanitising import check_text
from services.scope import HeldPost, Standing, standing

LONGEST = 500
"""Characters of a reason."""
_branches = table(Branch)
_effects = table(Effect)
_slots = table(Slot)
_steps = table(Step)


class MayNotTerminate(NotAuthorised):
    """只有为该单位服务的上级巡察办、党委办负责人和该单位的上级领导可以终止。"""


@dataclass(frozen=True, slots=True)
class Closing:
    """What terminating a case would close now. ``held``: the post by which the person may."""

    number: str
    mechanism: str
    unit: str
    held: HeldPost
    steps: int
    posts: int
    branches: int
    queued: int
    """Effects that would be withdrawn."""
    under_way: int
    """Effects that have begun: they end, and what they came to is recorded."""


def terminate(env: Env, actor: Actor, *, case_id: int, reason: str, key: str) -> None:
    """End a case with a reason, as who may; everything open in it is closed.

    Errors: NotFound (missing, or not to be seen), :class:`MayNotTerminate`, Invalid for a reason
    that is missing, too long or must not be stored, AlreadyDecided (with who and when) for a case
    that has ended, KeyReused, Busy.
    """
    given = reason.strip()

    def act(work: Work) -> dict[str, Any]:
        return _terminate(work, case_id, given, key)

    execute(env, actor, "case.terminate", key, {"case": case_id, "reason": given}, act)


def closing(db: Connection, who: Standing, case_id: int) -> Closing:
    """What the person would close. NotFound, :class:`MayNotTerminate`, or AlreadyDecided."""
    case = seen_case(db, who, case_id)
    held = _may(db, who, case)
    if case.state != CaseState.OPEN:
        raise already(db, case_id, "这一事项已经办结。")
    waiting = _steps.c.case_id == case_id, _slots.c.state == SlotState.OPEN
    posts = select(func.count(_slots.c.post_id.distinct())).join(
        _steps, _steps.c.id == _slots.c.step_id
    )
    of_case = _effects.c.case_id == case_id
    return Closing(
        number=case.number,
        mechanism=case.mechanism,
        unit=case.short_name,
        held=held,
        steps=_count(db, _steps, _steps.c.case_id == case_id, _steps.c.state == StepState.OPEN),
        posts=int(db.execute(posts.where(*waiting)).scalar_one()),
        branches=_count(
            db,
            _branches,
            _branches.c.case_id == case_id,
            _branches.c.state == BranchState.OPEN,
            _branches.c.parent_id.is_not(None),
        ),
        queued=_count(
            db,
            _effects,
            of_case,
            _effects.c.state == EffectState.QUEUED,
            _effects.c.undoes.is_(None),
        ),
        under_way=_count(db, _effects, of_case, _effects.c.state == EffectState.CLAIMED),
    )


def may_terminate(db: Connection, who: Standing, case_id: int) -> bool:
    """Whether this person may end this case, if it is open."""
    case = case_of(db, case_id)
    if case is None or case.state != CaseState.OPEN:
        return False
    return commands(db, who, case) is not None


def _terminate(work: Work, case_id: int, reason: str, key: str) -> dict[str, Any]:
    person_id = work.actor.person_id
    if person_id is None:
        raise NotAuthorised  # the system ends no case of people
    who = standing(work.db, person_id, work.today)
    held = _may(work.db, who, seen_case(work.db, who, case_id))
    _check(reason)
    work.confirmed |= check_text(work.actor, "case.terminate", "reason", reason)
    appointment = appointment_of(work.db, held.id, person_id, work.today)
    by = By(person_id, held.id, appointment, reason, key)
    if not terminate_case(work, case_id, by):
        raise already(work.db, case_id, "这一事项已经办结。")
    return {"case": case_id}


def _check(reason: str) -> None:
    if not reason:
        raise Invalid("请写明终止的原因。", field="reason")
    if len(reason) > LONGEST:
        raise Invalid(f"原因最长 {LONGEST} 个字。", field="reason")


def _may(db: Connection, who: Standing, case: Row[Any]) -> HeldPost:
    held = commands(db, who, case)
    if held is None:
        raise MayNotTerminate
    return held


def _count(db: Connection, rows: Any, *conditions: Any) -> int:
    query = select(func.count()).select_from(rows).where(*conditions)
    return int(db.execute(query).scalar_one())
