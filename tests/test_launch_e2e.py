"""Launches by real processes that are killed, and their runs at a real Prefect server (rule H)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select

from deployments.clock import now
from models.base import table
from models.casework import Case, RunWake
from models.message import Message
from policy.calendar import local_day
from services.casework import mechanisms
from services.casework.launching import open_due
from services.command import SYSTEM
from services.database import reading
from services.env import Env
from services.inbox import Inbox, Item
from services.invariants import violations
from services.launch import launch
from services.scope import standing
from tests import two_step, world
from tests.many_towns import many_towns
from tests.prefect_house import House, running_house, until

CASES = 1000
QUEUE, PER_SECOND = 60, 8
"""How many runs are made, and how fast: what Prefect's server on SQLite takes on a busy machine."""
_cases, _messages = table(Case), table(Message)
_wakes = table(RunWake)
COMMAND = "import tests.two_step; from deployments.cli import app; app()"


def count(engine: Engine, query: Any) -> int:
    with reading(engine) as db:
        return int(db.execute(query).scalar_one())


def has(engine: Engine, query: Any, enough: int) -> bool:
    return count(engine, query) >= enough


def test_a_command_that_is_killed_and_started_again_opens_exactly_a_thousand(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    cast = world.build(Env(engine, now, mechanisms()))
    towns = many_towns(cast, CASES)
    opened = select(func.count()).select_from(_cases)
    for enough in (1, 400, 800):
        with launching(database_url, tmp_path) as command:
            until(partial(has, engine, opened, enough), 180)
            assert command.poll() is None
    with launching(database_url, tmp_path) as command:
        assert command.wait(timeout=240) == 0
    assert f"已启动 {CASES}／{CASES} 件" in (tmp_path / "said").read_text(encoding="utf-8")
    with reading(engine) as db:
        organisations = select(_cases.c.organisation_id).order_by(_cases.c.organisation_id)
        assert list(db.execute(organisations).scalars()) == towns
    assert inboxes(engine) == [1] * CASES
    assert [str(found) for found in violations(engine, local_day(now()))] == []
    queue = select(func.count(func.distinct(_wakes.c.case_id)))
    assert count(engine, queue) == CASES


@contextmanager
def launching(database_url: str, folder: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """``fourduties launch`` for every town of a district; kill -9 when it is left."""
    words = ("launch", two_step.NAME, "--under", "many", "--level", "街镇", "--name", "all")
    own = {"FOURDUTIES_DATA": str(folder / "data"), "FOURDUTIES_DATABASE_URL": database_url}
    with (folder / "said").open("wb") as said:
        command = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            env={**os.environ, **own},
            stdout=said,
            stderr=said,
        )
        try:
            yield command
        finally:
            command.kill()
            command.wait()


def inboxes(engine: Engine) -> list[int]:
    """How many wait on each person who was told of anything."""
    with reading(engine) as db:
        people = db.execute(select(_messages.c.person_id).distinct()).scalars().all()
        return [len(waiting(db, person_id)) for person_id in people]


def waiting(db: Connection, person_id: int) -> list[Item]:
    who = standing(db, person_id, local_day(now()))
    items = Inbox(who).items(db, now())
    assert {item.unit for item in items} == {post.organisation for post in who.posts}
    return items


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("launches")
    with running_house(folder, sqlite_template, runs_per_second=PER_SECOND) as made:
        yield made


@pytest.fixture(scope="module")
def towns(house: House) -> list[int]:
    """Where the launches of this house go to."""
    return many_towns(house.world, QUEUE)


def open_queue(house: House, towns: list[int]) -> None:
    """A launch whose first steps are all open; only the runs are missing."""
    launch(house.env, SYSTEM, key=house.world.key(), mechanism=two_step.NAME, organisations=towns)
    while open_due(house.env):
        pass


def test_runs_appear_paced_each_once_while_workers_are_killed_and_others_go_on(
    house: House, towns: list[int]
) -> None:
    works = house.open()
    house.until(lambda: house.state(works) == ("PAUSED", "待办"), 60)
    begun = now()
    open_queue(house, towns[: QUEUE // 2])
    house.until(lambda: 5 < queued(house) < QUEUE // 2 - 5)
    house.answer(works, "draft")
    house.until(lambda: house.effects(works)[0].state == "done")
    assert queued(house), "the effect waited for the queue"
    open_queue(house, towns[QUEUE // 2 :])
    for _ in range(2):
        left = queued(house)
        house.until(partial(shorter, house, left - 6))
        house.kill("worker")
        house.start_worker()
    house.until(lambda: not queued(house), 240)
    house.until(lambda: not house.unreconciled(), 60)
    created = sorted(
        datetime.fromisoformat(run["created"]) for run in house.runs() if run["name"] != works
    )
    made = [at for at in created if at >= begun]
    assert len(made) == QUEUE
    for first, at in enumerate(made):
        within = [one for one in made[first:] if one - at < timedelta(seconds=1)]
        assert len(within) <= 2 * PER_SECOND


def shorter(house: House, length: int) -> bool:
    return queued(house) < length


def queued(house: House) -> int:
    """How many cases wait for their run."""
    waits = _wakes.c.case_id == _cases.c.id
    query = select(func.count(func.distinct(_cases.c.id))).join(_wakes, waits)
    return count(house.env.engine, query.where(_cases.c.run_id.is_(None)))


def test_a_prefect_database_lost_in_the_middle_of_a_launch_is_filled_again(
    house: House, towns: list[int]
) -> None:
    open_queue(house, towns[:20])
    house.until(lambda: 3 < queued(house) < 17, 90)
    house.kill("server")
    for file in house.settings.data.glob("prefect.db*"):
        file.unlink()
    house.start_server()
    house.until(lambda: not queued(house) and not house.unreconciled(), 240)
    assert len(house.runs()) == count(house.env.engine, select(func.count()).select_from(_cases))
