"""Whoever recorded a paper (代录) reads that its signer says otherwise (撤回、更正)."""

from sqlalchemy import select

from models.act import ActRecord
from models.base import table
from policy.acts import Act
from services.acts.parts import Acting
from services.telling import tell_person

_acts = table(ActRecord)


def tell_recorder(acting: Acting, act: Act) -> None:
    """Tell them what was done to a decision that they recorded; of any other nobody is told."""
    slot, work = acting.about.slot, acting.branch.work
    if not slot.recorded:
        return
    mine = _acts.c.slot_id == slot.slot_id, _acts.c.act == Act.RECORD
    tell_person(
        work.db,
        key=f"contested:{slot.slot_id}:{work.command_id}",
        person_id=work.db.execute(select(_acts.c.person_id).where(*mine)).scalar_one(),
        template="contested",
        context={"post_id": slot.post_id, "about_step_id": slot.step_id, "what": act.value},
        now=work.now,
        case_id=slot.case_id,
    )
