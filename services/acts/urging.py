"""催办: who is asked is told that it is waited for; capped, and nothing else changes."""

from sqlalchemy import select

from models.act import ActRecord
from models.base import table
from policy.acts import Act, may_urge
from policy.deadline import due_day
from services.acts.about import About
from services.acts.parts import Acting, Kind, nothing
from services.casework.over import already
from services.errors import AlreadyDecided, Invalid
from services.telling import tell

_acts = table(ActRecord)


class UrgedEnough(Invalid):
    """这一项今天已经催办过，或者已经催办三次。再次催办不会更快，可以改派或者接办。"""

    code = "urged_enough"


def _carry(acting: Acting) -> None:
    slot, work = acting.about.slot, acting.branch.work
    before = select(_acts.c.at).where(
        _acts.c.slot_id == slot.slot_id,
        _acts.c.act == Act.URGE,
        _acts.c.deadline_version == slot.deadline_version,
    )
    if not may_urge(work.db.execute(before).scalars().all(), work.now):
        raise UrgedEnough
    tell(
        work.db,
        key=f"urged:{slot.slot_id}:{work.command_id}",
        post_id=slot.post_id,
        template="urged",
        context={"count": 1, "due_on": due_day(slot.due_at).isoformat()},
        now=work.now,
        case_id=slot.case_id,
        step_id=slot.step_id,
    )


def _too_late(this: About) -> AlreadyDecided:
    return already(this.db, this.slot.case_id, "这一项已不需要催办：已经办理、退回，或者已暂停。")


URGE = Kind(nothing, _carry, lambda this: this.waits and not this.stands, _too_late)
