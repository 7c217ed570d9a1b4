"""A launch that is run again, or that a wrong clock put off: nobody gets a second case, or none."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models.base import table
from models.casework import Case
from models.operating import LaunchTarget
from policy.calendar import instant_on
from services.casework import mechanisms
from services.casework.launching import open_due
from services.command import SYSTEM
from services.env import Env
from services.launch import key_of, launch, launch_progress, usual_name
from tests import two_step
from tests.conftest import SettableClock
from tests.many_towns import many_towns
from tests.world import World, build

TOWNS = 5
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(name="cast")
def _cast(env: Env) -> World:
    return build(replace(env, mechanisms=mechanisms()))


@pytest.fixture(name="towns")
def _towns(cast: World) -> list[int]:
    return many_towns(cast, TOWNS)


def begin(cast: World, towns: list[int], key: str) -> int:
    return launch(cast.env, SYSTEM, key=key, mechanism=two_step.NAME, organisations=towns)


def cases(cast: World) -> Any:
    with cast.env.engine.connect() as db:
        return db.execute(select(func.count()).select_from(table(Case))).scalar_one()


def test_without_a_name_and_after_midnight_it_is_the_same_for_half_a_day(
    cast: World, towns: list[int], clock: SettableClock
) -> None:
    clock.set(instant_on(date(2026, 3, 2), 23) + 59 * MINUTE)
    for _ in range(3):
        begin(cast, towns, key_of(usual_name(cast.env, two_step.NAME)))
        while open_due(cast.env):
            pass
        clock.forward(2 * HOUR)
    assert cases(cast) == TOWNS
    clock.forward(12 * HOUR)
    assert usual_name(cast.env, two_step.NAME) == f"{two_step.NAME} 2026-03-03"


def test_what_was_parked_by_a_clock_that_was_ahead_does_not_wait_for_that_day(
    cast: World, towns: list[int], clock: SettableClock
) -> None:
    launch_id = begin(cast, towns, "launch")
    targets = table(LaunchTarget)
    with cast.env.engine.begin() as db:
        put_off = {"attempts": 1, "try_at": clock() + timedelta(days=30)}
        one = targets.c.organisation_id == towns[0]
        db.execute(update(targets).where(one).values(put_off))
    while open_due(cast.env):
        pass
    assert launch_progress(cast.env, launch_id)[0].done
