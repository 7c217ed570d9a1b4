"""Slots that come to an open step: the turns of 依次, and whom who is asked added (加签); and what
the answers make of it all."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from models.base import table
from models.casework import Decision, Slot, SlotState, Step
from policy.acts import Place
from policy.deadline import due_day
from policy.outcome import IN_TURN, Answered, outcome
from services.casework.authority import SpeaksAlready
from services.casework.branch import LockedBranch
from services.casework.gap import heirs, note_gap
from services.casework.showing import show_anew
from services.casework.steps import open_slots, tell_opened
from services.telling import tell

_decisions = table(Decision)
_slots = table(Slot)
_steps = table(Step)
_HEARD = (SlotState.OPEN, SlotState.HELD, SlotState.ANSWERED)
_SEATS = (
    select(
        *(_slots.c[name] for name in ("id", "post_id", "state", "added_to", "place", "turns")),
        _decisions.c.answer,
        _decisions.c.person_id,
    )
    .select_from(_slots.outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id))
    .where(_slots.c.step_id == bindparam("p_step"), _slots.c.state.in_(_HEARD))
    .order_by(_decisions.c.id, _slots.c.id)
)


@dataclass(frozen=True, slots=True)
class Voice:
    """The slot of a post that the script asked for, and of those that were added to it (加签)."""

    own: Row[Any]
    added: tuple[Row[Any], ...]

    @property
    def answered(self) -> Answered:
        """What they say as one; whoever is asked later has not answered."""
        to_come = [None for _ in self.own.turns or ()]
        return Answered(self.own.answer, (*(one.answer for one in self.added), *to_come))

    def waits_for(self, place: Place) -> bool:
        """Whether somebody who was added at this place is asked now."""
        return any(one.place == place and one.state == SlotState.OPEN for one in self.added)


def voices(branch: LockedBranch, step_id: int) -> list[Voice]:
    """Who is heard in a step, by when they answered. Seats that fell away (未及办理、减签) are left
    out. :class:`SpeaksAlready` where one person answered a slot and one that was added to it."""
    rows = branch.work.db.execute(_SEATS, {"p_step": step_id}).all()
    found = [
        Voice(own, tuple(one for one in rows if one.added_to == own.id))
        for own in rows
        if own.added_to is None
    ]
    for voice in found:
        people = [one.person_id for one in (voice.own, *voice.added) if one.person_id is not None]
        if len(people) > len(set(people)):
            raise SpeaksAlready
    return found


def settle(branch: LockedBranch, step_id: int, mode: str) -> str | None:
    """What the answers so far make of a step; None while it waits. Then whoever is to be heard next
    is asked: who was held for those before them (前加签), who comes after one who agreed (后加签),
    and in turn (依次) the next post once nobody else is asked."""
    heard = voices(branch, step_id)
    answers = [voice.answered for voice in heard]
    if mode != IN_TURN or any(one.spoken is None for one in answers):
        answer = outcome(mode, answers)
        moved = [_ask_next(branch, step_id, voice) for voice in heard] if answer is None else []
        return settle(branch, step_id, mode) if any(moved) else answer
    to_come = [Answered(None) for _ in _turns(branch, step_id)]
    answer = outcome(mode, [*answers, *to_come]) if answers or to_come else None
    if answer is None and not _next_turn(branch, step_id):
        return outcome(mode, answers)
    return answer


def seat(
    branch: LockedBranch,
    step_id: int,
    post_id: int,
    due_on: date,
    added_to: int | None = None,
    place: Place | None = None,
) -> bool:
    """One more slot of an open step, whose post is told; False when that is asked already."""
    db = branch.work.db
    wanted = heirs(db, [post_id]).get(post_id, post_id)
    places = select(_slots.c.post_id, _slots.c.position).where(_slots.c.step_id == step_id)
    there = {row.post_id: row.position for row in db.execute(places)}
    if wanted in there:
        return False
    told = tell_opened(branch, step_id, "opened", (wanted,), due_on)
    (slot_id,) = open_slots(
        branch, step_id, (wanted,), max(there.values()) + 1, added_to=added_to, place=place
    )
    branch.note(act="seated", step=step_id, slot=slot_id, post=wanted)
    show_anew(branch)
    if wanted not in told:
        note_gap(branch, step_id, wanted)
    return True


def hold(branch: LockedBranch, slot_id: int) -> None:
    """Whoever was added before an open slot is heard first."""
    held = update(_slots).where(_slots.c.id == slot_id).values(state=SlotState.HELD)
    branch.work.db.execute(held)
    branch.note(act="held", slot=slot_id)


def due_on(branch: LockedBranch, step_id: int) -> date:
    """The last day of a step."""
    due_at = select(_steps.c.due_at).where(_steps.c.id == step_id)
    return due_day(branch.work.db.execute(due_at).scalar_one())


def _ask_next(branch: LockedBranch, step_id: int, voice: Voice) -> bool:
    """Whether anything changed by it, also if nobody new was asked."""
    own, turns = voice.own, list(voice.own.turns or ())
    if own.state == SlotState.HELD and not voice.waits_for(Place.BEFORE):
        _resume(branch, step_id, own)
        return True
    if own.state != SlotState.ANSWERED or voice.waits_for(Place.AFTER) or not turns:
        return False
    _ask_first(branch, step_id, turns, own.id, Place.AFTER)
    branch.work.db.execute(update(_slots).where(_slots.c.id == own.id).values(turns=turns))
    return True


def _resume(branch: LockedBranch, step_id: int, slot: Row[Any]) -> None:
    """It comes back to who was held. An abolished post is followed after the commit."""
    work = branch.work
    opened = update(_slots).where(_slots.c.id == slot.id).values(state=SlotState.OPEN)
    work.db.execute(opened)
    branch.note(act="resumed", slot=slot.id)
    show_anew(branch)
    told = tell(
        work.db,
        key=f"resumed:{slot.id}:{work.command_id}",
        post_id=slot.post_id,
        template="resumed",
        context={"due_on": due_on(branch, step_id).isoformat()},
        now=work.now,
        case_id=branch.case_id,
        step_id=step_id,
    )
    if told:
        return
    if heirs(work.db, [slot.post_id]):
        work.after_commit(work.env.nudge)
    else:
        note_gap(branch, step_id, slot.post_id)


def _turns(branch: LockedBranch, step_id: int) -> list[int]:
    turns = select(_steps.c.turns).where(_steps.c.id == step_id)
    return list(branch.work.db.execute(turns).scalar_one() or ())


def _next_turn(branch: LockedBranch, step_id: int) -> bool:
    """Ask the next post; False when none is left."""
    turns = _turns(branch, step_id)
    seated = _ask_first(branch, step_id, turns)
    branch.work.db.execute(update(_steps).where(_steps.c.id == step_id).values(turns=turns))
    return seated


def _ask_first(
    branch: LockedBranch,
    step_id: int,
    turns: list[int],
    added_to: int | None = None,
    place: Place | None = None,
) -> bool:
    """Ask the first of these and take it off them; False when none is left. One that is asked in
    the step already, by 转办 or since two posts became one, has been heard."""
    by = due_on(branch, step_id)
    while turns:
        if seat(branch, step_id, turns.pop(0), by, added_to, place):
            return True
    return False
