"""The Prefect side with a real server and a real worker; one server for the whole file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import two_step
from tests.prefect_house import House, running_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("house"), sqlite_template) as made:
        yield made


def test_a_case_waits_as_a_suspended_run_that_says_for_what(house: House) -> None:
    number = house.open()
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    run = house.run(number)
    assert run["name"] == f"{number} 梧桐路街道党工委"
    assert number in run["state"]["message"]
    assert "联络员" in run["state"]["message"]


def test_a_decision_opens_the_next_step_and_its_effect_runs_within_seconds(house: House) -> None:
    number = house.open()
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    house.answer(number, "draft")
    assert house.open_steps(number) == ["sign"]
    house.until(lambda: house.effects(number)[0].state == "done")
    effect = house.effects(number)[0]
    assert (effect.done_at - effect.queued_at).total_seconds() < 5
    assert house.seen(number) == [f"effect-{effect.id}"]
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    house.until(lambda: "书记" in house.run(number)["state"]["message"])
    house.answer(number, "sign")
    house.until(lambda: house.state(number) == ("COMPLETED", "办结"))
    house.until(lambda: house.case(number).mirrored == "end")


def test_a_worker_killed_in_the_middle_of_an_effect_is_taken_over(house: House) -> None:
    (house.out / "hold").touch()
    number = house.open()
    house.answer(number, "draft")
    house.until(lambda: house.seen(number))
    house.kill("worker")
    (house.out / "hold").unlink()
    house.start_worker()
    house.until(lambda: house.effects(number)[0].state == "done")
    assert set(house.seen(number)) == {f"effect-{house.effects(number)[0].id}"}
    assert len(house.effects(number)) == 1
    house.answer(number, "sign")
    house.until(lambda: house.state(number)[0] == "COMPLETED")


def test_a_case_walks_on_while_the_server_is_away(house: House) -> None:
    number = house.open()
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    house.kill("server")
    house.answer(number, "draft")
    house.answer(number, "sign")
    assert house.open_steps(number) == []
    house.start_server()
    house.until(lambda: house.state(number)[0] == "COMPLETED", 60)
    assert len(house.seen(number)) == 1


def test_a_run_cancelled_in_the_ui_stops_and_its_case_shows_it(house: House) -> None:
    number = house.open()
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    house.set_state(number, "CANCELLING")
    house.until(lambda: house.state(number)[0] == "CANCELLED")
    house.until(lambda: house.case(number).mirrored == "运行已停", 15)
    house.answer(number, "draft")
    assert house.open_steps(number) == ["sign"]
    house.set_state(number, "SCHEDULED")
    house.until(lambda: house.effects(number)[0].state == "done")
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    house.until(lambda: house.case(number).mirrored.startswith("待办"))


def test_a_deleted_run_is_made_again(house: House) -> None:
    number = house.open()
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    old = house.case(number).run_id
    house.http.delete(f"/flow_runs/{old}").raise_for_status()
    house.answer(number, "draft")
    house.until(lambda: house.effects(number)[0].state == "done")
    assert house.case(number).run_id != old


def test_an_effect_that_fails_for_good_asks_the_operator_and_tells_prefect_no_text(
    house: House,
) -> None:
    (house.out / "fail").touch()
    number = house.open()
    house.answer(number, "draft")
    house.until(lambda: "operator" in "".join(house.open_steps(number)), 60)
    (house.out / "fail").unlink()
    assert len(house.seen(number)) == 4
    assert house.effects(number)[0].error == "ValueError"
    house.answer(number, "operator", "retry")
    house.until(lambda: house.effects(number)[0].state == "done")
    logs = house.http.post("/logs/filter", json={}).json()
    states = house.http.post("/task_runs/filter", json={}).text
    assert "张三" not in str(logs) + states


def test_the_filter_that_schedules_need_answers_and_a_scheduled_deployment_gets_its_runs(
    house: House,
) -> None:
    body = {"limit": None, "sort": None}
    assert house.http.post("/deployments/filter", json=body).status_code == 200
    house.until(lambda: house.runs_of("watch", "SCHEDULED"), 60)
    house.until(lambda: house.runs_of("watch", "COMPLETED"), 90)


def test_a_step_without_an_effect_is_written_upon_the_run_without_running_it(house: House) -> None:
    number = house.open(two_step.TWO_SIGNS)
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    house.answer(number, "draft")
    house.until(lambda: "书记" in house.run(number)["state"]["message"])
    assert house.run(number)["run_count"] == 0
    house.answer(number, "sign")
    house.until(lambda: house.state(number) == ("COMPLETED", "办结"))
    assert house.run(number)["run_count"] == 1


def test_of_the_scheduled_runs_that_were_missed_one_makes_up_for_all(house: House) -> None:
    house.kill("worker")
    missed = house.miss("watch", 40)
    house.start_worker()
    house.until(lambda: house.states(missed).keys() <= {"COMPLETED", "CANCELLED", "CRASHED"}, 90)
    assert house.states(missed)["CANCELLED"] > len(missed) / 2


def test_a_lost_prefect_database_is_made_again(house: House) -> None:
    waits, works = house.open(), house.open()
    house.until(lambda: house.state(works) == ("PAUSED", "待办"), 90)
    house.kill("server")
    for file in house.settings.data.glob("prefect.db*"):
        file.unlink()
    house.answer(works, "draft")
    house.start_server()
    house.until(lambda: house.effects(works)[0].state == "done", 90)
    house.until(lambda: house.state(waits) == ("PAUSED", "待办"))
    house.answer(works, "sign")
    house.until(lambda: house.state(works) == ("COMPLETED", "办结"))
