"""Who may change posts and units: the 系统运维员 in their own part of the tree, and for posts and
appointments the organisation department (组织部门) that serves the unit. What somebody may not
change answers to them like what is not there."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.organisation import Organisation, Post, PostKind, RelationKind
from policy.access import Action, Reach
from services.audit import lock_stream
from services.command import Work
from services.errors import DutiesError, NotFound
from services.posts import organ
from services.scope import Standing, by, standing

STREAM = "organisation"
_organisations = table(Organisation)
_posts = table(Post)


class Changed(DutiesError):
    """情况已有变化，本次未保存。请重新核对后再确认。"""

    status = 409
    code = "changed"


@dataclass(frozen=True, slots=True)
class Unit:
    """A living unit that somebody may change."""

    id: int
    code: str
    name: str
    short_name: str
    kind: str
    level: str
    parent_id: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A living post that somebody may change."""

    id: int
    title: str
    kind: PostKind
    rank: int
    unit: Unit


def unit_of(db: Connection, who: Standing | None, unit_id: int, *, posts: bool = False) -> Unit:
    """The unit, for who may change it; with ``posts``, its posts. None is the system.

    NotFound for one that is not there, was closed, or is none of theirs.
    """
    row = db.execute(_UNIT.where(_organisations.c.id == unit_id)).first()
    if row is None or not (who is None or _may(db, who, row, posts)):
        raise NotFound
    return Unit(*row)


def seat_of(db: Connection, who: Standing | None, post_id: int) -> Seat:
    """The post, for who may change the posts of its unit; NotFound like :func:`unit_of`."""
    wanted = _posts.c.id == post_id, _posts.c.successor_id.is_(None)
    row = db.execute(select(_posts).where(*wanted)).first()
    if row is None:
        raise NotFound
    unit = unit_of(db, who, row.organisation_id, posts=True)
    return Seat(row.id, row.title, row.kind, row.rank, unit)


def actor_of(work: Work) -> Standing | None:
    """Who gives the command, on the day; None for the system."""
    if work.actor.person_id is None:
        return None
    return standing(work.db, work.actor.person_id, work.today)


def organises(who: Standing) -> tuple[str, ...]:
    """The paths below which this person may change units."""
    return tuple(post.path for post in by(who, Action.CHANGE_UNIT, Reach.IN_LINE))


def lock_organisation(work: Work) -> None:
    """Changes of posts and units are made one after the other: what a command looks at after this
    stays so until it is done. Before any other lock of these commands (but a branch's)."""
    lock_stream(work.db, STREAM)


def require_same(seen: str, now: str) -> None:
    """:class:`Changed` unless what was seen before confirming is what is there now."""
    if seen != now:
        raise Changed


_NAMES = ("id", "code", "name", "short_name", "kind", "level", "parent_id", "path")
_UNIT = select(*(_organisations.c[name] for name in _NAMES)).where(
    _organisations.c.ends_on.is_(None)
)


def _may(db: Connection, who: Standing, unit: Row[Any], posts: bool) -> bool:
    above = organises(who)
    if above and unit.path.startswith(above):
        return True
    if posts:
        with suppress(LookupError):
            department = organ(db, unit.id, RelationKind.ORGANISATION_DEPT, who.on)
            mine = by(who, Action.CHANGE_POSTS, Reach.ORGANISATION_DEPT)
            return department in {post.organisation_id for post in mine}
    return False
