"""Who is asked in a step, what they answered and when."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Decision, Slot, SlotState, Step, StepState
from models.organisation import Organisation, Post
from services.history import CORRECTED, WITHDRAWN, Correction, corrections
from services.post_names import names_of
from services.scope import post_name
from services.signed_papers import RECORDED, Paper, papers
from services.substitutes import in_place, substitute_names

TO_COME = "waiting"
"""The state of who has not been asked yet: there is no slot of theirs."""
_decisions = table(Decision)
_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class AskedPost:
    """One slot of the step: its post, and what was answered when."""

    slot_id: int | None
    """None where their turn has not come."""
    added: bool
    """Whether somebody who is asked added it (加签)."""
    post: str
    """Who answered, in words: the post, or ``副书记代书记`` (离岗委托)."""
    state: str
    """That of the slot, or :data:`TO_COME`."""
    answer: str | None
    at: datetime | None
    reason: str
    withdrawn: bool
    """Whether who answered took it back (撤回)."""
    corrections: tuple[Correction, ...]
    paper: Paper | None
    """What was signed and who recorded it (代录); None for what was decided here."""


def asked_posts(db: Connection, step_id: int) -> tuple[AskedPost, ...]:
    """The slots of a step in the order in which they are asked, then those whose turn has not
    come (依次、后加签)."""
    rows = db.execute(
        select(
            _slots.c.id,
            _slots.c.state,
            _slots.c.added_to,
            _posts.c.title,
            _organisations.c.short_name,
            _decisions.c.answer,
            _decisions.c.at,
            _decisions.c.reason,
            _decisions.c.substitution_id,
            WITHDRAWN.label("withdrawn"),
            CORRECTED.label("corrected"),
            RECORDED.label("recorded"),
        )
        .join(_posts, _posts.c.id == _slots.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id)
        .where(_slots.c.step_id == step_id)
        .order_by(_slots.c.position, _slots.c.id)
    ).all()
    names = substitute_names(db, (row.substitution_id for row in rows))
    said = corrections(db, [row.id for row in rows if row.corrected])
    signed = papers(db, [row.id for row in rows if row.recorded])
    asked = tuple(
        AskedPost(
            row.id,
            row.added_to is not None,
            in_place(post_name(row.short_name, row.title), names.get(row.substitution_id, "")),
            str(row.state),
            row.answer,
            row.at,
            row.reason or "",
            bool(row.withdrawn),
            said.get(row.id, ()),
            signed.get(row.id),
        )
        for row in rows
    )
    return asked + _to_come(db, step_id)


def _to_come(db: Connection, step_id: int) -> tuple[AskedPost, ...]:
    step = db.execute(select(_steps.c.turns, _steps.c.state).where(_steps.c.id == step_id)).one()
    state = TO_COME if step.state == StepState.OPEN else SlotState.UNREACHED.value
    of_step = _slots.c.step_id == step_id, _slots.c.turns.is_not(None)
    added = [
        post
        for turns in db.execute(select(_slots.c.turns).where(*of_step)).scalars()
        for post in turns or ()
    ]
    to_come = [*((post, True) for post in added), *((post, False) for post in step.turns or ())]
    names = names_of(db, [post for post, _ in to_come])
    return tuple(
        AskedPost(None, is_added, names[post], state, None, None, "", False, (), None)
        for post, is_added in to_come
    )
