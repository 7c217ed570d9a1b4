"""A step that is asked anew as it was: of the posts that the script asked, by the same date."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Slot, Step
from services.casework.branch import AsBefore, LockedBranch
from services.casework.log import load_log
from services.casework.replay import advance
from services.casework.returning import undoing, void_step

_slots = table(Slot)
_steps = table(Step)
EMPTY: Mapping[int, int] = MappingProxyType({})
_DATES = ("opened_at", "provisional", "due_at", "original_due_at", "provisional_due_at")


def as_it_was(db: Connection, step_id: int) -> AsBefore:
    """What a step asked, of whom and by when; without whom somebody added to it (加签)."""
    query = select(_steps.c.key, *(_steps.c[name] for name in _DATES))
    step = db.execute(query.where(_steps.c.id == step_id)).one()
    posts = select(_slots.c.post_id).where(_slots.c.step_id == step_id, _slots.c.added_to.is_(None))
    asked = db.execute(posts.order_by(_slots.c.position, _slots.c.id)).scalars()
    turns = db.execute(select(_steps.c.turns).where(_steps.c.id == step_id)).scalar_one() or ()
    return AsBefore(posts=(*asked, *turns), **step._mapping)


def ask_anew(branch: LockedBranch, step_id: int, instead: Mapping[int, int] = EMPTY) -> None:
    """Go back over a step of a locked branch and ask it once more; no date moves by it.
    ``instead``: posts that are asked in place of others."""
    before = as_it_was(branch.work.db, step_id)
    posts = tuple(instead.get(post_id, post_id) for post_id in before.posts)
    branch.as_before = replace(before, posts=posts)
    with undoing(branch.work):
        void_step(branch, load_log(branch.work.db, branch.id), step_id)
    advance(branch)
