"""The organisation tree as people read it: names and places with their history, posts, holders.

Everybody reads what they may see (``services.scope``), and who changes units (系统运维员) those
they may change; another unit is named where it serves one of these or is served by it, and is a
link only where it may be seen itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from models.base import table
from models.organisation import (
    Appointment,
    FormerOrganisation,
    Organisation,
    Person,
    Portfolio,
    Post,
    Relation,
    RelationKind,
)
from policy.access import Action
from policy.areas import AREAS
from policy.calendar import last_day
from services.errors import NotFound
from services.posts import ORGAN_NAMES
from services.scope import Standing, in_force, within

MOST = 300
"""How many units a branch, a list, a search or a page of them shows at once."""
_appointments = table(Appointment)
_former = table(FormerOrganisation)
_organisations = table(Organisation)
_below = _organisations.alias("below")
_people = table(Person)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)


@dataclass(frozen=True, slots=True)
class Node:
    """A unit in the tree; ``opens`` where units stand below it that may be seen."""

    id: int
    name: str
    level: str
    kind: str
    opens: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Nodes:
    """A part of a list of units: ``more`` come after the code ``after``."""

    shown: tuple[Node, ...]
    more: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A unit that is named; ``id`` None where it may not be seen itself."""

    id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Former:
    """What a unit was called and under whom it stood, to the last day ``until``."""

    name: str
    parent: str
    until: date


@dataclass(frozen=True, slots=True)
class Dated:
    """Something from a day to a last one, ``until``; None: until now."""

    what: str
    unit: Named | None
    starts_on: date
    until: date | None
    past: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The last day of a unit that was closed, and whom it was merged into, if anybody."""

    until: date
    into: Named | None


@dataclass(frozen=True, slots=True)
class PostShown:
    """A post with who holds it; ``holder`` is '' for a vacant one and for one that is no more.
    ``terms``: the newest first."""

    id: int
    title: str
    holder: str
    abolished: bool
    terms: tuple[Dated, ...]
    charges: tuple[Dated, ...]


@dataclass(frozen=True, slots=True)
class OrganisationPage:
    """A unit with everything dated about it."""

    node: Node
    code: str
    full_name: str
    closed: Closed | None
    above: tuple[Named, ...]
    below: Nodes
    former: tuple[Former, ...]
    organs: tuple[Dated, ...]
    serves: tuple[Dated, ...]
    serves_more: int
    """How many more it serves, or served, after those."""
    posts: tuple[PostShown, ...]


def top(db: Connection, who: Standing, after: str = "") -> Nodes:
    """The units in scope under which none above is in scope: where the tree begins."""
    parent = _organisations.c.parent_id
    begins = parent.is_(None) | parent.not_in(_visible(who))
    return _nodes(db, who, begins, after)


def below(db: Connection, who: Standing, organisation_id: int, after: str = "") -> Nodes:
    """The units directly below one; NotFound where that may not be seen."""
    _require(db, who, organisation_id)
    return _nodes(db, who, _organisations.c.parent_id == organisation_id, after)


def named(db: Connection, who: Standing, text: str, after: str = "") -> Nodes:
    """The units whose name or former name has this text, those after a code."""
    was = select(_former.c.organisation_id).where(_former.c.name.contains(text, autoescape=True))
    now = _organisations.c.name.contains(text, autoescape=True)
    short = _organisations.c.short_name.contains(text, autoescape=True)
    return _nodes(db, who, now | short | _organisations.c.id.in_(was), after)


def organisation_page(
    db: Connection, who: Standing, organisation_id: int, *, after: str = "", served: int = 0
) -> OrganisationPage:
    """A unit for somebody who may see it, with the units below after a code, and those it serves
    after so many; NotFound for everybody else."""
    row = _require(db, who, organisation_id)
    children = _nodes(db, who, _organisations.c.parent_id == organisation_id, after)
    serves, serves_more = _serves(db, who, organisation_id, served)
    return OrganisationPage(
        node=_node(row, bool(children.shown)),
        code=row.code,
        full_name=row.name,
        closed=_closed(db, who, row),
        above=_above(db, who, row.path),
        below=children,
        former=_formers(db, organisation_id),
        organs=_organs(db, who, organisation_id),
        serves=serves,
        serves_more=serves_more,
        posts=_posts_of(db, who, organisation_id),
    )


def _reads(who: Standing) -> ColumnElement[bool]:
    """The condition on ``organisation`` for the units whose pages this person may read."""
    return within(who, Action.READ_UNIT)


def _visible(who: Standing) -> Select[tuple[Any]]:
    return select(_organisations.c.id).where(_reads(who)).correlate(None)


def _require(db: Connection, who: Standing, organisation_id: int) -> Row[Any]:
    mine = _organisations.c.id == organisation_id, _reads(who)
    row = db.execute(select(_organisations).where(*mine)).first()
    if row is None:
        raise NotFound
    return row


def _nodes(db: Connection, who: Standing, condition: ColumnElement[bool], after: str) -> Nodes:
    opens = (
        select(_below.c.id)
        .where(_below.c.parent_id == _organisations.c.id, _below.c.id.in_(_visible(who)))
        .exists()
    )
    wanted = condition, _reads(who), _organisations.c.code > after
    query = select(_organisations, opens.label("opens")).where(*wanted)
    rows = db.execute(query.order_by(_organisations.c.code).limit(MOST)).all()
    shown = tuple(_node(row, bool(row.opens)) for row in rows)
    if len(rows) < MOST:
        return Nodes(shown)
    there = db.execute(select(func.count()).select_from(_organisations).where(*wanted))
    return Nodes(shown, int(there.scalar_one()) - len(shown), rows[-1].code)


def _node(row: Row[Any], opens: bool) -> Node:
    closed = row.ends_on is not None
    return Node(row.id, row.short_name, str(row.level), str(row.kind), opens, closed)


def _closed(db: Connection, who: Standing, row: Row[Any]) -> Closed | None:
    if row.ends_on is None:
        return None
    seen = _organisations.c.id.in_(_visible(who)).label("seen")
    query = select(_organisations.c.id, _organisations.c.short_name, seen)
    into = db.execute(query.where(_organisations.c.id == row.successor_id)).first()
    name = Named(into.id if into.seen else None, into.short_name) if into else None
    return Closed(last_day(row.ends_on), name)


def _above(db: Connection, who: Standing, path: str) -> tuple[Named, ...]:
    """The units above it that may be seen, the highest first."""
    ids = [int(part) for part in path.split("/") if part][:-1]
    query = select(_organisations.c.id, _organisations.c.short_name).where(
        _organisations.c.id.in_(ids), _reads(who)
    )
    found = {row.id: row.short_name for row in db.execute(query)}
    return tuple(Named(id_, found[id_]) for id_ in ids if id_ in found)


def _formers(db: Connection, organisation_id: int) -> tuple[Former, ...]:
    query = (
        select(_former.c.name, _former.c.ends_on, _organisations.c.short_name)
        .outerjoin(_organisations, _organisations.c.id == _former.c.parent_id)
        .where(_former.c.organisation_id == organisation_id)
        .order_by(_former.c.ends_on.desc(), _former.c.id.desc())
    )
    rows = db.execute(query)
    return tuple(Former(row.name, row.short_name or "", last_day(row.ends_on)) for row in rows)


def _organs(db: Connection, who: Standing, organisation_id: int) -> tuple[Dated, ...]:
    """Who serves it, those in force first."""
    mine = _relations.c.served_id == organisation_id, _ever(_relations)
    return _related(db, who, _relations.c.organ_id, *mine)


def _serves(
    db: Connection, who: Standing, organisation_id: int, after: int
) -> tuple[tuple[Dated, ...], int]:
    """Whom it serves of those that may be seen, in force first, after so many; and how many more
    there are."""
    seen = _relations.c.served_id.in_(_visible(who))
    mine = _relations.c.organ_id == organisation_id, seen, _ever(_relations)
    shown = _related(db, who, _relations.c.served_id, *mine, after=after)
    if len(shown) < MOST:
        return shown, 0
    there = db.execute(select(func.count()).select_from(_relations).where(*mine)).scalar_one()
    return shown, int(there) - after - len(shown)


def _related(
    db: Connection,
    who: Standing,
    other: ColumnElement[int],
    *conditions: ColumnElement[bool],
    after: int = 0,
) -> tuple[Dated, ...]:
    query = (
        select(
            *(_relations.c[name] for name in ("kind", "starts_on", "ends_on")),
            _organisations.c.id,
            _organisations.c.short_name,
            _organisations.c.id.in_(_visible(who)).label("seen"),
        )
        .join(_organisations, _organisations.c.id == other)
        .where(*conditions)
        .order_by(
            in_force(_relations.c, who.on).desc(),
            *(_relations.c.kind, _organisations.c.code, _relations.c.id),
        )
        .limit(MOST)
        .offset(after)
    )
    return tuple(
        _dated(
            ORGAN_NAMES[RelationKind(row.kind)],
            row,
            who.on,
            Named(row.id if row.seen else None, row.short_name),
        )
        for row in db.execute(query)
    )


def _ever(dated: Any) -> ColumnElement[bool]:
    """Whether something was in force for a day, or will be: it was not taken back before."""
    return or_(dated.c.ends_on.is_(None), dated.c.ends_on > dated.c.starts_on)


def _dated(what: str, row: Row[Any], on: date, unit: Named | None = None) -> Dated:
    past = row.ends_on is not None and row.ends_on <= on
    until = last_day(row.ends_on) if row.ends_on is not None else None
    return Dated(what, unit, row.starts_on, until, past)


def _posts_of(db: Connection, who: Standing, organisation_id: int) -> tuple[PostShown, ...]:
    query = select(_posts).where(_posts.c.organisation_id == organisation_id)
    rows = db.execute(query.order_by(_posts.c.rank, _posts.c.id)).all()
    ids = [row.id for row in rows]
    terms, charges = _terms(db, who.on, ids), _charges(db, who, ids)
    return tuple(
        PostShown(
            id=row.id,
            title=row.title,
            holder=_holder(terms[row.id], who.on),
            abolished=row.successor_id is not None,
            terms=tuple(terms[row.id]),
            charges=tuple(charges[row.id]),
        )
        for row in rows
    )


def _holder(terms: Sequence[Dated], on: date) -> str:
    return next((one.what for one in terms if not one.past and one.starts_on <= on), "")


def _terms(db: Connection, on: date, post_ids: Sequence[int]) -> dict[int, list[Dated]]:
    found: dict[int, list[Dated]] = defaultdict(list)
    query = (
        select(
            _appointments.c.post_id,
            _appointments.c.starts_on,
            _appointments.c.ends_on,
            _people.c.name,
        )
        .join(_people, _people.c.id == _appointments.c.person_id)
        .where(_appointments.c.post_id.in_(post_ids), _ever(_appointments))
        .order_by(_appointments.c.starts_on.desc(), _appointments.c.id.desc())
    )
    for row in db.execute(query):
        found[row.post_id].append(_dated(row.name, row, on))
    return found


def _charges(db: Connection, who: Standing, post_ids: Sequence[int]) -> dict[int, list[Dated]]:
    found: dict[int, list[Dated]] = defaultdict(list)
    query = (
        select(
            _portfolios.c.post_id,
            _portfolios.c.area,
            _portfolios.c.starts_on,
            _portfolios.c.ends_on,
            _organisations.c.id,
            func.coalesce(_organisations.c.short_name, "").label("name"),
            _organisations.c.id.in_(_visible(who)).label("seen"),
        )
        .outerjoin(_organisations, _organisations.c.id == _portfolios.c.unit_id)
        .where(_portfolios.c.post_id.in_(post_ids), _ever(_portfolios))
        .order_by(_portfolios.c.starts_on.desc(), _portfolios.c.id)
    )
    for row in db.execute(query):
        unit = Named(row.id if row.seen else None, row.name) if row.id else None
        area = AREAS[row.area - 1] if row.area else ""
        found[row.post_id].append(_dated(area, row, who.on, unit))
    return found
