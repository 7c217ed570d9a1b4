"""减签: whoever was added and has not answered is asked no more; by who added them or above.

Only what was added goes: whom the script asked stays asked. What the others said then counts as if
nobody had been added, and may settle the step. Nobody takes away themselves: whoever was added says
what they think, or passes it on.
"""

from sqlalchemy import select

from models.base import table
from models.casework import Origin, Slot, SlotState, StepState
from services.acts.about import About
from services.acts.parts import Acting, Field, Kind
from services.casework.added import take_away
from services.casework.over import already
from services.errors import AlreadyDecided
from services.post_names import names_of

_slots = table(Slot)
POST = "post"


def _undecided(this: About) -> list[int]:
    """The posts that were added to this slot and have not answered, without those of who acts."""
    slot = this.slot
    if slot.step_state != StepState.OPEN or slot.origin != Origin.SCRIPT:
        return []
    asked = select(_slots.c.post_id).where(
        _slots.c.added_to == slot.slot_id, _slots.c.state == SlotState.OPEN
    )
    found = [*this.db.execute(asked.order_by(_slots.c.id)).scalars(), *(slot.turns or ())]
    return [post_id for post_id in found if post_id not in this.who.post_ids]


def _fields(this: About) -> tuple[Field, ...]:
    posts = _undecided(this)
    names = names_of(this.db, posts)
    return (Field(POST, "choice", tuple((str(post_id), names[post_id]) for post_id in posts)),)


def _too_late(this: About) -> AlreadyDecided:
    said = "这一项没有可以减去的加签：没有加签，或者加签人已经办理。"
    return already(this.db, this.slot.case_id, said)


def _carry(acting: Acting) -> None:
    slot = acting.about.slot
    take_away(acting.branch, slot.step_id, slot.slot_id, int(acting.given[POST]))


REMOVE_APPROVER = Kind(_fields, _carry, lambda this: bool(_undecided(this)), _too_late)
