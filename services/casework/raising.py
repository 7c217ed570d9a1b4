"""Rungs in their root branch (rule N, phase 2): one list step for each post, kind and day.

Raising only asks: the owner stays who they were, and what a superior answers here is urging,
signing a draft, or a direction for people. Nothing decides about a person.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update

from models.base import table
from models.casework import DutyMember, Origin, Rung, Slot, SlotState, Step, StepState
from policy.calendar import local_day
from policy.deadline import due_day
from policy.ladder import LETTERS, RungKind
from services.casework.branch import LockedBranch
from services.casework.steps import Asked, end_step, open_step
from services.command import Work
from services.telling import revise, tell, tell_many

DUE = "ladder.duty"
URGE = ("urged",)
SIGN = ("issued", "not_issued")
DELIBERATE = ("continue", "extend", "reassign", "criticise", "propose_accountability")
_URGING = {"urged", "issued", "continue"}
"""Answers after which the owners are told that they were urged."""
_members = table(DutyMember)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class _Duty:
    """One list step: what kind of rung, for which post, of which day."""

    kind: RungKind
    post_id: int
    day: date

    @property
    def key(self) -> str:
        return f"rung:{self.kind.value}:{self.post_id}:{self.day.isoformat()}"

    @property
    def answers(self) -> tuple[str, ...]:
        if self.kind in LETTERS:
            return SIGN
        return DELIBERATE if self.kind is RungKind.DELIBERATE else URGE

    @property
    def template(self) -> str:
        return list_template(self.key)


def raise_in_root(work: Work, branch: LockedBranch, rung_ids: Collection[int]) -> None:
    """Put fired rungs on the list step of their post and day, opening it where there is none.

    A rung whose slot was settled meanwhile, whose deadline moved, or which is on a list already
    is left out. The caller holds the root branch and saves it.
    """
    lists: dict[_Duty, list[int]] = defaultdict(list)
    for row in work.db.execute(_still_late(rung_ids)):
        lists[_Duty(RungKind(row.kind), row.post_id, local_day(row.at))].append(row.id)
    for duty, members in lists.items():
        _add(work, branch, duty, members)


def strike_in_root(work: Work, branch: LockedBranch, rung_ids: Collection[int]) -> None:
    """Strike members that were settled in their own branches; a list ends with its last one."""
    struck = work.db.execute(
        update(_members)
        .where(_members.c.rung_id.in_(sorted(rung_ids)), _members.c.struck_at.is_(None))
        .values(struck_at=work.now)
        .returning(_members.c.step_id, _members.c.rung_id)
    )
    lists: dict[int, list[int]] = defaultdict(list)
    for row in struck:
        lists[row.step_id].append(row.rung_id)
    for step_id in sorted(lists):
        branch.note(act="struck", step=step_id, rungs=sorted(lists[step_id]))
        context = list_context(work, step_id)
        if context["count"]:
            revise(work.db, step_id, context)
        else:
            end_step(branch, step_id, StepState.CLOSED)


def after_duty(work: Work, branch: LockedBranch, step_id: int, answer: str) -> None:
    """After a superior decided a list step: tell its owners that they were urged, once a post."""
    if answer not in _URGING:
        return
    owners: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in work.db.execute(_waiting(step_id)):
        owners[row.post_id].append(row)
    for post_id in sorted(owners):
        _urge(work, branch, step_id, post_id, owners[post_id])


def _urge(
    work: Work, branch: LockedBranch, step_id: int, post_id: int, late: Sequence[Row[Any]]
) -> None:
    earliest = min(late, key=lambda row: (row.due_at, row.step_id))
    tell_many(
        work.db,
        key=f"urged:{step_id}:{post_id}",
        posts=(post_id,),
        template="urged",
        context={"count": len(late), "due_on": due_day(earliest.due_at).isoformat()},
        now=work.now,
        case_id=branch.case_id,
        step_id=earliest.step_id,
    )


def _add(work: Work, branch: LockedBranch, duty: _Duty, members: Sequence[int]) -> None:
    step_id, opened = _list_step(work, branch, duty)
    work.db.execute(
        insert(_members), [{"step_id": step_id, "rung_id": rung_id} for rung_id in members]
    )
    branch.note(act="raised", step=step_id, rungs=list(members), post=duty.post_id)
    context = list_context(work, step_id)
    if not opened:
        revise(work.db, step_id, context)
        return
    tell(
        work.db,
        key=f"raised:{step_id}",
        post_id=duty.post_id,
        template=duty.template,
        context=context,
        now=work.now,
        case_id=branch.case_id,
        step_id=step_id,
    )


def _list_step(work: Work, branch: LockedBranch, duty: _Duty) -> tuple[int, bool]:
    """The open list step of a duty and whether it was opened now; an answered one is not reused."""
    last = work.db.execute(
        select(_steps.c.id, _steps.c.round, _steps.c.state)
        .where(_steps.c.branch_id == branch.id, _steps.c.key == duty.key)
        .order_by(_steps.c.round.desc())
        .limit(1)
    ).first()
    if last is not None and last.state == StepState.OPEN:
        return int(last.id), False
    asked = Asked(duty.answers, DUE, origin=Origin.RUNG)
    round_ = last.round + 1 if last else 1
    return open_step(branch, duty.key, round_, (duty.post_id,), asked), True


def list_template(key: str) -> str:
    """What the post of a list step is told by, from the step's key (``rung:<kind>:…``)."""
    kind = RungKind(key.split(":")[1])
    return "deliberate" if kind is RungKind.DELIBERATE else "raised"


def list_context(work: Work, step_id: int) -> dict[str, Any]:
    """What a list step is about now: how many are late, and the post if they are all of one."""
    late = work.db.execute(
        select(_slots.c.post_id, func.count())
        .select_from(_members)
        .join(_rungs, _rungs.c.id == _members.c.rung_id)
        .join(_slots, _slots.c.id == _rungs.c.slot_id)
        .where(_members.c.step_id == step_id, _members.c.struck_at.is_(None))
        .group_by(_slots.c.post_id)
    ).all()
    context: dict[str, Any] = {"count": sum(count for _, count in late)}
    return context | {"post_id": late[0].post_id} if len(late) == 1 else context


def _still_late(rung_ids: Collection[int]) -> Select[Any]:
    return (
        select(_rungs.c.id, _rungs.c.kind, _rungs.c.post_id, _rungs.c.at)
        .join(_slots, _slots.c.id == _rungs.c.slot_id)
        .join(_steps, _steps.c.id == _rungs.c.step_id)
        .outerjoin(_members, _members.c.rung_id == _rungs.c.id)
        .where(
            _rungs.c.id.in_(sorted(rung_ids)),
            _rungs.c.post_id.is_not(None),
            _rungs.c.deadline_version == _steps.c.deadline_version,
            _slots.c.state == SlotState.OPEN,
            _steps.c.paused_at.is_(None),
            _members.c.id.is_(None),
        )
        .order_by(_rungs.c.id)
    )


def _waiting(step_id: int) -> Select[Any]:
    """The slots on a list that still wait, with their steps."""
    return (
        select(_slots.c.post_id, _slots.c.step_id, _steps.c.due_at)
        .select_from(_members)
        .join(_rungs, _rungs.c.id == _members.c.rung_id)
        .join(_slots, _slots.c.id == _rungs.c.slot_id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(
            _members.c.step_id == step_id,
            _members.c.struck_at.is_(None),
            _slots.c.state == SlotState.OPEN,
        )
    )
