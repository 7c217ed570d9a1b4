"""申请延期: who is asked asks a superior for a later date, before the present one has passed."""

from datetime import date

from policy.deadline import due_day
from policy.extension import MOST, may_ask_until, may_move
from services.acts.about import About
from services.acts.parts import Acting, Field, Kind
from services.casework.extension import ask_superior, granted, pending
from services.casework.over import already
from services.errors import AlreadyDecided, Invalid
from services.policy import frozen

UNTIL = "until"


class NotLater(Invalid):
    """请填写晚于现期限的日期，最多延长一年。"""

    code = "not_later"


def _open_to(this: About) -> bool:
    """Not while the date is provisional: it is counted anew once its calendar is published; nor
    while its clock stands: by how much it moves is known when that ends (暂停)."""
    slot = this.slot
    if not this.waits or this.stands or slot.provisional or this.on > due_day(slot.due_at):
        return False
    if not may_move(frozen(this.db, slot.policy_id).durations[slot.due_key].kind):
        return False
    return not pending(this.db, slot.step_id) and granted(this.db, slot.step_id) < MOST


def _too_late(this: About) -> AlreadyDecided:
    said = (
        "这一项不能申请延期：已经办理、已经暂停、已过期限、期限不可延长，"
        "或者已有申请待审批、已延期两次。"
    )
    return already(this.db, this.slot.case_id, said)


def _carry(acting: Acting) -> None:
    slot = acting.about.slot
    if not may_ask_until(date.fromisoformat(acting.given[UNTIL]), due_day(slot.due_at)):
        raise NotLater(field=UNTIL)
    ask_superior(acting.branch, slot.step_id, slot.post_id)


EXTEND = Kind(lambda this: (Field(UNTIL, "date"),), _carry, _open_to, _too_late)
