"""What is there of the posts of some units: who holds them, what they are in charge of."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, Row, Select, select

from models.base import table
from models.organisation import (
    Appointment,
    Organisation,
    Person,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from services.batches.locking import alone, lock_rows
from services.batches.units import AT_ONCE, Units

_appointments = table(Appointment)
_organisations = table(Organisation)
_people = table(Person)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)
Title = tuple[str, str]
"""The code of a unit and the title of a post in it."""


@dataclass(frozen=True, slots=True)
class KnownPost:
    """A post; ``living``: not abolished."""

    id: int
    kind: PostKind
    rank: int
    living: bool


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """Somebody; ``code`` is the number by which imports know them, or None."""

    id: int
    name: str
    code: str | None


@dataclass(frozen=True, slots=True)
class KnownTerm:
    """An appointment."""

    id: int
    person: KnownPerson
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class KnownCharge:
    """A portfolio; ``over`` is the id of a unit."""

    id: int
    over: int | None
    area: int | None
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class KnownRelation:
    """A relation; ``organ`` is the id of an organisation."""

    id: int
    organ: int
    starts_on: date
    ends_on: date | None


@dataclass(slots=True)
class Known:
    """Posts, terms, charges and relations of the units that a file names."""

    posts: dict[Title, KnownPost] = field(default_factory=dict)
    titles: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The living posts of a unit, the leading one first."""
    terms: dict[Title, list[KnownTerm]] = field(default_factory=lambda: defaultdict(list))
    charges: dict[Title, list[KnownCharge]] = field(default_factory=lambda: defaultdict(list))
    relations: dict[tuple[str, RelationKind], list[KnownRelation]] = field(
        default_factory=lambda: defaultdict(list)
    )
    people: dict[str, KnownPerson] = field(default_factory=dict)
    """By their numbers, those whose number the file has."""

    @classmethod
    def of(
        cls,
        db: Connection,
        units: Units,
        codes: Iterable[str],
        numbers: Iterable[str],
        *,
        lock: bool = False,
    ) -> "Known":
        """Of the units with these codes, and the people with these numbers.

        ``lock``: nobody else appoints to the posts of these units until the transaction ends.
        """
        made = cls()
        ids = {units.known[c].id: c for c in set(codes) if c in units.known}
        titles = made._read_posts(db, ids, lock=lock)
        made._read_terms(db, titles)
        made._read_charges(db, titles)
        for row in _in(db, _RELATIONS, _relations.c.served_id, sorted(ids)):
            made.relations[ids[row.served_id], row.kind].append(
                KnownRelation(row.id, row.organ_id, row.starts_on, row.ends_on)
            )
        for row in _in(db, _PEOPLE, _people.c.code, sorted(set(numbers))):
            made.people[row.code] = KnownPerson(row.id, row.name, row.code)
        return made

    def _read_posts(self, db: Connection, ids: dict[int, str], *, lock: bool) -> dict[int, Title]:
        titles = {}
        if lock and not alone(db):
            own = _in(db, select(_posts.c.id), _posts.c.organisation_id, sorted(ids))
            lock_rows(db, _posts, [row.id for row in own])
        for row in _in(db, _POSTS, _posts.c.organisation_id, sorted(ids)):
            title = ids[row.organisation_id], row.title
            titles[row.id] = title
            living = row.successor_id is None
            self.posts[title] = KnownPost(row.id, row.kind, row.rank, living)
            if living:
                self.titles[title[0]].append(row.title)
        return titles

    def _read_terms(self, db: Connection, titles: dict[int, Title]) -> None:
        for row in _in(db, _TERMS, _appointments.c.post_id, sorted(titles)):
            person = KnownPerson(row.person_id, row.name, row.code)
            self.terms[titles[row.post_id]].append(
                KnownTerm(row.id, person, row.starts_on, row.ends_on)
            )

    def _read_charges(self, db: Connection, titles: dict[int, Title]) -> None:
        for row in _in(db, _CHARGES, _portfolios.c.post_id, sorted(titles)):
            self.charges[titles[row.post_id]].append(
                KnownCharge(row.id, row.unit_id, row.area, row.starts_on, row.ends_on)
            )


_POSTS = select(_posts).order_by(_posts.c.rank, _posts.c.id)
_TERMS = (
    select(_appointments, _people.c.name, _people.c.code)
    .join(_people, _people.c.id == _appointments.c.person_id)
    .order_by(_appointments.c.id)
)
_CHARGES = select(_portfolios).order_by(_portfolios.c.id)
_RELATIONS = select(_relations).order_by(_relations.c.id)
_PEOPLE = select(_people)


def _in(
    db: Connection, query: Select[tuple[object, ...]], column: object, values: Sequence[object]
) -> Iterator[Row[tuple[object, ...]]]:
    """The rows whose column has one of many values, some thousands at once."""
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        yield from db.execute(query.where(column.in_(some)))  # type: ignore[attr-defined]
