"""委托 of one step: who is asked lets another post of the unit answer it in their place (代某某).

A substitution (离岗委托) that gives one slot and nothing else: the slot stays with the post that is
asked, which may answer as well. It ends with the day of the date, when it is taken back, or when
one of the two leaves; until it is answered it can be taken back. Nobody is let answer twice over,
nor passes on what was given to them. Four eyes bar both, and are asked again with the answer.
"""

from datetime import timedelta

from sqlalchemy import Row, insert, select

from models.base import table
from models.organisation import Post, PostKind
from models.substitution import Substitution, SubstitutionEnd
from policy.deadline import due_day
from services.acts.about import About
from services.acts.near import may_be_asked
from services.acts.parts import Acting, Field, Kind, nothing
from services.casework.over import already
from services.errors import AlreadyDecided
from services.posts import holders
from services.scope import stands
from services.substitution import STREAM, end
from services.telling import tell_person

_posts = table(Post)
_substitutions = table(Substitution)
POST = "post"


def _given(this: About, *, locked: bool = False) -> Row[tuple[object, ...]] | None:
    """The delegation of the slot that is in force."""
    mine = _substitutions.c.slot_id == this.slot.slot_id
    of_post = _substitutions.c.post_id == this.slot.post_id
    query = select(_substitutions).where(mine, of_post, stands(this.on))
    return this.db.execute(query.with_for_update(key_share=True) if locked else query).first()


def _open_to(this: About) -> bool:
    """For the holder themselves: whoever stands in passes nothing on."""
    return this.waits and this.slot.post_id in this.who.post_ids and _given(this) is None


def _too_late(this: About) -> AlreadyDecided:
    said = "这一项不能委托：已经办理、已经委托，或者您是代他人办理。"
    return already(this.db, this.slot.case_id, said)


def _fields(this: About) -> tuple[Field, ...]:
    unit = select(_posts.c.organisation_id).where(_posts.c.id == this.slot.post_id)
    near = _posts.c.organisation_id == unit.scalar_subquery()
    near &= _posts.c.id.not_in(this.who.post_ids) & (_posts.c.kind != PostKind.OPERATOR)
    return (Field(POST, "choice", may_be_asked(this, near)),)


def _carry(acting: Acting) -> None:
    slot, work = acting.about.slot, acting.branch.work
    by_post_id = int(acting.given[POST])
    held = holders(work.db, [by_post_id], work.today)[by_post_id]
    due_on = due_day(slot.due_at)
    values = {
        "post_id": slot.post_id,
        "person_id": work.actor.person_id,
        "substitute_post_id": by_post_id,
        "substitute_id": held.person_id,
        "every_mechanism": False,
        "starts_on": work.today,
        "ends_on": max(due_on, work.today) + timedelta(days=1),
        "reason": acting.reason,
        "made_by": work.actor.person_id,
        "made_as": slot.post_id,
        "made_at": work.now,
        "slot_id": slot.slot_id,
    }
    made = insert(_substitutions).values(values).returning(_substitutions.c.id)
    given = int(work.db.execute(made).scalar_one())
    people = {"person": work.actor.person_id, "by_person": held.person_id}
    work.audit(STREAM, {"act": "made", "substitution": given, "slot": slot.slot_id, **people})
    tell_person(
        work.db,
        key=f"delegated:{given}",
        person_id=held.person_id,
        template="delegated",
        context={
            "post_id": slot.post_id,
            "substitute_post_id": by_post_id,
            "about_step_id": slot.step_id,
            "due_on": due_on.isoformat(),
        },
        now=work.now,
        case_id=slot.case_id,
    )


def _may_be_taken_back(this: About) -> bool:
    return this.waits and this.slot.post_id in this.who.post_ids and _given(this) is not None


def _nothing_given(this: About) -> AlreadyDecided:
    return already(this.db, this.slot.case_id, "这一项没有可以收回的委托，或者已经办理。")


def _take_back(acting: Acting) -> None:
    row = _given(acting.about, locked=True)
    if row is None:
        raise _nothing_given(acting.about)
    end(acting.branch.work, row, SubstitutionEnd.REVOKED)


DELEGATE = Kind(_fields, _carry, _open_to, _too_late)
END_DELEGATION = Kind(nothing, _take_back, _may_be_taken_back, _nothing_given)
