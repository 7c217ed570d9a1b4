"""What is there of the posts of some units: who holds them, what they are in charge of."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, select

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
    """A post; ``living``: not abolished. ``title`` is what it is found by, kept once."""

    title: Title
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


Terms = Mapping[Title, Sequence[KnownTerm]]


class Known:
    """Posts, terms, charges and relations of the units that a file names.

    The posts are kept; the rest is read each time it is asked for, as a sheet is compared, and not
    kept beside the other sheets. ``digest`` is of every row that was read, in its order.
    """

    def __init__(
        self,
        db: Connection,
        units: Units,
        codes: Iterable[str],
        numbers: Iterable[str],
        *,
        lock: bool = False,
    ) -> None:
        """Of the units with these codes, and the people with these numbers.

        ``lock``: nobody else appoints to the posts of these units until the transaction ends.
        """
        self.posts: dict[Title, KnownPost] = {}
        self.titles: dict[str, list[str]] = defaultdict(list)
        """The living posts of a unit, the leading one first."""
        self._db, self._digest = db, hashlib.sha256()
        self._ids = {units.known[c].id: c for c in set(codes) if c in units.known}
        self._numbers = sorted(set(numbers))
        if lock and not alone(db):
            own = _in(db, select(_posts.c.id), _posts.c.organisation_id, sorted(self._ids))
            lock_rows(db, _posts, [row.id for row in own])
        self._of_post = self._read_posts()

    @property
    def digest(self) -> str:
        """The same for the same rows."""
        return self._digest.hexdigest()

    def read(self) -> None:
        """Read what a comparison reads, for the digest alone."""
        for rows in (self._terms(), self._people(), self._charges(), self._relations()):
            for _ in rows:
                pass

    def terms(self) -> tuple[Terms, Mapping[str, KnownPerson]]:
        """Who holds or held the posts; and the people with the numbers of the file by these."""
        holders: dict[int, KnownPerson] = {}
        terms: dict[Title, tuple[KnownTerm, ...]] = {}
        once: dict[Any, Any] = {}
        for row in self._terms():
            person = holders.get(row.person_id)
            if person is None:
                name = once.setdefault(row.name, row.name)
                person = holders[row.person_id] = KnownPerson(row.person_id, name, row.code)
            first, last = (once.setdefault(day, day) for day in (row.starts_on, row.ends_on))
            title = self._of_post[row.post_id]
            terms[title] = (*terms.get(title, ()), KnownTerm(row.id, person, first, last))
        people = {
            row.code: holders.get(row.id) or KnownPerson(row.id, row.name, row.code)
            for row in self._people()
        }
        return terms, people

    def charges(self) -> Iterator[tuple[Title, KnownCharge]]:
        """What the posts are in charge of."""
        for row in self._charges():
            charge = KnownCharge(row.id, row.unit_id, row.area, row.starts_on, row.ends_on)
            yield self._of_post[row.post_id], charge

    def relations(self) -> Iterator[tuple[str, RelationKind, KnownRelation]]:
        """The organs of the units, with the unit's code and what they are to it."""
        for row in self._relations():
            relation = KnownRelation(row.id, row.organ_id, row.starts_on, row.ends_on)
            yield self._ids[row.served_id], row.kind, relation

    def _read_posts(self) -> dict[int, Title]:
        titles: dict[int, Title] = {}
        once: dict[str, str] = {}
        for row in self._rows(_POSTS, _posts.c.organisation_id, self._ids):
            title = self._ids[row.organisation_id], once.setdefault(row.title, row.title)
            titles[row.id] = title
            living = row.successor_id is None
            self.posts[title] = KnownPost(title, row.id, row.kind, row.rank, living)
            if living:
                self.titles[title[0]].append(title[1])
        return titles

    def _terms(self) -> Iterator[Row[Any]]:
        return self._rows(_TERMS, _appointments.c.post_id, self._of_post)

    def _people(self) -> Iterator[Row[Any]]:
        return self._rows(_PEOPLE, _people.c.code, self._numbers)

    def _charges(self) -> Iterator[Row[Any]]:
        return self._rows(_CHARGES, _portfolios.c.post_id, self._of_post)

    def _relations(self) -> Iterator[Row[Any]]:
        return self._rows(_RELATIONS, _relations.c.served_id, self._ids)

    def _rows(
        self, query: Select[Any], column: Column[Any], values: Iterable[Any]
    ) -> Iterator[Row[Any]]:
        for row in _in(self._db, query, column, sorted(values)):
            self._digest.update(repr(row).encode())
            yield row


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
    db: Connection, query: Select[Any], column: Column[Any], values: Sequence[Any]
) -> Iterator[Row[Any]]:
    """The rows whose column has one of many values, some thousands at once."""
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        yield from db.execute(query.where(column.in_(some)))
