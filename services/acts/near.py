"""The posts that a slot may be given to: filled, not asked in the step, not barred from it."""

from sqlalchemy import ColumnElement, select

from models.base import table
from models.casework import Slot
from models.organisation import Organisation, Post
from services.acts.about import About
from services.casework.four_eyes import barred_posts
from services.posts import holders
from services.scope import post_name

_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)


def may_be_asked(this: About, which: ColumnElement[bool]) -> tuple[tuple[str, str], ...]:
    """Id and name of the posts for which ``which`` holds and who could decide the step."""
    slot = this.slot
    asked = select(_slots.c.post_id).where(_slots.c.step_id == slot.step_id)
    rows = this.db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(which, _posts.c.successor_id.is_(None), _posts.c.id.not_in(asked))
        .order_by(_posts.c.rank, _posts.c.id)
    ).all()
    ids = [row.id for row in rows]
    held = holders(this.db, ids, this.on)
    keys = slot.apart_from
    barred = barred_posts(this.db, ids, slot.branch_id, keys, this.on, slot.mechanism)
    free = (row for row in rows if row.id in held and row.id not in barred)
    return tuple((str(row.id), post_name(row.short_name, row.title)) for row in free)
