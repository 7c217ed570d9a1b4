"""Who is asked in a step, what they answered and when."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Decision, Slot
from models.organisation import Organisation, Post
from services.history import CORRECTED, WITHDRAWN, Correction, corrections
from services.scope import post_name
from services.substitutes import in_place, substitute_names

_decisions = table(Decision)
_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)


@dataclass(frozen=True, slots=True)
class AskedPost:
    """One slot of the step: its post, and what was answered when."""

    slot_id: int
    post: str
    """Who answered, in words: the post, or ``副书记代书记`` (离岗委托)."""
    state: str
    answer: str | None
    at: datetime | None
    reason: str
    withdrawn: bool
    """Whether who answered took it back (撤回)."""
    corrections: tuple[Correction, ...]


def asked_posts(db: Connection, step_id: int) -> tuple[AskedPost, ...]:
    """The slots of a step in the order in which they are asked."""
    rows = db.execute(
        select(
            _slots.c.id,
            _slots.c.state,
            _posts.c.title,
            _organisations.c.short_name,
            _decisions.c.answer,
            _decisions.c.at,
            _decisions.c.reason,
            _decisions.c.substitution_id,
            WITHDRAWN.label("withdrawn"),
            CORRECTED.label("corrected"),
        )
        .join(_posts, _posts.c.id == _slots.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id)
        .where(_slots.c.step_id == step_id)
        .order_by(_slots.c.position, _slots.c.id)
    ).all()
    names = substitute_names(db, (row.substitution_id for row in rows))
    said = corrections(db, [row.id for row in rows if row.corrected])
    return tuple(
        AskedPost(
            row.id,
            in_place(post_name(row.short_name, row.title), names.get(row.substitution_id, "")),
            str(row.state),
            row.answer,
            row.at,
            row.reason or "",
            bool(row.withdrawn),
            said.get(row.id, ()),
        )
        for row in rows
    )
