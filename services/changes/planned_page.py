"""Planned changes of units as pages show them: what waits for its day, and what was halted."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Connection, Row, select

from models.base import table
from models.organisation import Organisation, Person
from models.planned_change import PlannedChange, PlannedState
from services.organisers import organises
from services.scope import Standing

MOST = 50
_SHOWN = (PlannedState.WAITING, PlannedState.BEGUN, PlannedState.HALTED)
_organisations = table(Organisation)
_people = table(Person)
_planned = table(PlannedChange)


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned change; of a halted one ``changed`` says of each kind of thing how many came and
    how many went, ``why`` what refused it, and ``again`` is the address of its form as filled in.
    """

    id: int
    what: str
    unit_id: int
    unit: str
    due_on: date
    by: str
    halted: bool
    begun: bool
    changed: tuple[tuple[str, int, int], ...]
    why: str
    again: str
    mine: bool
    """Whether the person may withdraw it."""


def plans(db: Connection, who: Standing, units: ColumnElement[bool]) -> list[Plan]:
    """The planned changes of the units for which a condition on ``organisation`` holds, those that
    were halted first, then by their day; at most :data:`MOST`."""
    columns = ("id", "what", "unit_id", "given", "due_on", "state", "outcome")
    rows = db.execute(
        select(
            *(_planned.c[name] for name in columns),
            _organisations.c.short_name,
            _organisations.c.path,
            _people.c.name.label("by"),
        )
        .join(_organisations, _organisations.c.id == _planned.c.unit_id)
        .join(_people, _people.c.id == _planned.c.made_by)
        .where(units, _planned.c.state.in_(_SHOWN))
        .order_by(_planned.c.state == PlannedState.WAITING, _planned.c.due_on, _planned.c.id)
        .limit(MOST)
    )
    return [_plan(row, organises(who)) for row in rows]


def of_unit(db: Connection, who: Standing, unit_id: int) -> list[Plan]:
    """The planned changes of one unit; whoever calls has looked at who may see it."""
    return plans(db, who, _organisations.c.id == unit_id)


def _plan(row: Row[Any], above: tuple[str, ...]) -> Plan:
    outcome = row.outcome or {}
    given = [(name, value) for name, values in row.given.items() for value in values]
    query = urlencode([*given, ("planned", row.id)])
    return Plan(
        id=row.id,
        what=row.what,
        unit_id=row.unit_id,
        unit=row.short_name,
        due_on=row.due_on,
        by=row.by,
        halted=row.state == PlannedState.HALTED,
        begun=row.state == PlannedState.BEGUN,
        changed=tuple((name, *both) for name, both in outcome.get("changed", {}).items()),
        why=outcome.get("why", ""),
        again=f"/changes/{row.what}/{row.unit_id}?{query}",
        mine=bool(above) and row.path.startswith(above),
    )
