"""A town whose posts change hands: the cast with the mechanism of vacancies."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, select

import flows.vacancy
from models.base import table
from models.organisation import Appointment
from models.vacancy import Vacancy
from policy.calendar import local_day
from services.appointing import appoint, leave, leaving
from services.casework import drain, mechanisms
from services.command import SYSTEM
from services.invariants import violations
from tests import parts
from tests.parts_case import cast
from tests.world import Clock, World

MECHANISM = flows.vacancy.vacancy.__name__
_appointments = table(Appointment)
_vacancies = table(Vacancy)


def town(engine: Engine, clock: Clock) -> Iterator[World]:
    """For a fixture: the cast of ``tests.parts`` whose vacancies are cases."""
    for world in cast(engine, clock):
        world.env = replace(world.env, mechanisms={**mechanisms(), **parts.EDITION})
        yield world


def settle(world: World) -> None:
    """Whatever a commit left to do is done."""
    while drain(world.env):
        pass


def today(world: World) -> date:
    return local_day(world.env.clock())


def holding(world: World, post: str) -> int:
    """The appointment by which a post is held."""
    mine = _appointments.c.post_id == world.posts[post], _appointments.c.ends_on.is_(None)
    with world.env.engine.connect() as db:
        return int(db.execute(select(_appointments.c.id).where(*mine)).scalar_one())


def gone(world: World, post: str, *, in_days: int = 0) -> None:
    """Whoever holds the post leaves it."""
    with world.env.engine.connect() as db:
        seen = leaving(db, None, holding(world, post), today(world))
    leave(
        world.env,
        SYSTEM,
        appointment_id=seen.appointment_id,
        ends_on=today(world) + timedelta(days=in_days),
        seen=seen.moves.fingerprint,
        key=world.key(),
    )


def come(world: World, post: str, name: str = "接任者", *, in_days: int = 0) -> int:
    """Somebody new takes the post."""
    starts_on = today(world) + timedelta(days=in_days)
    of: Any = {"post_id": world.posts[post], "starts_on": starts_on, "name": name}
    return appoint(world.env, SYSTEM, **of, key=world.key())


def vacant(world: World, *, ended: bool = False) -> list[str]:
    """The posts with an open vacancy, or one that ended."""
    names = {post_id: name for name, post_id in world.posts.items()}
    over = _vacancies.c.ended_at.is_not(None) if ended else _vacancies.c.ended_at.is_(None)
    with world.env.engine.connect() as db:
        found = db.execute(select(_vacancies.c.post_id).where(over).order_by(_vacancies.c.id))
        return [names[post_id] for post_id in found.scalars()]


def holds(world: World) -> None:
    """Every invariant."""
    found = violations(world.env.engine, today(world))
    assert [str(violation) for violation in found] == []
