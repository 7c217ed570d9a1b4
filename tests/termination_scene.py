"""Who ends a case before its time in tests, and what is seen of it afterwards (rule M)."""

from typing import Any

from sqlalchemy import select

from models.base import table
from models.casework import (
    Case,
)
from policy.calendar import local_day
from services.invariants import violations
from services.message import messages_for
from services.termination import terminate
from tests.parts_case import values
from tests.world import World

WHY = "上级机构改革，整改并入新单位"
_cases = table(Case)


def end(world: World, case_id: int, post: str = "district_secretary", **given: str) -> None:
    """End a case, as the secretary above."""
    given = {"reason": WHY, "key": world.key(), **given}
    terminate(world.env, world.actor(post), case_id=case_id, **given)


def case(world: World, case_id: int) -> Any:
    with world.env.engine.connect() as db:
        return db.execute(select(_cases).where(_cases.c.id == case_id)).one()


def holds(world: World) -> None:
    """Every invariant."""
    found = violations(world.env.engine, local_day(world.env.clock()))
    assert [str(violation) for violation in found] == []


def states(world: World, rows: Any) -> set[str]:
    return {str(state) for state in values(world, select(rows.c.state).distinct())}


def told(world: World, post: str) -> list[str]:
    """The titles that who holds a post reads."""
    with world.env.engine.connect() as db:
        return [said.title for said in messages_for(db, world.people[post])]
