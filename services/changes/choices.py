"""What may be chosen in the forms of changes: posts and units, by name."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, or_, select

from models.base import table
from models.casework import Case, CaseState
from models.organisation import Appointment, Level, Organisation, Post, PostKind
from services.changes.parts import About, Option
from services.organisers import Unit, organises
from services.posts import COMMITTEES
from services.scope import in_force, post_name

MOST = 2000
"""No list is longer; a part of the tree that has more units is changed from further down."""
_appointments = table(Appointment)
_cases = table(Case)
_organisations = table(Organisation)
_posts = table(Post)
_OF_COMMITTEES = (
    _organisations.c.kind.in_(COMMITTEES),
    _organisations.c.level != Level.VILLAGE,
)


def posts_of(db: Connection, unit_ids: Sequence[int], *without: int) -> tuple[Option, ...]:
    """The living posts of units, by unit and rank."""
    return _posts_where(db, _posts.c.organisation_id.in_(unit_ids), _posts.c.id.not_in(without))


def titles_of(db: Connection, unit: Unit) -> tuple[Option, ...]:
    """The living posts of one unit, which need not be named with it."""
    named = posts_of(db, [unit.id])
    return tuple(replace(one, name=one.name.removeprefix(unit.short_name)) for one in named)


def takers(db: Connection, unit_ids: Sequence[int]) -> tuple[Option, ...]:
    """Those of :func:`posts_of` that may take what is open: a 系统运维员 decides nothing."""
    deciding = _posts.c.kind != PostKind.OPERATOR
    return _posts_where(db, _posts.c.organisation_id.in_(unit_ids), deciding)


def line_of(path: str) -> list[int]:
    """The unit and those above it, the unit first."""
    return [int(part) for part in reversed(path.split("/")) if part]


def vacant_posts(about: About, path: str) -> tuple[Option, ...]:
    """The posts that nobody holds, where the person keeps the records."""
    held = select(_appointments.c.post_id).where(in_force(_appointments.c, about.on))
    above = organises(about.who) or (path,)
    within = or_(*(_organisations.c.path.startswith(one, autoescape=True) for one in above))
    return _posts_where(about.db, within, _posts.c.id.not_in(held))


def committees(about: About, *without: int) -> tuple[Option, ...]:
    """The committees and Party groups that the person may change, down to the towns."""
    return _units_where(about, *_OF_COMMITTEES, _organisations.c.id.not_in(without))


def successors(about: About, unit: Unit) -> tuple[Option, ...]:
    """What a unit may be merged into: those beside it on its level, then :func:`committees`."""
    beside = (
        _organisations.c.parent_id == unit.parent_id,
        _organisations.c.level == unit.level,
        _organisations.c.id != unit.id,
    )
    return tuple(dict.fromkeys((*_units_where(about, *beside), *committees(about, unit.id))))


def children(db: Connection, unit_id: int) -> tuple[Option, ...]:
    """The units directly below one."""
    mine = _organisations.c.parent_id == unit_id, _organisations.c.ends_on.is_(None)
    query = select(_organisations.c.id, _organisations.c.name).where(*mine)
    rows = db.execute(query.order_by(_organisations.c.code).limit(MOST))
    return tuple(Option(str(row.id), row.name) for row in rows)


def running_cases(db: Connection, unit_id: int) -> tuple[Option, ...]:
    """The open cases of a unit, by number."""
    mine = _cases.c.organisation_id == unit_id, _cases.c.state == CaseState.OPEN
    query = select(_cases.c.id, _cases.c.number).where(*mine)
    rows = db.execute(query.order_by(_cases.c.id).limit(MOST))
    return tuple(Option(str(row.id), row.number) for row in rows)


def _units_where(about: About, *conditions: ColumnElement[bool]) -> tuple[Option, ...]:
    above = organises(about.who)
    mine = or_(*(_organisations.c.path.startswith(one, autoescape=True) for one in above))
    rows = about.db.execute(
        select(_organisations.c.id, _organisations.c.name)
        .where(mine, *conditions, _organisations.c.ends_on.is_(None))
        .order_by(_organisations.c.code)
        .limit(MOST)
    )
    return tuple(Option(str(row.id), row.name) for row in rows)


def _posts_where(db: Connection, *conditions: ColumnElement[bool]) -> tuple[Option, ...]:
    rows = db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(*conditions, _posts.c.successor_id.is_(None), _organisations.c.ends_on.is_(None))
        .order_by(_organisations.c.path.desc(), _posts.c.rank, _posts.c.id)
        .limit(MOST)
    )
    return tuple(Option(str(row.id), post_name(row.short_name, row.title)) for row in rows)
