"""加签、减签: a post that is asked beside who the script asked, and is asked no more.

Whoever was added hangs on the slot of who added them and speaks with it as one voice
(``policy.outcome``), so that every mode keeps what it means: of 会签 and 依次 the added one is one
more who must agree; of 或签 the others may still settle it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select, update

from models.base import table
from models.casework import Rung, Slot, SlotState, Step, StepState
from policy.acts import Place
from services.casework.branch import LockedBranch
from services.casework.rerouting import conclude, take_back
from services.casework.seats import due_on, hold, seat
from services.casework.showing import show_anew
from services.casework.steps import relieve

_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)
_STANDS = (SlotState.OPEN, SlotState.HELD, SlotState.ANSWERED)


@dataclass(frozen=True, slots=True)
class Added:
    """Who was added to whom in a step, by posts: its slots are others when it is asked anew."""

    to_post_id: int
    post_id: int
    place: Place


def add(branch: LockedBranch, step_id: int, slot_id: int, post_id: int, place: Place) -> None:
    """Ask one more post in an open step of a locked branch; nothing of its dates changes. Whether
    it may be asked is the caller's to know."""
    db = branch.work.db
    alone = update(_steps).where(_steps.c.id == step_id, _steps.c.mode == "one")
    db.execute(alone.values(mode="all"))  # of which one slot is a case
    if place is Place.AFTER:
        _change_turns(branch, slot_id, [*_turns(db, slot_id), post_id])
        show_anew(branch)
        return
    seated = seat(branch, step_id, post_id, due_on(branch, step_id), slot_id, place)
    if seated and place is Place.BEFORE:
        hold(branch, slot_id)


def take_away(branch: LockedBranch, step_id: int, slot_id: int, post_id: int) -> None:
    """Ask a post no more that was added to a slot and has not answered; what the others said may
    settle the step."""
    db = branch.work.db
    turns = _turns(db, slot_id)
    if post_id in turns:
        _change_turns(branch, slot_id, [post for post in turns if post != post_id])
    else:
        mine = _slots.c.added_to == slot_id, _slots.c.post_id == post_id
        gone = update(_slots).where(*mine, _slots.c.state == SlotState.OPEN)
        values = {"state": SlotState.REMOVED, "closed_at": branch.work.now}
        added = db.execute(gone.values(values).returning(_slots.c.id)).scalar_one()
        branch.note(act="removed", slot=added, step=step_id, post=post_id)
        take_back(branch, step_id, post_id)
        relieve(branch, _rungs.c.slot_id == added)
    show_anew(branch)
    conclude(branch, step_id)


def added_in(db: Connection, step_id: int) -> tuple[Added, ...]:
    """Whom those who are asked in a step added, in the order in which it was done."""
    rows = db.execute(select(_slots).where(_slots.c.step_id == step_id).order_by(_slots.c.id)).all()
    post_of = {row.id: row.post_id for row in rows}
    seated = [
        Added(post_of[row.added_to], row.post_id, row.place)
        for row in rows
        if row.added_to is not None and row.state in _STANDS
    ]
    return (*seated, *(one for row in rows for one in _to_come(row)))


def add_anew(branch: LockedBranch, key: str, added: Sequence[Added]) -> None:
    """Add them once more to the step of this key that was opened anew (撤回), if it was."""
    if not added:
        return
    asked = (
        select(_slots.c.id, _slots.c.post_id, _slots.c.step_id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(
            _steps.c.branch_id == branch.id,
            _steps.c.key == key,
            _steps.c.state == StepState.OPEN,
            _slots.c.state == SlotState.OPEN,
        )
    )
    slot_of = {row.post_id: row for row in branch.work.db.execute(asked)}
    for one in added:
        own = slot_of.get(one.to_post_id)
        if own is not None:
            add(branch, own.step_id, own.id, one.post_id, one.place)


def _to_come(row: Row[tuple[object, ...]]) -> list[Added]:
    return [Added(row.post_id, post_id, Place.AFTER) for post_id in row.turns or ()]


def _turns(db: Connection, slot_id: int) -> list[int]:
    turns = select(_slots.c.turns).where(_slots.c.id == slot_id)
    return list(db.execute(turns).scalar_one() or ())


def _change_turns(branch: LockedBranch, slot_id: int, turns: list[int]) -> None:
    changed = update(_slots).where(_slots.c.id == slot_id).values(turns=turns)
    branch.work.db.execute(changed)
