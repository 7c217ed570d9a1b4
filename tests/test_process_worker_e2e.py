"""Prefect's own process worker, selected by the setting, with a real server (issue 4)."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.prefect_commands import stock_worker_command
from deployments.prefect_settings import POOL
from tests import two_step
from tests.house import ROOT
from tests.prefect_house import House

SLOW = 180.0
"""Seconds: a process is started for each activation, and on a busy machine for a long time."""


class StockHouse(House):
    """A house whose runs are taken by Prefect's worker; its companion is another process."""

    def start_worker(self) -> None:
        command = stock_worker_command(self.settings)
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        env = {**command.env, **self.environment(), "PYTHONPATH": path}
        self.start("stock", command.argv, **env)

    def start_companion(self) -> None:
        command = stock_worker_command(self.settings)
        env = {**command.env, **self.environment()}
        self.start("companion", (command.argv[0], "-m", "tests.two_step_entry"), **env)


@pytest.fixture
def house(tmp_path: Path, sqlite_template: Path) -> Iterator[StockHouse]:
    shutil.copyfile(sqlite_template, tmp_path / "fourduties.db")
    made = StockHouse(tmp_path, f"sqlite:///{tmp_path / 'fourduties.db'}", worker="process")
    try:
        made.start_server()
        yield made
    finally:
        made.stop()


def test_a_case_goes_to_its_end_though_its_worker_is_killed(house: StockHouse) -> None:
    """And before that, a case whose run was made while our own worker took them."""
    House.start_worker(house)
    moved = house.open()
    house.until(lambda: house.state(moved) == ("PAUSED", "待办"), SLOW)
    old = house.case(moved).run_id
    house.kill("worker")

    (house.out / "hold").touch()
    house.start_companion()
    pool = f"/work_pools/{POOL}"
    house.until(lambda: house.http.get(pool).json().get("type") == "process", SLOW)
    house.start_worker()
    number = house.open()
    house.answer(number, "draft")
    house.until(lambda: house.seen(number), SLOW)
    house.kill("stock")
    (house.out / "hold").unlink()
    house.start_worker()
    house.until(lambda: [one.state for one in house.effects(number)] == ["done"], SLOW)
    assert set(house.seen(number)) == {f"effect-{house.effects(number)[0].id}"}
    house.answer(number, "sign")
    house.until(lambda: house.state(number) == ("COMPLETED", "办结"), SLOW)
    house.until(lambda: house.case(number).mirrored == "end", SLOW)

    house.answer(moved, "draft")
    house.until(lambda: [one.state for one in house.effects(moved)] == ["done"], SLOW)
    house.answer(moved, "sign")
    house.until(lambda: house.state(moved) == ("COMPLETED", "办结"), SLOW)
    assert house.case(moved).run_id != old
    entry = house.http.get(f"/deployments/name/{two_step.NAME}/{two_step.NAME}").json()
    assert entry["entrypoint"] == "tests.two_step_entry.two_step"
    house.until(lambda: house.runs_of("watch", "COMPLETED"), SLOW)
