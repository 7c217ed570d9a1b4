"""Another post for an open slot (改派): the deadline stays, the ladder goes on, who is asked hears.

Answered slots stand (rule A). A post that is asked in the step already gets no second seat.
"""

from datetime import date
from typing import Any

from sqlalchemy import Row, select, update

from models.base import table
from models.casework import Origin, Slot, SlotState, Step, StepState
from models.message import Message
from policy.deadline import due_day
from services.casework.branch import LockedBranch
from services.casework.gap import note_gap
from services.casework.raising import list_context, list_template
from services.casework.replay import advance
from services.casework.seats import settle
from services.casework.showing import show_anew
from services.casework.steps import end_step
from services.telling import tell

_messages = table(Message)
_slots = table(Slot)
_steps = table(Step)


def reroute(branch: LockedBranch, slot_id: int, to: int) -> bool:
    """Ask another post for an open slot of a locked branch; False when it waits no more, or is
    that post's already."""
    slot = branch.work.db.execute(
        select(
            _slots.c.id,
            _slots.c.post_id,
            _slots.c.step_id,
            *(_steps.c[name] for name in ("key", "mode", "origin", "due_at", "round")),
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(_slots.c.id == slot_id, _slots.c.state == SlotState.OPEN)
    ).first()
    if slot is None or slot.post_id == to:
        return False
    _take_back(branch, slot)
    if _asked_already(branch, slot, to):
        _drop_seat(branch, slot, to)
    else:
        _seat(branch, slot, to)
    show_anew(branch)
    return True


def _take_back(branch: LockedBranch, slot: Row[Any]) -> None:
    """What the former post was told of the step stands no longer."""
    said = _messages.c.step_id == slot.step_id, _messages.c.post_id == slot.post_id
    branch.work.db.execute(
        update(_messages)
        .where(*said, _messages.c.withdrawn_at.is_(None))
        .values(withdrawn_at=branch.work.now, send_after=None)
    )


def _asked_already(branch: LockedBranch, slot: Row[Any], to: int) -> bool:
    mine = _slots.c.step_id == slot.step_id, _slots.c.post_id == to
    return branch.work.db.execute(select(_slots.c.id).where(*mine)).first() is not None


def _seat(branch: LockedBranch, slot: Row[Any], to: int) -> None:
    work = branch.work
    work.db.execute(update(_slots).where(_slots.c.id == slot.id).values(post_id=to))
    branch.note(act="rerouted", slot=slot.id, step=slot.step_id, former=slot.post_id, post=to)
    due_on: date = due_day(slot.due_at)
    raised = slot.origin == Origin.RUNG
    told = tell(
        work.db,
        key=f"opened:{slot.step_id}:{to}:{work.command_id}",  # also who had it before
        post_id=to,
        template=list_template(slot.key) if raised else "opened",
        context=list_context(work, slot.step_id) if raised else {"due_on": due_on.isoformat()},
        now=work.now,
        case_id=branch.case_id,
        step_id=slot.step_id,
    )
    if not told:
        note_gap(branch, slot.step_id, to)


def _drop_seat(branch: LockedBranch, slot: Row[Any], to: int) -> None:
    """Two posts became one: its answer is that of both, and may settle the step."""
    branch.work.db.execute(
        update(_slots)
        .where(_slots.c.id == slot.id)
        .values(state=SlotState.UNREACHED, closed_at=branch.work.now)
    )
    branch.note(act="unseated", slot=slot.id, step=slot.step_id, former=slot.post_id, post=to)
    answer = settle(branch, slot.step_id, slot.mode)
    if answer is not None:
        end_step(branch, slot.step_id, StepState.DECIDED, answer)
        advance(branch)
