"""What a superior's list step is about, in few words: whose work is late, and how much of it."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, func, select

from models.base import table
from models.casework import DutyMember, Rung, Slot
from models.organisation import Organisation, Post
from services.catalogue import translated
from services.scope import post_name

_members = table(DutyMember)
_organisations = table(Organisation)
_posts = table(Post)
_rungs = table(Rung)
_slots = table(Slot)


def subjects(db: Connection, step_ids: Collection[int]) -> dict[int, str]:
    """``服务办主任 9 项`` for each list step, or the number of posts where it is about several."""
    if not step_ids:
        return {}
    rows = db.execute(
        select(
            _members.c.step_id, func.count().label("n"), _posts.c.title, _organisations.c.short_name
        )
        .join(_rungs, _rungs.c.id == _members.c.rung_id)
        .join(_slots, _slots.c.id == _rungs.c.slot_id)
        .join(_posts, _posts.c.id == _slots.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_members.c.step_id.in_(step_ids), _members.c.struck_at.is_(None))
        .group_by(_members.c.step_id, _posts.c.id, _posts.c.title, _organisations.c.short_name)
    )
    late: dict[int, dict[str, int]] = defaultdict(dict)
    for row in rows:
        late[row.step_id][post_name(row.short_name, row.title)] = row.n
    return {step_id: _said(posts) for step_id, posts in late.items()}


def _said(posts: dict[str, int]) -> str:
    items = sum(posts.values())
    if len(posts) == 1:
        return translated("duty.one", post=next(iter(posts)), n=items)
    return translated("duty.several", posts=len(posts), n=items)
