"""暂停 / 恢复 under the locks of a branch and all below it (rule K): whose clocks stand.

A branch stands by the first pause that took hold of it, its own or one from above. While it
stands no rung fires and nobody is told that something is late; who is asked may decide all the
same, for late work is always accepted, and what is opened meanwhile stands from its opening.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from models.base import table
from models.casework import BranchState, Rung, Step, StepState
from models.message import Message
from models.pause import Pause
from policy.calendar import Calendar, instant_on, local_day
from policy.deadline import due_day
from policy.ladder import OFFICE_OPENS, next_rung
from policy.pause import PauseKind
from services import calendar
from services.audit import commitment
from services.casework.branch import LockedBranch, branches, locked, select_branch
from services.casework.showing import show_anew
from services.casework.standstill import move_by_pause
from services.casework.steps import relieve
from services.command import Work
from services.policy import frozen

_LATENESS = ("remind", "due", "urged")
"""What tells the owner of a step that it is late, or will be."""
_messages = table(Message)
_pauses = table(Pause)
_rungs = table(Rung)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class By:
    """Who pauses or resumes, on what basis, and why; ``key`` is that of the request."""

    person_id: int
    post_id: int
    appointment_id: int
    reason: str
    key: str


def lock_tree(work: Work, branch_id: int) -> dict[int, LockedBranch]:
    """A branch and all below it by their ids, the upper ones first; nothing is opened below it
    meanwhile, for that needs the parent's lock."""
    held: dict[int, LockedBranch] = {}
    wanted = branches.c.id == branch_id
    while True:
        query = select_branch().where(wanted).order_by(branches.c.id)
        rows = work.db.execute(query.with_for_update(of=branches, key_share=True)).all()
        held |= {row.branch_id: locked(work, row) for row in rows}
        if not rows:
            return held
        wanted = branches.c.parent_id.in_([row.branch_id for row in rows])


def pause_tree(
    tree: Mapping[int, LockedBranch], kind: PauseKind, review_on: date, by: By
) -> int | None:
    """Pause the first branch of a locked tree with all below it; the id of the pause, None where
    it stands already or has ended."""
    top = next(iter(tree.values()))
    if top.paused_by is not None or top.state is not BranchState.OPEN:
        return None
    work = top.work
    values = {
        "case_id": top.case_id,
        "branch_id": top.id,
        "kind": kind,
        "reason": by.reason,
        "review_on": review_on,
        "person_id": by.person_id,
        "post_id": by.post_id,
        "appointment_id": by.appointment_id,
        "at": work.now,
        "end_reason": "",
    }
    pause_id = int(work.db.execute(insert(_pauses).returning(_pauses.c.id), values).scalar_one())
    top.note(
        act="paused",
        pause=pause_id,
        kind=kind.value,
        review=review_on,
        post=by.post_id,
        appointment=by.appointment_id,
        content=commitment(by.key, by.reason, None, False),
    )
    for branch in tree.values():
        if branch.state is BranchState.OPEN and branch.paused_by is None:
            branch.set(paused_by=pause_id)
            _stop(branch)
    show_anew(top)
    return pause_id


def resume_tree(tree: Mapping[int, LockedBranch], by: By) -> int | None:
    """End the pause of the first branch of a locked tree; its id, None where that has none.

    What another pause from above holds stands on, and so does what is paused below on its own.
    """
    top = next(iter(tree.values()))
    pause_id = _end_pause(top, by)
    if pause_id is None:
        return None
    above = top.work.db.execute(
        select(branches.c.paused_by).where(branches.c.id == top.parent_id)
    ).scalar()
    own = _own(top.work, tree)
    for branch in tree.values():
        if branch.paused_by == pause_id:
            parent = tree.get(branch.parent_id or 0)
            upper = above if branch is top else parent.paused_by if parent else None
            still = own.get(branch.id) or upper
            branch.set(paused_by=still)
            if still is None:
                _go_on(branch, pause_id)
    show_anew(top)
    return pause_id


def _end_pause(top: LockedBranch, by: By) -> int | None:
    """End the live pause of a locked branch, nothing more; its id."""
    work = top.work
    live = _pauses.c.branch_id == top.id, _pauses.c.ended_at.is_(None)
    ended = {
        "ended_at": work.now,
        "ended_by": by.person_id,
        "ended_as": by.post_id,
        "end_reason": by.reason,
    }
    query = update(_pauses).where(*live).values(ended).returning(_pauses.c.id)
    pause_id = work.db.execute(query).scalar()
    if pause_id is None:
        return None
    top.note(
        act="pause_ended",
        pause=pause_id,
        post=by.post_id,
        appointment=by.appointment_id,
        content=commitment(by.key, by.reason, None, False),
    )
    return int(pause_id)


def _own(work: Work, tree: Mapping[int, LockedBranch]) -> dict[int, int]:
    live = _pauses.c.branch_id.in_(list(tree)), _pauses.c.ended_at.is_(None)
    rows = work.db.execute(select(_pauses.c.branch_id, _pauses.c.id).where(*live))
    return {row.branch_id: row.id for row in rows}


def _open_steps(branch: LockedBranch) -> Sequence[int]:
    here = _steps.c.branch_id == branch.id, _steps.c.state == StepState.OPEN
    query = select(_steps.c.id).where(*here).order_by(_steps.c.id)
    return branch.work.db.execute(query).scalars().all()


def _stop(branch: LockedBranch) -> None:
    """Stop the clocks: superiors who were asked are relieved, what was not sent is withdrawn."""
    work, steps = branch.work, _open_steps(branch)
    if not steps:
        return
    work.db.execute(
        update(_steps).where(_steps.c.id.in_(steps)).values(paused_at=work.now, next_rung_at=None)
    )
    relieve(branch, _rungs.c.step_id.in_(steps))
    said = _messages.c.step_id.in_(steps), _messages.c.template.in_(_LATENESS)
    work.db.execute(
        update(_messages)
        .where(*said, _messages.c.withdrawn_at.is_(None))
        .values(withdrawn_at=work.now, send_after=None)
    )
    branch.note(act="stands", steps=list(steps))


def _go_on(branch: LockedBranch, pause_id: int) -> None:
    """Each deadline moves by what stood, as a new version of it, and its ladder starts anew."""
    for step_id in _open_steps(branch):
        row = move_by_pause(branch, step_id, pause_id)
        again = None if row is None else _look_again(branch, row)
        changed = update(_steps).where(_steps.c.id == step_id)
        branch.work.db.execute(changed.values(paused_at=None, next_rung_at=again))


def _look_again(branch: LockedBranch, step: Any) -> datetime | None:
    """The next rung, but none before the next working morning: no storm after a pause (trap 7)."""
    work = branch.work
    ladder = frozen(work.db, branch.policy_id).ladder_for(step.ladder, step.due_key)
    if ladder is None:
        return None
    days = calendar.version(work.db, branch.calendar_id)
    found = next_rung(ladder, due_day(step.due_at), days, 0, step.opened_at)
    return max(found[1], _next_morning(work.now, days)) if found else None


def _next_morning(now: datetime, days: Calendar) -> datetime:
    return instant_on(days.working_on_or_after(local_day(now) + timedelta(days=1)), OFFICE_OPENS)
