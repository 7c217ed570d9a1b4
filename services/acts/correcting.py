"""更正: who decided says after others went on what was wrong in it; the original stays beside it.

Nothing of the flow changes. While nobody has built on the answer it is taken back instead (撤回),
and what was taken back says nothing any more that could be corrected. What a return went back over
may be corrected, for it stays in the history; so may the answers of a case that has ended.
"""

from sqlalchemy import select

from models.act import ActRecord
from models.base import table
from models.casework import Origin, Slot, SlotState, Step
from policy.acts import Act
from services.acts.about import About
from services.acts.contesting import tell_recorder
from services.acts.parts import Acting, Field, Kind
from services.acts.withdrawing import WITHDRAW
from services.casework.over import already
from services.errors import AlreadyDecided
from services.history import CORRECTION
from services.telling import tell_many

_acts = table(ActRecord)
_slots = table(Slot)
_steps = table(Step)


def _fields(this: About) -> tuple[Field, ...]:
    return (Field(CORRECTION, "text"),)


def _open_to(this: About) -> bool:
    slot = this.slot
    mine = slot.state == SlotState.ANSWERED and slot.decided_by == this.who.person_id
    if not mine or slot.origin != Origin.SCRIPT or WITHDRAW.open_to(this):
        return False
    back = _acts.c.slot_id == slot.slot_id, _acts.c.act == Act.WITHDRAW
    return this.db.execute(select(_acts.c.id).where(*back)).first() is None


def _too_late(this: About) -> AlreadyDecided:
    said = "这一项不能更正：其后尚无人办理的可以撤回，已经撤回的不需要更正。"
    return already(this.db, this.slot.case_id, said)


def _carry(acting: Acting) -> None:
    """Whoever is asked in the branch now may rest on what was said, and reads that it changed."""
    tell_recorder(acting, Act.CORRECT)
    slot, work = acting.about.slot, acting.branch.work
    waiting = (
        select(_slots.c.post_id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(
            _slots.c.branch_id == slot.branch_id,
            _slots.c.state == SlotState.OPEN,
            _steps.c.origin == Origin.SCRIPT,
        )
    )
    tell_many(
        work.db,
        key=f"corrected:{slot.slot_id}:{work.command_id}",
        posts=set(work.db.execute(waiting).scalars()) - {slot.post_id},
        template="corrected",
        context={"post_id": slot.post_id, "about_step_id": slot.step_id},
        now=work.now,
        case_id=slot.case_id,
    )


CORRECT = Kind(_fields, _carry, _open_to, _too_late)
