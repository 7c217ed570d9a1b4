"""Slots that come to an open step: the turns of 依次; and what the answers make of it all."""

from datetime import date

from sqlalchemy import bindparam, select, update

from models.base import table
from models.casework import Decision, Slot, SlotState, Step
from policy.deadline import due_day
from policy.outcome import IN_TURN, Answered, outcome
from services.casework.branch import LockedBranch
from services.casework.gap import heirs, note_gap
from services.casework.showing import show_anew
from services.casework.steps import open_slots, tell_opened

_decisions = table(Decision)
_slots = table(Slot)
_steps = table(Step)
_ANSWERS = (
    select(_decisions.c.answer)
    .select_from(_slots.outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id))
    .where(
        _slots.c.step_id == bindparam("p_step"),
        _slots.c.state.in_((SlotState.OPEN, SlotState.ANSWERED)),
    )
    .order_by(_decisions.c.id)
)


def settle(branch: LockedBranch, step_id: int, mode: str) -> str | None:
    """What the answers so far make of a step; None while it waits. Seats that fell away (未及办理)
    count for nothing. In turn (依次), whoever comes next is asked once nobody else is."""
    given = list(branch.work.db.execute(_ANSWERS, {"p_step": step_id}).scalars())
    answers = [Answered(answer) for answer in given]
    if mode != IN_TURN or None in given:
        return outcome(mode, answers)
    to_come = [Answered(None) for _ in _turns(branch, step_id)]
    answer = outcome(mode, [*answers, *to_come]) if answers or to_come else None
    if answer is None and not _next_turn(branch, step_id):
        return outcome(mode, answers)
    return answer


def seat(branch: LockedBranch, step_id: int, post_id: int, due_on: date) -> bool:
    """One more slot of an open step, whose post is told; False when that is asked already."""
    db = branch.work.db
    wanted = heirs(db, [post_id]).get(post_id, post_id)
    places = select(_slots.c.post_id, _slots.c.position).where(_slots.c.step_id == step_id)
    there = {row.post_id: row.position for row in db.execute(places)}
    if wanted in there:
        return False
    told = tell_opened(branch, step_id, "opened", (wanted,), due_on)
    (slot_id,) = open_slots(branch, step_id, (wanted,), max(there.values()) + 1)
    branch.note(act="seated", step=step_id, slot=slot_id, post=wanted)
    show_anew(branch)
    if wanted not in told:
        note_gap(branch, step_id, wanted)
    return True


def _turns(branch: LockedBranch, step_id: int) -> list[int]:
    turns = select(_steps.c.turns).where(_steps.c.id == step_id)
    return list(branch.work.db.execute(turns).scalar_one() or ())


def _next_turn(branch: LockedBranch, step_id: int) -> bool:
    """Ask the next post; False when none is left. One that is asked in the step already, by 转办 or
    since two posts became one, has been heard."""
    db, turns, seated = branch.work.db, _turns(branch, step_id), False
    due_at = db.execute(select(_steps.c.due_at).where(_steps.c.id == step_id)).scalar_one()
    while turns and not seated:
        seated = seat(branch, step_id, turns.pop(0), due_day(due_at))
    db.execute(update(_steps).where(_steps.c.id == step_id).values(turns=turns))
    return seated
