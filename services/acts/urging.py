"""催办: who is asked is told that it is waited for; capped, and nothing else changes."""

from sqlalchemy import select

from models.act import ActRecord
from models.base import table
from policy.acts import Act, may_urge
from policy.deadline import due_day
from services.acts.parts import Acting, Kind, nothing
from services.errors import Invalid
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


URGE = Kind(nothing, _carry)
