"""Whose a rung is: the route up from a slot, and who on it can be asked on a day (rule N)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.casework import Rung, Step
from models.organisation import Organisation, Post, RelationKind
from policy import ladder as ladders
from policy.calendar import Calendar
from policy.deadline import due_day
from policy.ladder import Route, RungKind, next_rung
from policy.route import Choice, Seat, choose
from services import posts
from services.policy import frozen
from services.post_names import names_of
from services.substitutes import instead_of

_ORGANS = {
    Route.INSPECTION: RelationKind.INSPECTION_OFFICE,
    Route.DISCIPLINE: RelationKind.DISCIPLINE,
}
Place = tuple[Route, int, int]
"""Where a route begins: the route, the slot's post, the case's organisation."""
Known = dict[Place, tuple[int, ...]]
"""Posts up a route, nearest first."""
_organisations = table(Organisation)
_posts = table(Post)
_rungs = table(Rung)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class NextRung:
    """What happens next if nobody answers. ``post`` is a name, '' when the route has nobody.

    A reminder or a due notice goes to the holder of the slot's own post.
    """

    at: datetime
    kind: RungKind
    post: str


@dataclass(frozen=True, slots=True)
class AskedOf:
    """A slot as far as its route goes; ``organisation_id`` is the case's."""

    slot_id: int
    post_id: int
    organisation_id: int
    rungs_fired: int
    mechanism: str


class Routes:
    """The routes up on one day. Their posts are looked up once; who holds them, each time.

    ``known`` may be shared by the transactions of one sweep.
    """

    def __init__(self, db: Connection, on: date, known: Known | None = None) -> None:
        self._db = db
        self._on = on
        self._known: Known = {} if known is None else known

    def choice(self, route: Route, slot: AskedOf) -> Choice:
        """Whom a rung of this route asks about a slot.

        A letter comes from the same office each time; only the way through the superiors goes on
        from those who were asked under the present deadline.
        """
        return self.choices([(route, slot)])[0]

    def choices(self, wanted: Sequence[tuple[Route, AskedOf]]) -> list[Choice]:
        """:meth:`choice` for many slots. What it asks grows with their posts, not with them."""
        ups = self._ups([_place(route, slot) for route, slot in wanted])
        asked = self._asked([slot.slot_id for route, slot in wanted if _goes_on(route, slot)])
        concerned = {slot.post_id for _, slot in wanted}.union(*ups, *asked.values())
        held = posts.holders(self._db, concerned, self._on)
        instead = instead_of(self._db, concerned, self._on)

        def seats(post_ids: Iterable[int], mechanism: str) -> Iterator[Seat]:
            for post_id in post_ids:
                holder = held[post_id].person_id if post_id in held else None
                others = (one for one in instead.get(post_id, ()) if one.covers(mechanism))
                yield Seat(post_id, holder, frozenset(one.substitute_id for one in others))

        return [
            choose(
                seats(up, slot.mechanism),
                next(seats((slot.post_id,), slot.mechanism)),
                seats(asked.get(slot.slot_id, ()), slot.mechanism),
            )
            for (_, slot), up in zip(wanted, ups, strict=True)
        ]

    def _ups(self, places: Sequence[Place]) -> list[tuple[int, ...]]:
        new: dict[Route, set[Place]] = defaultdict(set)
        for place in places:
            if place not in self._known:
                new[place[0]].add(place)
        for route, unknown in new.items():
            self._known |= self._found(route, unknown)
        return [self._known[place] for place in places]

    def _found(self, route: Route, places: set[Place]) -> Known:
        if route in _ORGANS:
            return self._organ_posts(_ORGANS[route], places)
        if route is Route.HOLDER:
            return dict.fromkeys(places, ())
        return {place: tuple(posts.superiors(self._db, place[1], self._on)) for place in places}

    def _organ_posts(self, kind: RelationKind, places: set[Place]) -> Known:
        """The heads of the committees' organs and of the higher ones; none is asked of its own."""
        own = self._organisations_of({post_id for _, post_id, _ in places})
        lines = self._upwards({organisation_id for _, _, organisation_id in places})
        served = {committee_id for line in lines.values() for committee_id in line}
        organs = posts.organs(self._db, served, kind, self._on)
        heads = posts.leading_posts(self._db, organs.values())

        def up(place: Place) -> Iterator[int]:
            _, post_id, organisation_id = place
            for committee_id in lines[organisation_id]:
                organ_id = organs.get(committee_id)
                if organ_id in heads and organ_id != own[post_id]:
                    yield heads[organ_id]

        return {place: tuple(dict.fromkeys(up(place))) for place in places}

    def _organisations_of(self, post_ids: set[int]) -> dict[int, int]:
        query = select(_posts.c.id, _posts.c.organisation_id).where(_posts.c.id.in_(post_ids))
        return {row.id: row.organisation_id for row in self._db.execute(query)}

    def _upwards(self, organisation_ids: set[int]) -> dict[int, list[int]]:
        columns = _organisations.c.id, _organisations.c.path
        rows = self._db.execute(select(*columns).where(columns[0].in_(organisation_ids)))
        return {
            row.id: [int(part) for part in reversed(row.path.split("/")) if part] for row in rows
        }

    def _asked(self, slot_ids: Sequence[int]) -> dict[int, list[int]]:
        """The posts asked about each slot under its present deadline."""
        asked: dict[int, list[int]] = defaultdict(list)
        if slot_ids:
            query = (
                select(_rungs.c.slot_id, _rungs.c.post_id)
                .join(_steps, _steps.c.id == _rungs.c.step_id)
                .where(
                    _rungs.c.slot_id.in_(slot_ids),
                    _rungs.c.deadline_version == _steps.c.deadline_version,
                    _rungs.c.post_id.is_not(None),
                )
            )
            for row in self._db.execute(query):
                asked[row.slot_id].append(row.post_id)
        return asked


def next_rungs(
    db: Connection, rows: Sequence[Row[Any]], on: date, calendar: Calendar
) -> dict[int, NextRung]:
    """What comes next on the ladders of open slots, for a page that shows them, by slot.

    A slot without a ladder, or after its last rung, is left out. A row has slot_id, post_id,
    mechanism, policy_id, organisation_id (of the case) and the step's due_key, due_at, ladder,
    rungs_fired, opened_at, next_rung_at.
    """
    found = [(row, rung) for row in rows if (rung := _next(db, row, calendar)) is not None]
    routed = [(rung.route, _asked_of(row)) for row, (rung, _) in found]
    upward = [(route, slot) for route, slot in routed if route is not Route.HOLDER]
    owners: dict[int, int | None] = {row.slot_id: row.post_id for row, _ in found}
    chosen = Routes(db, on).choices(upward) if upward else []
    for (_, slot), choice in zip(upward, chosen, strict=True):
        owners[slot.slot_id] = choice.post_id
    names = names_of(db, {post_id for post_id in owners.values() if post_id is not None})
    return {
        row.slot_id: NextRung(at, rung.kind, names.get(owners[row.slot_id] or 0, ""))
        for row, (rung, at) in found
    }


def _place(route: Route, slot: AskedOf) -> Place:
    return route, slot.post_id, slot.organisation_id if route in _ORGANS else 0


def _goes_on(route: Route, slot: AskedOf) -> bool:
    return route is Route.SUPERIOR and slot.rungs_fired > 0


def _next(
    db: Connection, row: Row[Any], calendar: Calendar
) -> tuple[ladders.Rung, datetime] | None:
    if row.next_rung_at is None or row.due_at is None:
        return None
    ladder = frozen(db, row.policy_id).ladder_for(row.ladder, row.due_key)
    if ladder is None:
        return None
    return next_rung(ladder, due_day(row.due_at), calendar, row.rungs_fired, row.opened_at)


def _asked_of(row: Row[Any]) -> AskedOf:
    return AskedOf(row.slot_id, row.post_id, row.organisation_id, row.rungs_fired, row.mechanism)
