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
from services.casework.anew import ask_anew
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
            *(_slots.c[name] for name in ("post_id", "step_id", "added_to")),
            *(_steps.c[name] for name in ("key", "mode", "origin", "due_at", "round")),
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(_slots.c.id == slot_id, _slots.c.state == SlotState.OPEN)
    ).first()
    if slot is None or slot.post_id == to:
        return False
    take_back(branch, slot.step_id, slot.post_id)
    if _asked_already(branch, slot, to):
        _drop_seat(branch, slot, to)
    else:
        _seat(branch, slot, to)
    show_anew(branch)
    return True


def take_back(branch: LockedBranch, step_id: int, post_id: int) -> None:
    """What a post was told of the step stands no longer."""
    said = _messages.c.step_id == step_id, _messages.c.post_id == post_id
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
    if _inherited(branch, slot, to):
        conclude(branch, slot.step_id)
    else:
        ask_anew(branch, slot.step_id, {slot.post_id: to})


def conclude(branch: LockedBranch, step_id: int) -> None:
    """A slot fell away: what the others said may settle the step, or somebody else is asked."""
    mode = branch.work.db.execute(select(_steps.c.mode).where(_steps.c.id == step_id))
    answer = settle(branch, step_id, mode.scalar_one())
    if answer is not None:
        end_step(branch, step_id, StepState.DECIDED, answer)
        advance(branch)


def _inherited(branch: LockedBranch, slot: Row[Any], to: int) -> bool:
    """Whether those whom the dropped seat added (加签) go to the seat of the post it became one
    with; not where that one was heard as one of them only, or is heard no more (减签): what the
    dropped one was asked is unsaid then."""
    if slot.added_to is not None:
        return True
    db, of_step = branch.work.db, _slots.c.step_id == slot.step_id
    heir = db.execute(select(_slots).where(of_step, _slots.c.post_id == to)).one()
    own = heir.id
    if heir.state == SlotState.REMOVED:
        return False
    if heir.added_to == slot.id:
        if heir.state != SlotState.OPEN:
            return False
        alone = {"added_to": None, "place": None}
        db.execute(update(_slots).where(_slots.c.id == heir.id).values(alone))
    elif heir.added_to is not None:
        own = heir.added_to
    theirs = update(_slots).where(_slots.c.added_to == slot.id)
    db.execute(theirs.values(added_to=own))
    to_come = select(_slots.c.turns).where(_slots.c.id.in_((slot.id, own)))
    turns = [post for found in db.execute(to_come).scalars() for post in found or ()]
    db.execute(update(_slots).where(_slots.c.id == own).values(turns=turns))
    return True
