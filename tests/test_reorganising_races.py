"""Two who change the same part of the tree at once both come to an end, whatever the ids."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from models.base import table
from models.organisation import Organisation
from services.batches.locking import lock_rows
from services.command import SYSTEM
from services.merging import close_unit, closure, ending, merge_unit
from services.organisers import Changed, unit_of
from services.reorganising import move_unit, moving
from services.splitting import Parts, split_unit, splitting
from tests.vacancy_scene import today, town
from tests.world import Clock, World

_organisations = table(Organisation)
_WAITING = text(
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""On SQLite a transaction writes alone."""


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    """The town, with a lower id, stands below the other unit."""
    for made in town(engine, Clock()):
        move(made, "town", "other")()
        assert made.organisations["town"] < made.organisations["other"]
        yield made


def path(world: World, unit: str) -> str:
    own = _organisations.c.id == world.organisations[unit]
    with world.env.engine.connect() as db:
        return str(db.execute(select(_organisations.c.path).where(own)).scalar_one())


def move(world: World, unit: str, to: str) -> Callable[[], object]:
    """The move of a unit below another one, as it is seen now."""
    of: dict[str, Any] = {"unit_id": world.organisations[unit], "to": world.organisations[to]}
    with world.env.engine.connect() as db:
        seen = moving(db, None, unit_of(db, None, of["unit_id"]), of["to"], today(world))
    return partial(move_unit, world.env, SYSTEM, **of, seen=seen.fingerprint, key=world.key())


def tried(act: Callable[[], object]) -> Exception | None:
    """What became of it: None, or why it was refused."""
    try:
        act()
    except Exception as error:
        return error
    return None


def merge(world: World) -> Callable[[], object]:
    """The other unit is merged into the district, and what stands below it goes there."""
    unit, into = world.organisations["other"], world.organisations["district"]
    targets = {world.posts["outsider"]: world.posts["district_member"]}
    with world.env.engine.connect() as db:
        seen = ending(db, None, unit_of(db, None, unit), into, targets, today(world)).moves
    of: dict[str, Any] = {"unit_id": unit, "into": into, "targets": targets}
    return partial(merge_unit, world.env, SYSTEM, **of, seen=seen.fingerprint, key=world.key())


def close(world: World) -> Callable[[], object]:
    """The other unit ends, and what stands below it goes to its superior."""
    unit = world.organisations["other"]
    targets = {world.posts["outsider"]: world.posts["district_member"]}
    with world.env.engine.connect() as db:
        seen = closure(db, None, unit_of(db, None, unit), targets, today(world)).moves
    of: dict[str, Any] = {"unit_id": unit, "targets": targets}
    return partial(close_unit, world.env, SYSTEM, **of, seen=seen.fingerprint, key=world.key())


def split(world: World) -> Callable[[], object]:
    """A part of the other unit becomes one beside it, with the town below."""
    unit = world.organisations["other"]
    parts = Parts(posts=(world.posts["outsider"],), children=(world.organisations["town"],))
    with world.env.engine.connect() as db:
        seen = splitting(db, None, unit_of(db, None, unit), parts, today(world)).moves
    of: dict[str, Any] = {"unit_id": unit, "parts": parts, "seen": seen.fingerprint}
    of |= {"code": "park", "name": "园区党工委", "short_name": "园区"}
    return partial(split_unit, world.env, SYSTEM, **of, key=world.key())


@pytest.mark.parametrize(
    "change", [lambda world: move(world, "other", "personnel"), merge, close, split]
)
def test_who_locks_units_as_an_import_does_and_who_changes_the_tree_both_end(
    world: World, engine: Engine, change: Callable[[World], Callable[[], object]]
) -> None:
    act, ids = change(world), world.organisations
    with ThreadPoolExecutor(1) as others, engine.begin() as db:
        db.exec_driver_sql("SET LOCAL deadlock_timeout = '10ms'")
        lock_rows(db, _organisations, [ids["town"]])
        begun = others.submit(act)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            assert any(watching.execute(_WAITING).first() for _ in range(20_000))
        lock_rows(db, _organisations, [ids["other"]])
    begun.result()
    assert f"/{ids['town']}/" in path(world, "town_discipline")


def test_two_moves_at_once_both_end_and_every_path_follows(world: World) -> None:
    both = [move(world, "other", "personnel"), move(world, "town", "district")]
    ids = world.organisations
    with ThreadPoolExecutor(2) as others:
        refused = [one for one in others.map(tried, both) if one is not None]
    assert len(refused) < 2
    assert all(isinstance(one, Changed) for one in refused), refused
    assert path(world, "other") == f"{path(world, 'personnel')}{ids['other']}/" or refused
    assert path(world, "town_discipline") == f"{path(world, 'town')}{ids['town_discipline']}/"
