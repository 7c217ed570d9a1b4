"""What hangs on posts and units before they change: counted for people, fingerprinted for the
command (compare-and-set: what was confirmed is what is carried out). What begins later counts."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from models.base import table
from models.casework import Case, CaseState, Slot, SlotState
from models.organisation import Appointment, Organisation, Portfolio, Post, Relation
from services.audit import canonical

_appointments = table(Appointment)
_cases = table(Case)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)
_slots = table(Slot)


@dataclass(frozen=True, slots=True)
class Moves:
    """Ids of what moves or ends, each in order: an id says all, since rows are never reused."""

    units: tuple[int, ...] = ()
    posts: tuple[int, ...] = ()
    appointments: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()
    portfolios: tuple[int, ...] = ()
    relations: tuple[int, ...] = ()
    cases: tuple[int, ...] = ()
    places: tuple[str, ...] = ()
    """Paths of the units that change, and of what they are put under: nothing to be counted."""

    @property
    def fingerprint(self) -> str:
        """What is given back with the confirmation."""
        said = canonical({name: list(ids) for name, ids in asdict(self).items()})
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {name: len(ids) for name, ids in asdict(self).items() if name != "places"}


def of_posts(db: Connection, post_ids: Collection[int], on: date) -> Moves:
    """What hangs on these posts: who holds them or will, what waits on them, what they lead."""
    posts = sorted(set(post_ids))
    later = or_(_appointments.c.ends_on.is_(None), _appointments.c.ends_on > on)
    waiting = _slots.c.post_id.in_(posts), _slots.c.state == SlotState.OPEN
    led = _portfolios.c.post_id.in_(posts), lasting(_portfolios.c, on)
    return Moves(
        posts=tuple(posts),
        appointments=_ids(db, _appointments.c.id, _appointments.c.post_id.in_(posts), later),
        slots=_ids(db, _slots.c.id, *waiting),
        portfolios=_ids(db, _portfolios.c.id, *led),
    )


def of_units(db: Connection, unit_ids: Sequence[int], on: date) -> Moves:
    """What hangs on these units and their living posts; portfolios also those over the units."""
    mine = _posts.c.organisation_id.in_(unit_ids), _posts.c.successor_id.is_(None)
    posts = of_posts(db, _ids(db, _posts.c.id, *mine), on)
    led = or_(_portfolios.c.unit_id.in_(unit_ids), _portfolios.c.post_id.in_(posts.posts))
    ties = or_(_relations.c.organ_id.in_(unit_ids), _relations.c.served_id.in_(unit_ids))
    running = _cases.c.organisation_id.in_(unit_ids), _cases.c.state == CaseState.OPEN
    return Moves(
        units=tuple(sorted(unit_ids)),
        posts=posts.posts,
        appointments=posts.appointments,
        slots=posts.slots,
        portfolios=_ids(db, _portfolios.c.id, led, lasting(_portfolios.c, on)),
        relations=_ids(db, _relations.c.id, ties, lasting(_relations.c, on)),
        cases=_ids(db, _cases.c.id, *running),
        places=places_of(db, unit_ids),
    )


def places_of(db: Connection, unit_ids: Collection[int]) -> tuple[str, ...]:
    """The paths of units, in the order of their ids."""
    mine = _organisations.c.id.in_(unit_ids)
    query = select(_organisations.c.path).where(mine).order_by(_organisations.c.id)
    return tuple(db.execute(query).scalars())


def lasting(dated: ReadOnlyColumnCollection[str, Any], on: date) -> ColumnElement[bool]:
    """In force on a day, or to be later; not what was taken back before it began."""
    ends = and_(dated.ends_on > on, dated.ends_on > dated.starts_on)
    return or_(dated.ends_on.is_(None), ends)


def below(db: Connection, path: str) -> tuple[int, ...]:
    """The living units of a subtree, its top included."""
    within = _organisations.c.path.startswith(path, autoescape=True)
    return _ids(db, _organisations.c.id, within, _organisations.c.ends_on.is_(None))


def _ids(
    db: Connection, column: ColumnElement[int], *conditions: ColumnElement[bool]
) -> tuple[int, ...]:
    found = db.execute(select(column).where(*conditions).order_by(column))
    return tuple(int(id_) for id_ in found.scalars())
