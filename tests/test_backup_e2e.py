"""The restore drill: an older copy of ours meets a newer Prefect, and every case goes on."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployments.backup import Part, back_up
from deployments.clock import now
from deployments.restore import restore
from services.casework import open_case
from services.command import Work
from services.invariants import violations
from tests import two_step
from tests.prefect_house import House


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    made = House(tmp_path, database_url)
    made.start_server()
    made.start_worker()
    yield made
    made.stop()


def open_as(house: House, number: str) -> None:
    """A case under a number that was given out before, to a case that is forgotten now."""

    def act(work: Work) -> dict[str, Any]:
        town = house.world.organisations["town"]
        case_id = open_case(
            work, mechanism=two_step.NAME, organisation_id=town, number=number, urgent=False
        )
        return {"case": case_id}

    house.world.do(act)


def name_of(house: House, run_id: str) -> str:
    """The name of a run's state, whoever's it is."""
    return str(house.http.get(f"/flow_runs/{run_id}").json()["state"]["name"])


def shows(house: House, number: str, kind: str, name: str) -> None:
    house.until(lambda: house.state(number) == (kind, name), 90)


def finish(house: House, number: str) -> None:
    """After the draft: its effect, the other step, the end."""
    house.until(lambda: house.effects(number)[0].state == "done", 60)
    house.answer(number, "sign")
    shows(house, number, "COMPLETED", "办结")


def test_an_older_copy_goes_on_with_a_newer_prefect(house: House) -> None:
    goes_on, waits = house.open(), house.open()
    for number in (goes_on, waits):
        shows(house, number, "PAUSED", "待办")
    saved = back_up(house.settings, house.folder / "backups", now(), [Part.DATABASE])

    house.answer(goes_on, "draft")
    finish(house, goes_on)
    forgotten = house.open()
    shows(house, forgotten, "PAUSED", "待办")
    orphan = house.case(forgotten).run_id

    house.kill("worker")
    house.env.engine.dispose()
    restore(house.settings, saved, [Part.DATABASE])
    open_as(house, forgotten)
    house.start_worker()

    house.until(lambda: name_of(house, orphan) == "Restored", 90)
    house.until(lambda: house.case(forgotten).run_id not in (None, orphan), 60)
    for number in (goes_on, waits, forgotten):
        house.answer(number, "draft")
        finish(house, number)
    assert list(violations(house.env.engine, datetime.now(UTC).date())) == []
