"""Whose something is, always answered: who holds a post, which organ, who is in charge, who is
above, or a :class:`Gap` that says in Chinese what is missing (rules N and O; trap 9).

The same questions as :mod:`services.posts`, total, and for many at once: ``Whose(db, on)`` reads
what one question needs when it is asked, :meth:`Whose.know` reads it for thousands in a few
queries. What was read is kept: make a new one for another day or after a change.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from models.base import table
from models.organisation import (
    Appointment,
    Organisation,
    OrganisationKind,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from policy.subjects import SUBJECTS, Subject, serving
from policy.superiors import Station, committee_route, discipline_route
from services.posts import COMMITTEES, ORGAN_NAMES, Holder
from services.scope import in_force, post_name

_AT_ONCE = 10_000
_DISCIPLINE = (OrganisationKind.DISCIPLINE, OrganisationKind.STATIONED)
_appointments = table(Appointment)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)


class GapKind(StrEnum):
    """What is missing."""

    NO_ORGANISATION = "no_organisation"
    NO_POST = "no_post"
    VACANT = "vacant"
    NO_ORGAN = "no_organ"
    NO_SUPERIOR = "no_superior"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something is missing; ``words`` say what and of which organisation, in Chinese."""

    kind: GapKind
    words: str
    organisation_id: int | None = None
    post_id: int | None = None

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class Seat:
    """A post, what it is called, and its holder or the gap of it."""

    post_id: int
    name: str
    holder: Holder | Gap


@dataclass(frozen=True, slots=True)
class Superior:
    """The first filled post up the route, and the gaps that were passed on the way to it."""

    seat: Seat
    passed: tuple[Gap, ...] = ()


@dataclass(slots=True)
class Whose:
    """Answers for one day. Organisations and posts that are not there are gaps as well."""

    db: Connection
    on: date
    _units: dict[int, Row[Any] | None] = field(default_factory=dict)
    _seats: dict[int, Row[Any] | None] = field(default_factory=dict)
    _holders: dict[int, Holder] = field(default_factory=dict)
    _posts_of: dict[int, list[Row[Any]]] = field(default_factory=lambda: defaultdict(list))
    _organs: dict[tuple[int, RelationKind], int] = field(default_factory=dict)
    _over: dict[int, list[tuple[int | None, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _areas: dict[tuple[int, int], int] = field(default_factory=dict)

    def know(self, organisations: Iterable[int] = (), posts: Iterable[int] = ()) -> None:
        """Read what questions about these will need: their lines upwards with all that counts."""
        asked = set(posts)
        self._read_seats(_SEATS, _posts.c.id, asked)
        wanted = set(organisations)
        wanted |= {row.organisation_id for p in asked if (row := self._seats[p]) is not None}
        charged: set[int] = set()
        while wanted := {unit for unit in wanted if unit not in self._units}:
            new = self._read_units(wanted)
            self._read_seats(_LIVING, _posts.c.organisation_id, {row.id for row in new})
            organs = self._read_organs({row.id for row in new})
            charged |= self._read_charges({row.id for row in new})
            wanted = organs | {unit for row in new for unit in _ids(row.path)}
        self._read_seats(_SEATS, _posts.c.id, charged)

    def who(self, post_id: int) -> Holder | Gap:
        """Who holds a post, or that nobody does."""
        self._read_seats(_SEATS, _posts.c.id, {post_id})
        if self._seats[post_id] is None:
            return Gap(GapKind.NO_POST, f"没有编号为 {post_id} 的职务", post_id=post_id)
        return self._seat(post_id).holder

    def organ(self, organisation_id: int, kind: RelationKind) -> int | Gap:
        """The id of the organ of a kind that serves an organisation, or the nearest above.

        The discipline organ is that of the committee it belongs to, by the table of the four
        subjects: of a 党组 only its own 派驻机构 counts (R6-2).
        """
        line = self._line(organisation_id)
        if not line:
            return _no_organisation(organisation_id)
        found = serving(
            [row.kind for row in line],
            [self._organ_of(row.id, kind) for row in line],
            discipline=kind is RelationKind.DISCIPLINE,
            name=ORGAN_NAMES[kind],
        )
        if isinstance(found, int):
            return found
        return Gap(GapKind.NO_ORGAN, f"{line[0].name}{found}", organisation_id)

    def leader_in_charge(self, organisation_id: int, area: int | None = None) -> Seat | Gap:
        """The leader in charge (分管领导), as :func:`services.posts.leader_in_charge` finds it."""
        line = self._line(organisation_id)
        if not line:
            return _no_organisation(organisation_id)
        found = self._leader(line, area)
        if found is None:
            gap = f"{line[0].name}没有分管领导，也没有设置可以代为负责的书记职务"
            return Gap(GapKind.NO_POST, gap, organisation_id)
        return self._seat(found)

    def superior(self, post_id: int) -> Superior | Gap:
        """The first post above that somebody else holds, and who is missing on the way (rule N)."""
        self.know(posts=(post_id,))
        if self._seats[post_id] is None:
            return Gap(GapKind.NO_POST, f"没有编号为 {post_id} 的职务", post_id=post_id)
        own = self._seat(post_id)
        passed: list[Gap] = []
        for above in self._route(post_id):
            seat = self._seat(above)
            if isinstance(seat.holder, Gap):
                passed.append(seat.holder)
            elif _person(own.holder) == seat.holder.person_id:
                gap = f"{seat.name}与{own.name}是同一人"
                passed.append(Gap(GapKind.NO_SUPERIOR, gap, post_id=above))
            else:
                return Superior(seat, tuple(passed))
        missing = "、".join(gap.words for gap in passed) or "没有上级职务"
        return Gap(GapKind.NO_SUPERIOR, f"{own.name}之上：{missing}", post_id=post_id)

    def subjects(self, organisation_id: int) -> dict[Subject, tuple[Seat, ...] | Gap]:
        """The four subjects of a Party organisation (R3.1-1, R6-2): who answers as each.

        The committee answers through all its leaders, the discipline organ through its head. Empty
        for what is no committee, 党组 or Party organisation of an enterprise.
        """
        line = self._line(organisation_id)
        own = SUBJECTS.get(str(line[0].kind)) if line else None
        if own is None:
            return {}
        posts = self._posts_of.get(organisation_id, [])
        leads = [self._seat(row.id) for row in posts if row.rank == 0][:1]
        members = [self._seat(row.id) for row in posts if row.kind is PostKind.MEMBER]
        organ = self.organ(organisation_id, RelationKind.DISCIPLINE)

        def some(subject: Subject, seats: Sequence[Seat]) -> tuple[Seat, ...] | Gap:
            gap = f"{line[0].name}没有设置{own.names[subject]}职务"
            return tuple(seats) or Gap(GapKind.NO_POST, gap, organisation_id)

        return {
            Subject.COMMITTEE: some(Subject.COMMITTEE, [*leads, *members]),
            Subject.DISCIPLINE: organ if isinstance(organ, Gap) else self._head(organ),
            Subject.SECRETARY: some(Subject.SECRETARY, leads),
            Subject.MEMBER: some(Subject.MEMBER, members),
        }

    def _head(self, organ_id: int) -> tuple[Seat, ...] | Gap:
        lead = self._lead(organ_id)
        if lead is not None:
            return (self._seat(lead),)
        unit = self._units[organ_id]
        assert unit is not None
        return Gap(GapKind.NO_POST, f"{unit.name}没有设置主要负责人职务", organ_id)

    def _organ_of(self, organisation_id: int, kind: RelationKind) -> tuple[int, str] | None:
        unit = self._units.get(self._organs.get((organisation_id, kind), 0))
        return None if unit is None else (unit.id, unit.kind)

    def _line(self, organisation_id: int) -> list[Row[Any]]:
        """The organisation and those above it, the nearest first; empty if it is not there."""
        self.know((organisation_id,))
        unit = self._units[organisation_id]
        above = (self._units.get(i) for i in reversed(_ids(unit.path))) if unit else ()
        return [row for row in above if row is not None]

    def _seat(self, post_id: int) -> Seat:
        if self._seats.get(post_id) is None:
            self._read_seats(_SEATS, _posts.c.id, {post_id})
        row = self._seats[post_id]
        assert row is not None
        name = post_name(row.short_name, row.title)
        gap = Gap(GapKind.VACANT, f"{name}无人任职", row.organisation_id, post_id)
        return Seat(post_id, name, self._holders.get(post_id, gap))

    def _lead(self, organisation_id: int | None) -> int | None:
        posts = self._posts_of.get(organisation_id or 0, ())
        return next((row.id for row in posts if row.rank == 0), None)

    def _leader(self, line: Sequence[Row[Any]], area: int | None) -> int | None:
        place = _place(line)
        below = [row.id for row in line[:place]]
        if area is None and not below:
            below = [line[0].id]
        found = self._in_charge(below, area)
        if place == len(line) or found is not None:
            return found
        committee = line[place].id
        of_area = self._areas.get((committee, area)) if area is not None else None
        return self._lead(committee) if of_area is None else of_area

    def _in_charge(self, units: Iterable[int], area: int | None) -> int | None:
        """Over one of ``units`` (nearest first), for an area before for all."""
        for unit_id in units:
            over = self._over.get(unit_id, ())
            for wanted in (area, None):
                found = next((post for of, post in over if of == wanted), None)
                if found is not None:
                    return found
        return None

    def _route(self, post_id: int) -> list[int]:
        own = self._seats[post_id]
        assert own is not None
        line = self._line(own.organisation_id)
        if line[0].kind in _DISCIPLINE:
            return self._discipline_route(post_id, line)
        places = [n for n, row in enumerate(line) if row.kind in COMMITTEES]
        stations = [
            Station(self._in_charge([line[n - 1].id], None) if n else None, self._lead(line[n].id))
            for n in places
        ]
        organs = (self._organs.get((line[n].id, RelationKind.DISCIPLINE)) for n in places[::-1])
        top = next((organ for organ in organs if organ is not None), None)
        return committee_route(post_id, stations, self._lead(top))

    def _discipline_route(self, post_id: int, line: Sequence[Row[Any]]) -> list[int]:
        route: list[int] = []
        at: int | None = line[0].id
        while at is not None and at not in route:
            route.append(at)
            at = self._organs.get((at, RelationKind.SUPERIOR_DISCIPLINE))
        place = _place(line)
        secretary = self._lead(line[place].id) if place < len(line) else None
        return discipline_route(post_id, [self._lead(organ) for organ in route], secretary)

    def _read_seats(self, query: Select[Any], column: ColumnElement[int], values: set[int]) -> None:
        """Posts with what they are called, and who holds them."""
        if column is _posts.c.id:
            values = {post for post in values if post not in self._seats}
            self._seats |= dict.fromkeys(values)
        if not values:
            return
        read = {row.id: row for row in _in(self.db, query, column, values)}
        if column is not _posts.c.id:
            for row in read.values():
                self._posts_of[row.organisation_id].append(row)
        holding = _HOLDERS.where(in_force(_appointments.c, self.on))
        for held in _in(self.db, holding, _appointments.c.post_id, read.keys()):
            self._holders[held.post_id] = Holder(held.person_id, held.id)
        self._seats |= read

    def _read_units(self, wanted: set[int]) -> list[Row[Any]]:
        self._units |= dict.fromkeys(wanted)
        new = list(_in(self.db, _UNITS, _organisations.c.id, wanted))
        self._units |= {row.id: row for row in new}
        return new

    def _read_organs(self, served: set[int]) -> set[int]:
        query = _RELATIONS.where(in_force(_relations.c, self.on))
        organs = set()
        for row in _in(self.db, query, _relations.c.served_id, served):
            organs.add(self._organs.setdefault((row.served_id, row.kind), row.organ_id))
        return organs

    def _read_charges(self, units: set[int]) -> set[int]:
        """Who is in charge of these units, and in these committees of areas; the posts."""
        query = _CHARGES.where(in_force(_portfolios.c, self.on))
        posts = set()
        for row in _in(self.db, query, _portfolios.c.unit_id, units):
            self._over[row.unit_id].append((row.area, row.post_id))
            posts.add(row.post_id)
        of_area = query.where(_portfolios.c.unit_id.is_(None), _portfolios.c.area.is_not(None))
        for row in _in(self.db, of_area, _posts.c.organisation_id, units):
            self._areas.setdefault((row.organisation_id, row.area), row.post_id)
            posts.add(row.post_id)
        return posts


_UNITS = select(
    _organisations.c.id, _organisations.c.name, _organisations.c.kind, _organisations.c.path
)
_SEATS = select(
    _posts.c.id,
    _posts.c.organisation_id,
    _posts.c.kind,
    _posts.c.title,
    _posts.c.rank,
    _organisations.c.short_name,
).join(_organisations, _organisations.c.id == _posts.c.organisation_id)
_LIVING = _SEATS.where(_posts.c.successor_id.is_(None)).order_by(_posts.c.rank, _posts.c.id)
_HOLDERS = select(_appointments.c.post_id, _appointments.c.person_id, _appointments.c.id).order_by(
    _appointments.c.starts_on, _appointments.c.id
)
_RELATIONS = select(_relations.c.served_id, _relations.c.kind, _relations.c.organ_id).order_by(
    _relations.c.id
)
_CHARGES = (
    select(
        _portfolios.c.unit_id,
        _portfolios.c.area,
        _portfolios.c.post_id,
        _posts.c.organisation_id,
    )
    .join(_posts, _posts.c.id == _portfolios.c.post_id)
    .where(_posts.c.successor_id.is_(None))
    .order_by(_posts.c.rank, _posts.c.id)
)


def _in(
    db: Connection, query: Select[Any], column: ColumnElement[int], values: Iterable[int]
) -> Iterator[Row[Any]]:
    """The rows whose column has one of many values, some thousands at once."""
    wanted = sorted(values)
    for start in range(0, len(wanted), _AT_ONCE):
        yield from db.execute(query.where(column.in_(wanted[start : start + _AT_ONCE])))


def _person(holder: Holder | Gap) -> int | None:
    return None if isinstance(holder, Gap) else holder.person_id


def _ids(path: str) -> list[int]:
    return [int(part) for part in path.split("/") if part]


def _place(line: Sequence[Row[Any]]) -> int:
    """Where the nearest committee stands; the length of the line if there is none."""
    return next((n for n, row in enumerate(line) if row.kind in COMMITTEES), len(line))


def _no_organisation(organisation_id: int) -> Gap:
    gap = f"没有编号为 {organisation_id} 的组织"
    return Gap(GapKind.NO_ORGANISATION, gap, organisation_id)
