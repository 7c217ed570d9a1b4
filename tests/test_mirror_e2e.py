"""What Prefect shows and is told of cases, with a real server and a real worker (rule G)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from deployments.clock import now
from models.base import table
from models.casework import Step
from models.operating import RunEvent
from services.command import Work
from services.run_events import CASE_ENDED, EFFECT_FAILED, RUNG, tell_prefect
from services.run_events import INSTALLATION as OF_HOUSE
from services.watch import sweep
from tests import two_step
from tests.prefect_house import House, running_house

OLD, GROUPS = 22, 10
"""So many events Prefect writes to SQLite in one transaction, and in more than one statement."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("house"), sqlite_template) as made:
        yield made


def artifacts(house: House, number: str) -> dict[str, Any]:
    """What Prefect's page of the case's run shows: artifacts by kind."""
    run_id = house.case(number).run_id
    run = {"flow_runs": {"id": {"any_": [run_id] if run_id else []}}}
    found = house.http.post("/artifacts/filter", json=run).json()
    kinds = {one["type"]: one for one in found}
    assert len(kinds) == len(found)
    return kinds


def rows(house: House, number: str) -> list[tuple[str, str]]:
    """The table's steps and states."""
    shown = artifacts(house, number).get("table")
    return [(row["承担"], row["状态"]) for row in json.loads(shown["data"])] if shown else []


def events(house: House, resource: str) -> list[dict[str, Any]]:
    """The events that Prefect keeps of a resource, oldest first."""
    body = {"filter": {"resource": {"id": [resource]}, "order": "ASC"}}
    answer = house.http.post("/events/filter", json=body)
    answer.raise_for_status()
    return list(answer.json()["events"])


def total(house: House, resource: str) -> int:
    """How many events of a resource Prefect keeps."""
    body = {"filter": {"resource": {"id": [resource]}}, "limit": 1}
    return int(house.http.post("/events/filter", json=body).raise_for_status().json()["total"])


def an_event(resource: str) -> dict[str, Any]:
    """One as a client of Prefect's sends it."""
    return {
        "id": str(uuid4()),
        "event": "fourduties.test",
        "occurred": now().isoformat(),
        "resource": {"prefect.resource.id": resource},
        "related": [
            {"prefect.resource.id": f"{resource}.{number}", "prefect.resource.role": "test"}
            for number in range(6)
        ],
    }


def untold(house: House) -> int:
    with house.env.engine.connect() as db:
        return len(db.execute(select(table(RunEvent).c.id)).all())


def tell(house: House, key: str) -> None:
    def act(work: Work) -> dict[str, int]:
        tell_prefect(work, "fourduties.outbox.growing", key, None, {"waiting": 7})
        return {}

    house.world.do(act)


def test_table_and_link_follow_a_decision_without_running_the_flow(house: House) -> None:
    number = house.open(two_step.TWO_SIGNS)
    house.until(lambda: len(artifacts(house, number)) == 2)
    assert rows(house, number) == [("梧桐路街道党工委联络员", "待办")]
    link = artifacts(house, number)["markdown"]
    assert link["data"] == f"[{number}]({house.env.base_url}/cases/{house.case(number).id})"
    house.answer(number, "draft")
    house.until(lambda: len(rows(house, number)) == 2)
    assert rows(house, number)[0] == ("梧桐路街道党工委书记", "待办")
    house.until(lambda: "书记" in house.run(number)["state"]["message"])  # written after the table
    assert house.run(number)["run_count"] == 0
    house.answer(number, "sign")
    house.until(lambda: {state for _, state in rows(house, number)} == {"已办"})
    assert len(artifacts(house, number)) == 2


def test_the_end_of_a_case_and_an_effect_that_failed_are_told_once(house: House) -> None:
    (house.out / "fail").touch()
    number = house.open()
    house.answer(number, "draft")
    house.until(lambda: "operator" in "".join(house.open_steps(number)), 60)
    (house.out / "fail").unlink()
    house.answer(number, "operator", "retry")
    house.answer(number, "sign")
    resource = f"fourduties.case.{number}"
    house.until(lambda: len(events(house, resource)) == 2, 60)
    house.until(lambda: not untold(house))
    failed, ended = events(house, resource)
    assert (failed["event"], ended["event"]) == (EFFECT_FAILED, CASE_ENDED)
    assert failed["payload"] == {"number": number, "effect": "notice", "error": "ValueError"}
    assert ended["payload"] == {"number": number, "state": "ended"}
    assert f"prefect.flow-run.{house.case(number).run_id}" in str(ended["related"])
    assert "张三" not in str([failed, ended])


def make_late(house: House, number: str) -> None:
    """Let the open step of a case have been opened two months ago, and due a month ago."""
    steps, case_id = table(Step), house.case(number).id

    def act(work: Work) -> dict[str, int]:
        late = {
            "opened_at": work.now - timedelta(days=60),
            "due_at": work.now - timedelta(days=30),
            "next_rung_at": work.now,
        }
        made = update(steps).where(steps.c.case_id == case_id).values(late)
        return {"late": work.db.execute(made).rowcount}

    house.world.do(act)


def test_a_rung_that_fired_is_told_once(house: House) -> None:
    number = house.open(two_step.TWO_SIGNS)
    make_late(house, number)
    sweep(house.env)
    resource = f"fourduties.case.{number}"
    house.until(lambda: events(house, resource), 60)
    house.until(lambda: not untold(house), 60)
    (rung,) = events(house, resource)
    assert (rung["event"], rung["payload"]["step"]) == (RUNG, "draft")


def test_what_happens_while_the_server_is_away_is_told_once_it_is_back(house: House) -> None:
    house.kill("server")
    tell(house, "away")
    house.start_server()
    house.until(lambda: [one["payload"] for one in events(house, OF_HOUSE)] == [{"waiting": 7}], 60)
    house.until(lambda: not untold(house))


def test_an_event_whose_row_a_killed_worker_had_not_deleted_is_not_doubled(house: House) -> None:
    before = len(events(house, OF_HOUSE))
    house.kill("worker")
    tell(house, "twice")
    with house.env.engine.connect() as db:
        row = db.execute(select(table(RunEvent))).one()
    house.start_worker()
    house.until(lambda: len(events(house, OF_HOUSE)) == before + 1, 60)
    house.until(lambda: not untold(house), 60)
    house.kill("worker")
    with house.env.engine.begin() as db:
        db.execute(table(RunEvent).insert().values(row._asdict()))
    house.start_worker()
    house.until(lambda: not untold(house), 60)
    assert len(events(house, OF_HOUSE)) == before + 1


def test_events_among_many_that_the_server_already_has_are_kept(house: House) -> None:
    resource = "fourduties.test.many"
    many = [an_event(resource) for _ in range(OLD * GROUPS)]
    house.http.post("/events", json=many).raise_for_status()
    house.until(lambda: total(house, resource) == len(many), 60)
    house.kill("server")  # Prefect's clients send the next one again what was not confirmed
    house.start_server()
    for start in range(0, len(many), OLD):
        some = [*many[start : start + OLD], an_event(resource)]
        house.http.post("/events", json=some).raise_for_status()
    house.until(lambda: total(house, resource) == len(many) + GROUPS)


def test_an_event_that_a_killed_server_had_taken_and_not_kept_is_told_again(house: House) -> None:
    before = len(events(house, OF_HOUSE))
    tell(house, "lost")
    house.kill("server")
    house.start_server()
    house.until(lambda: len(events(house, OF_HOUSE)) == before + 1, 90)
    house.until(lambda: not untold(house), 60)
