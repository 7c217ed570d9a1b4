"""加签: who is asked has another post answer as well: before, beside or after them.

前加签: the other answers first, then it comes back. 并签: both are asked at once. 后加签: the other
is asked once who added them has agreed, and only then the step may be decided. The other agrees or
returns, and nothing else: what the step asks for itself is said by who is asked.

By the step's mode. One post, 会签 and 依次: the added one is one more who must agree, and its
return ends the step as any return in it does. 或签: whoever is added speaks with who added them and
with nobody else, so that the others may still answer alone; what an office wants of it is a second
opinion of its own, not to take from the others what they may decide. 票决: refused, for its voters
are fixed before it begins.

Nobody is added by who was added: chains of signatures are what §1.8 of the domain forbids. Nor once
the date has passed: a late answer is given, or the superior is asked. The date and the ladder stay.
"""

from sqlalchemy import func, or_, select

from models.base import table
from models.casework import Decision, Slot, SlotState, Step
from models.organisation import Appointment, Post, PostKind
from policy.acts import MOST_ADDED, Place
from policy.deadline import due_day
from policy.outcome import RATIOS
from services.acts.about import About
from services.acts.near import may_be_asked
from services.acts.parts import Acting, Field, Kind
from services.casework.added import add
from services.casework.over import already
from services.catalogue import translated
from services.errors import AlreadyDecided, Invalid
from services.posts import superiors
from services.scope import in_force

_appointments = table(Appointment)
_decisions = table(Decision)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)
PLACE, POST = "place", "post"
_GONE = (SlotState.REMOVED, SlotState.UNREACHED, SlotState.VOIDED)


class AddedEnough(Invalid):
    """这一环节已经加签三次，不能再加签；确需其他人提出意见的，请在意见中说明。"""

    code = "added_enough"


def _open_to(this: About) -> bool:
    slot = this.slot
    in_time = slot.due_at is not None and this.on <= due_day(slot.due_at)
    return this.waits and slot.added_to is None and slot.mode not in RATIOS and in_time


def _too_late(this: About) -> AlreadyDecided:
    slot = this.slot
    said = "这一项不能加签：已经办理、正由加签人办理，或者已过期限。"
    if slot.mode in RATIOS:
        said = "票决的表决人在表决前已经确定，不能加签。"
    elif slot.added_to is not None:
        said = "您是由他人加签的，不能再加签其他人。"
    return already(this.db, slot.case_id, said)


def _fields(this: About) -> tuple[Field, ...]:
    places = Place.BEFORE, Place.BESIDE, Place.AFTER
    named = tuple((place.value, translated(f"place.{place}")) for place in places)
    return Field(PLACE, "choice", named), Field(POST, "choice", _posts_that_may_be_added(this))


def _posts_that_may_be_added(this: About) -> tuple[tuple[str, str], ...]:
    """Posts of the unit and above it in its line, of people who do not speak in the step yet."""
    unit = select(_posts.c.organisation_id).where(_posts.c.id == this.slot.post_id)
    line = superiors(this.db, this.slot.post_id, this.on)
    near = or_(_posts.c.organisation_id == unit.scalar_subquery(), _posts.c.id.in_(line))
    near &= _posts.c.kind != PostKind.OPERATOR
    return may_be_asked(this, near & _posts.c.id.not_in(_of_who_speaks(this)))


def _of_who_speaks(this: About) -> set[int]:
    """The posts of whoever is or will be asked in the step, answered in it, or acts now: nobody
    speaks twice over two posts."""
    of_step = _slots.c.step_id == this.slot.step_id
    to_come = [
        *this.db.execute(select(_slots.c.turns).where(of_step)).scalars(),
        this.db.execute(select(_steps.c.turns).where(_steps.c.id == this.slot.step_id)).scalar(),
    ]
    posts = {post_id for turns in to_come for post_id in turns or ()}
    asked = select(_slots.c.post_id).where(of_step, _slots.c.state.not_in(_GONE))
    posts |= set(this.db.execute(asked).scalars())
    held = in_force(_appointments.c, this.on)
    holders = select(_appointments.c.person_id).where(_appointments.c.post_id.in_(posts), held)
    answered = select(_decisions.c.person_id).where(_decisions.c.step_id == this.slot.step_id)
    theirs = select(_appointments.c.post_id).where(
        held,
        or_(
            _appointments.c.person_id.in_(holders),
            _appointments.c.person_id.in_(answered),
            _appointments.c.person_id == this.who.person_id,
        ),
    )
    return posts | set(this.db.execute(theirs).scalars())


def _carry(acting: Acting) -> None:
    slot, given = acting.about.slot, acting.given
    of_step = _slots.c.step_id == slot.step_id
    seated = select(func.count()).where(of_step, _slots.c.added_to.is_not(None))
    db = acting.branch.work.db
    to_come = db.execute(select(_slots.c.turns).where(of_step)).scalars()
    if db.execute(seated).scalar_one() + sum(len(turns or ()) for turns in to_come) >= MOST_ADDED:
        raise AddedEnough(field=POST)
    add(acting.branch, slot.step_id, slot.slot_id, int(given[POST]), Place(given[PLACE]))


ADD_APPROVER = Kind(_fields, _carry, _open_to, _too_late)
