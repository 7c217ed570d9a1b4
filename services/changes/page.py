"""组织变动: the units somebody may change, and one of them with its posts, people and history."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, false, func, or_, select

from models.base import table
from models.casework import Slot, SlotState
from models.organisation import (
    Appointment,
    FormerOrganisation,
    Organisation,
    Person,
    Post,
    Relation,
    RelationKind,
)
from models.vacancy import Vacancy
from policy.access import Action, Reach
from policy.calendar import last_day
from services.changes.planned_page import Plan, of_unit, plans
from services.organisers import Unit, organises, unit_of
from services.posts import KIND_NAMES
from services.scope import Standing, by, in_force, post_name

PAGE = 50
_appointments = table(Appointment)
_former = table(FormerOrganisation)
_organisations = table(Organisation)
_people = table(Person)
_posts = table(Post)
_relations = table(Relation)
_slots = table(Slot)
_vacancies = table(Vacancy)


@dataclass(frozen=True, slots=True)
class Line:
    """A unit in the list."""

    id: int
    name: str
    code: str
    posts: int


@dataclass(frozen=True, slots=True)
class Gap:
    """An open vacancy: the post, its unit, since when, how much waits on it, and its case."""

    post: str
    unit_id: int
    since: Any
    waiting: int
    case_id: int | None


@dataclass(frozen=True, slots=True)
class Gaps:
    """A page of the open vacancies: ``more`` of ``count`` come after the first ``after``."""

    shown: tuple[Gap, ...]
    count: int
    after: int

    @property
    def more(self) -> int:
        """How many are left."""
        return self.count - self.after


@dataclass(frozen=True, slots=True)
class PostLine:
    """A post of a unit: who holds it by which appointment, and how much waits on it."""

    id: int
    title: str
    kind: str
    person: str
    appointment_id: int | None
    since: date | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Former:
    """What a unit was called, and under whom it stood, to its last day."""

    name: str
    parent: str
    until: date


@dataclass(frozen=True, slots=True)
class UnitPage:
    """A unit for somebody who may change its posts; ``units`` when also itself."""

    unit: Unit
    parent: str
    posts: tuple[PostLine, ...]
    former: tuple[Former, ...]
    units: bool
    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Units:
    """The units whose posts the person may change, filtered by a word of name or code."""

    who: Standing
    q: str = ""

    def lines(self, db: Connection, after: int | None) -> list[Line]:
        """A page of them in the order of their ids; ``after`` is the last of the page before."""
        posts = (
            select(func.count())
            .where(_posts.c.organisation_id == _organisations.c.id, _posts.c.successor_id.is_(None))
            .scalar_subquery()
        )
        columns = [_organisations.c[name] for name in ("id", "name", "code")]
        query = select(*columns, posts).where(self._mine(db)).order_by(_organisations.c.id)
        if after is not None:
            query = query.where(_organisations.c.id > after)
        return [Line(*row) for row in db.execute(query.limit(PAGE))]

    def count(self, db: Connection) -> int:
        """How many there are: the same condition as the list."""
        query = select(func.count()).select_from(_organisations).where(self._mine(db))
        return int(db.execute(query).scalar_one())

    def gaps(self, db: Connection, after: int = 0) -> Gaps:
        """The open vacancies there, the oldest first: a page of them after so many."""
        waits = (_slots.c.post_id == _posts.c.id) & (_slots.c.state == SlotState.OPEN)
        waiting = select(func.count()).where(waits).scalar_subquery()
        rows = db.execute(
            select(
                _posts.c.title,
                _organisations.c.short_name,
                _organisations.c.id.label("unit_id"),
                _vacancies.c.noted_at,
                _vacancies.c.case_id,
                waiting.label("waiting"),
            )
            .join(_posts, _posts.c.id == _vacancies.c.post_id)
            .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
            .where(_vacancies.c.ended_at.is_(None), self._mine(db))
            .order_by(_vacancies.c.noted_at, _vacancies.c.id)
            .limit(PAGE)
            .offset(after)
        )
        shown = tuple(
            Gap(
                post_name(row.short_name, row.title),
                row.unit_id,
                row.noted_at,
                row.waiting,
                row.case_id,
            )
            for row in rows
        )
        there = (
            select(func.count())
            .select_from(_vacancies)
            .join(_posts, _posts.c.id == _vacancies.c.post_id)
            .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
            .where(_vacancies.c.ended_at.is_(None), self._mine(db))
        )
        return Gaps(shown, int(db.execute(there).scalar_one()), after + len(shown))

    def plans(self, db: Connection) -> list[Plan]:
        """What is planned for them, and what was halted."""
        return plans(db, self.who, self._mine(db))

    def _mine(self, db: Connection) -> ColumnElement[bool]:
        found = or_(
            false(),
            *(_under(path) for path in organises(self.who)),
            *(_kept_from(path, db, self.who) for path in _served(db, self.who)),
        )
        living = found & _organisations.c.ends_on.is_(None)
        if not self.q:
            return living
        like = _organisations.c.name.contains(self.q, autoescape=True)
        return living & (like | (_organisations.c.code == self.q))


def changes_below(db: Connection, who: Standing) -> list[str]:
    """The paths below which a person keeps the records of posts: as 系统运维员, or in the
    organisation department that serves them."""
    return [*organises(who), *_served(db, who)]


def _served(db: Connection, who: Standing, *, by_others: bool = False) -> list[str]:
    """The paths of the units whose organisation department is theirs, or anybody else's."""
    mine = {post.organisation_id for post in by(who, Action.CHANGE_POSTS, Reach.ORGANISATION_DEPT)}
    theirs = _relations.c.organ_id.in_(mine)
    served = (
        select(_organisations.c.path)
        .join(_relations, _relations.c.served_id == _organisations.c.id)
        .where(
            _relations.c.kind == RelationKind.ORGANISATION_DEPT,
            ~theirs if by_others else theirs,
            in_force(_relations.c, who.on),
            _organisations.c.ends_on.is_(None),
        )
        .order_by(_organisations.c.path)
    )
    return list(db.execute(served).scalars())


def _kept_from(path: str, db: Connection, who: Standing) -> ColumnElement[bool]:
    """What is below a path, without what has a nearer department of its own: that keeps it."""
    nearer: list[str] = []
    for other in _served(db, who, by_others=True):
        if other != path and other.startswith(path) and not other.startswith(tuple(nearer)):
            nearer.append(other)
    return _under(path) & ~or_(false(), *(_under(other) for other in nearer))


def unit_page(db: Connection, who: Standing, unit_id: int) -> UnitPage:
    """A unit with its posts and its past; NotFound for who may not change its posts."""
    unit = unit_of(db, who, unit_id, posts=True)
    name = select(_organisations.c.name).where(_organisations.c.id == unit.parent_id)
    return UnitPage(
        unit=unit,
        parent=str(db.execute(name).scalar() or ""),
        posts=tuple(_post_line(row) for row in db.execute(_posts_of(unit_id, who.on))),
        former=tuple(_past(db, unit_id)),
        units=unit.path.startswith(organises(who)) if organises(who) else False,
        plans=tuple(of_unit(db, who, unit_id)),
    )


def _under(path: str) -> ColumnElement[bool]:
    return _organisations.c.path.startswith(path, autoescape=True)


def _posts_of(unit_id: int, on: date) -> Any:
    waits = (_slots.c.post_id == _posts.c.id) & (_slots.c.state == SlotState.OPEN)
    held = (_appointments.c.post_id == _posts.c.id) & in_force(_appointments.c, on)
    return (
        select(
            *(_posts.c[name] for name in ("id", "title", "kind")),
            _people.c.name,
            _appointments.c.id.label("appointment_id"),
            _appointments.c.starts_on,
            select(func.count()).where(waits).scalar_subquery().label("waiting"),
        )
        .outerjoin(_appointments, held)
        .outerjoin(_people, _people.c.id == _appointments.c.person_id)
        .where(_posts.c.organisation_id == unit_id, _posts.c.successor_id.is_(None))
        .order_by(_posts.c.rank, _posts.c.id)
    )


def _post_line(row: Row[Any]) -> PostLine:
    return PostLine(
        row.id,
        row.title,
        KIND_NAMES[row.kind],
        row.name or "",
        row.appointment_id,
        row.starts_on,
        row.waiting,
    )


def _past(db: Connection, unit_id: int) -> list[Former]:
    parents = _organisations.alias("parent")
    rows = db.execute(
        select(_former.c.name, parents.c.name.label("parent"), _former.c.ends_on)
        .outerjoin(parents, parents.c.id == _former.c.parent_id)
        .where(_former.c.organisation_id == unit_id)
        .order_by(_former.c.ends_on, _former.c.id)
    )
    return [Former(row.name, row.parent or "", last_day(row.ends_on)) for row in rows]
