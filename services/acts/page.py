"""Which acts a person may do to a slot now, and what the page of one of them says."""

from dataclasses import dataclass

from sqlalchemy import Connection

from policy.acts import OF_THE_POST, RULES, Act, Relation
from services.acts.about import About, about
from services.acts.acting import MayNotAct
from services.acts.parts import Field
from services.acts.registry import KINDS
from services.catalogue import step_title
from services.post_names import names_of
from services.scope import Standing, visible_case


@dataclass(frozen=True, slots=True)
class ActForm:
    """The form of an act. ``asked`` is the post that is asked, ``by`` the one by which it is done;
    the two are one for who is asked."""

    act: Act
    title: str
    case_id: int
    number: str
    asked: str
    by: str
    fields: tuple[Field, ...]
    needs_reason: bool


def acts_on(db: Connection, who: Standing, slot_id: int) -> tuple[Act, ...]:
    """What this person, who sees the slot, may do to it now, in the order of the table."""
    this = about(db, who, slot_id)
    return tuple(act for act, kind in KINDS.items() if kind.open_to(this) and this.basis(act))


def act_form(db: Connection, who: Standing, act: Act, slot_id: int) -> ActForm:
    """What somebody would do. Errors as of ``act_on``, without those of its fields."""
    this = about(db, who, slot_id)
    relation, post_id = _basis(this, act)
    if not KINDS[act].open_to(this):
        raise KINDS[act].too_late(this)
    names = names_of(db, [this.slot.post_id, post_id])
    return ActForm(
        act=act,
        title=step_title(this.slot.mechanism, this.slot.key),
        case_id=this.slot.case_id,
        number=this.slot.number,
        asked=names[this.slot.post_id],
        by=names[post_id],
        fields=KINDS[act].fields(this),
        needs_reason=RULES[act].needs_reason,
    )


def _basis(this: About, act: Act) -> tuple[Relation, int]:
    found = this.basis(act)
    if found is None or found[0] not in OF_THE_POST:
        visible_case(this.db, this.who, this.slot.case_id)
    if found is None:
        raise MayNotAct
    return found
