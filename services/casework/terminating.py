"""终止: what ending a case before its time closes, in one transaction (rules K, M).

Open branches, steps and slots are closed, what was said and nobody has read is withdrawn, and so is
every effect that nobody has begun. One that is under way ends and is recorded; the undo of what a
return took back still runs, for else the outside would keep it. What was done stands.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, select, update

from models.base import table
from models.casework import (
    BranchState,
    Case,
    CaseState,
    Effect,
    EffectState,
    Slot,
    Step,
    StepState,
    Wake,
    WakeKind,
)
from services.audit import commitment
from services.casework.branch import LockedBranch, branches, locked, select_branch
from services.casework.effects import STANDS, let_go
from services.casework.steps import WAITING, end_step
from services.command import Work
from services.posts import leading_post
from services.run_events import CASE_ENDED, tell_prefect
from services.scope import TERMINATED
from services.telling import tell_many, withdraw_of_case

_cases = table(Case)
_effects = table(Effect)
_slots = table(Slot)
_steps = table(Step)
_wakes = table(Wake)


@dataclass(frozen=True, slots=True)
class By:
    """Who terminates, on what basis, and why; ``key`` is that of the request."""

    person_id: int
    post_id: int
    appointment_id: int
    reason: str
    key: str


def terminate_case(work: Work, case_id: int, by: By) -> bool:
    """Close everything of an open case and end it; False when it was not open any more.

    All its branches are locked, the root first and then by their ids: no decision, drain or watch
    is in the middle of one, and whoever comes after finds it closed.
    """
    held = _lock_all(work, case_id)
    if not held or not _end(work, case_id, by):
        return False
    root, asked = next(iter(held.values())), _asked(work, case_id)
    root.note(
        act="terminated",
        post=by.post_id,
        appointment=by.appointment_id,
        content=commitment(by.key, by.reason, None, False),
    )
    _forget(work, case_id, list(held))
    _close_effects(work, case_id, held)
    for step in _open_steps(work, case_id):
        end_step(held[step.branch_id], step.id, StepState.CLOSED)
    for branch in held.values():
        if branch.state is BranchState.OPEN:
            branch.set(state=BranchState.VOIDED, ended_at=work.now)
            branch.note(act="stopped")
    _tell(root, asked)
    root.wake_run()
    for branch in held.values():
        branch.save()
    return True


def _lock_all(work: Work, case_id: int) -> dict[int, LockedBranch]:
    """Every branch of the case by its id, the root first; none for a case that does not exist.

    Looked for until there is no other: one is opened by its parent only, under the parent's lock,
    so that it may be there when that lock is had.
    """
    held: dict[int, LockedBranch] = {}
    of_case = select_branch().where(branches.c.case_id == case_id).order_by(branches.c.id)
    wanted = branches.c.parent_id.is_(None)
    while True:
        query = of_case.where(wanted).with_for_update(of=branches, key_share=True)
        rows = work.db.execute(query).all()
        held |= {row.branch_id: locked(work, row) for row in rows}
        if not rows:
            return held
        wanted = branches.c.id.not_in(list(held))


def _end(work: Work, case_id: int, by: By) -> bool:
    ended = work.db.execute(
        update(_cases)
        .where(_cases.c.id == case_id, _cases.c.state == CaseState.OPEN)
        .values(
            state=CaseState.TERMINATED,
            ended_at=work.now,
            ended_by=by.person_id,
            ended_as=by.post_id,
            end_reason=by.reason,
        )
    )
    return ended.rowcount == 1


def _asked(work: Work, case_id: int) -> set[int]:
    """The posts that something waits on."""
    query = (
        select(_slots.c.post_id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(_steps.c.case_id == case_id, _slots.c.state.in_(WAITING))
    )
    return set(work.db.execute(query).scalars())


def _open_steps(work: Work, case_id: int) -> Sequence[Row[Any]]:
    open_ = _steps.c.case_id == case_id, _steps.c.state == StepState.OPEN
    query = select(_steps.c.id, _steps.c.branch_id).where(*open_).order_by(_steps.c.id)
    return work.db.execute(query).all()


def _close_effects(work: Work, case_id: int, held: Mapping[int, LockedBranch]) -> None:
    """Withdraw what nobody has begun; what the operator is asked about is asked no more."""
    of_case = _effects.c.case_id == case_id
    withdrawn = work.db.execute(
        update(_effects)
        .where(of_case, _effects.c.state == EffectState.QUEUED, _effects.c.undoes.is_(None))
        .values(state=EffectState.WITHDRAWN, done_at=work.now)
        .returning(_effects.c.id, _effects.c.branch_id)
    ).all()
    for effect in sorted(withdrawn):
        held[effect.branch_id].note(act="withdrawn", effect=effect.id)
    failed = select(_effects.c.id, _effects.c.branch_id).where(
        of_case, _effects.c.state == EffectState.FAILED, _effects.c.resolution.is_(None)
    )
    for effect in work.db.execute(failed.order_by(_effects.c.id)).all():
        let_go(held[effect.branch_id], effect.id)


def _forget(work: Work, case_id: int, branch_ids: Sequence[int]) -> None:
    """Nothing is replayed or raised any more; what is struck off superiors' lists still is. That
    something could not be taken back outside stays true, and said.
    """
    left = _wakes.c.branch_id.in_(branch_ids), _wakes.c.kind != WakeKind.STRIKE
    work.db.execute(delete(_wakes).where(*left))
    withdraw_of_case(work.db, case_id, work.now, kept=STANDS)


def _tell(root: LockedBranch, asked: set[int]) -> None:
    """Whoever was asked for something, and the head of the organisation, once each."""
    work = root.work
    with suppress(LookupError):
        asked = asked | {leading_post(work.db, root.organisation_id)}
    tell_many(
        work.db,
        key=f"terminated:{root.case_id}",
        posts=asked,
        template=TERMINATED,
        context={},
        now=work.now,
        case_id=root.case_id,
    )
    ended = {"state": CaseState.TERMINATED.value}
    tell_prefect(work, CASE_ENDED, f"ended:{root.case_id}", root.case_id, ended)
