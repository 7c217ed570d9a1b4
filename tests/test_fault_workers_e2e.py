"""Two workers on one case, and one that sleeps through its own replacement and wakes up."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from deployments.clock import now
from deployments.worker_name import dead, own_name
from models.audit import Audit, Command
from models.base import table
from models.casework import EffectState
from policy.calendar import local_day
from services.invariants import violations
from tests.prefect_house import House, until

_audit, _commands = table(Audit), table(Command)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    """A server, and the workers ``worker`` and ``other``."""
    folder = tmp_path_factory.mktemp("workers")
    shutil.copyfile(sqlite_template, folder / "fourduties.db")
    made = House(folder, f"sqlite:///{folder / 'fourduties.db'}")
    try:
        made.start_server()
        start_other(made)
        made.start_worker()
        yield made
    finally:
        for process in made.processes.values():
            os.killpg(process.pid, signal.SIGCONT)
        made.stop()


def start_other(house: House) -> None:
    """A second worker beside the one that may be there; they log into one file."""
    first = house.processes.pop("worker", None)
    house.start_worker()
    house.processes["other"] = house.processes.pop("worker")
    (house.folder / "other.log").touch()
    if first is not None:
        house.processes["worker"] = first


def finished(house: House) -> int:
    """How often a worker said what an effect came to."""
    query = select(func.count()).where(_commands.c.name == "effect.finish")
    with house.env.engine.connect() as db:
        return int(db.execute(query).scalar_one())


def recorded(house: House, effect_id: int) -> int:
    """How often the record says that an effect was done."""
    with house.env.engine.connect() as db:
        bodies = [json.loads(body) for body in db.execute(select(_audit.c.body)).scalars()]
    changes = [change for body in bodies for change in body.get("changes", ())]
    wanted = {"act": "effect_done", "effect": effect_id}
    return sum(change == wanted for change in changes)


def sound(house: House) -> list[str]:
    return [found.invariant for found in violations(house.env.engine, local_day(now()))]


def test_two_workers_do_each_effect_once_and_both_let_the_cases_end(house: House) -> None:
    numbers = [house.open() for _ in range(4)]
    for number in numbers:
        house.answer(number, "draft")
    done = [EffectState.DONE] * len(numbers)
    house.until(lambda: [house.effects(number)[0].state for number in numbers] == done, 150)
    for number in numbers:
        house.answer(number, "sign")
    ended = [("COMPLETED", "办结")] * len(numbers)
    house.until(lambda: [house.state(number) for number in numbers] == ended, 150)
    for number in numbers:
        (effect,) = house.effects(number)
        assert house.seen(number) == [f"effect-{effect.id}"]
        assert recorded(house, effect.id) == 1
    assert sound(house) == []


def test_a_worker_that_wakes_after_it_was_replaced_records_nothing_twice(house: House) -> None:
    house.kill("other")
    before = finished(house)
    (house.out / "hold").touch()
    number = house.open()
    house.answer(number, "draft")
    house.until(lambda: house.seen(number), 60)
    zombie = house.processes["worker"]
    os.killpg(zombie.pid, signal.SIGSTOP)
    start_other(house)
    house.until(lambda: len(house.seen(number)) == 2, 150)  # three heartbeats, and a minute's look
    (house.out / "hold").unlink()
    house.until(lambda: house.effects(number)[0].state == EffectState.DONE, 60)
    os.killpg(zombie.pid, signal.SIGCONT)
    house.until(lambda: finished(house) >= before + 2, 60)  # the late result was told, too
    (effect,) = house.effects(number)
    assert effect.attempts == 2
    assert set(house.seen(number)) == {f"effect-{effect.id}"}
    assert recorded(house, effect.id) == 1
    house.answer(number, "sign")
    house.until(lambda: house.state(number) == ("COMPLETED", "办结"), 60)
    assert sound(house) == []


@contextmanager
def sleeper() -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.communicate()


def test_a_stopped_worker_is_dead_once_the_server_misses_it() -> None:
    host = own_name().rsplit(".", 2)[0]
    with sleeper() as process:
        name = f"{host}.{process.pid}.{round(process.create_time() * 1000)}"
        assert dead([name], {}) == frozenset()
        process.suspend()
        until(lambda: process.status() == psutil.STATUS_STOPPED)
        assert dead([name], {name: True}) == frozenset()
        assert dead([name], {name: False}) == {name}
        process.resume()
        until(lambda: process.status() != psutil.STATUS_STOPPED)
        assert dead([name], {name: False}) == frozenset()
