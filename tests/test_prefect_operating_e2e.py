"""What an operator does in Prefect's UI, through its API, in each state a run can be in (rule M).

None of it changes a decision or leaves a case stuck, and a run that was cancelled stays so until
Retry or a day. One server for the whole file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from deployments.clock import now
from deployments.prefect_settings import POOL
from models.base import table
from models.casework import Decision, RunWake
from services.casework import case_status
from services.runs import LEFT_ALONE, STOPPED
from tests import two_step
from tests.prefect_house import House, running_house

LONG = 90.0
"""Seconds within which the reconciler has come round."""
WAITS = ("PAUSED", "待办")
_decisions, _wakes = table(Decision), table(RunWake)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("house"), sqlite_template) as made:
        made.until(lambda: made.http.get("/deployments/name/watch/watch").is_success, LONG)
        yield made


def waits(house: House, number: str) -> bool:
    return house.state(number) == WAITS


def is_stopped(house: House, number: str) -> bool:
    return bool(house.case(number).mirrored == STOPPED)


def waits_anew(house: House, number: str, before: str) -> bool:
    """Whether it ran meanwhile: it is suspended in another state than before."""
    run = house.run(number)
    return bool(run and run["state_id"] != before and waits(house, number))


def waiting(house: House) -> str:
    """A case whose run is suspended."""
    number = house.open()
    house.until(lambda: house.state(number) == WAITS, LONG)
    return number


@contextmanager
def at_work(house: House) -> Iterator[str]:
    """A case whose run is in the middle of its effect; it may end with the context."""
    (house.out / "hold").touch()
    try:
        number = house.open()
        house.answer(number, "draft")
        house.until(lambda: house.seen(number) and house.state(number)[0] == "RUNNING", LONG)
        yield number
    finally:
        (house.out / "hold").unlink()


@contextmanager
def paused_pool(house: House) -> Iterator[None]:
    """The work pool is paused, and resumed afterwards."""
    pool = f"/work_pools/{POOL}"
    press(house, "PATCH", pool, is_paused=True)
    try:
        yield
    finally:
        press(house, "PATCH", pool, is_paused=False)


def scheduled(house: House) -> str:
    """A case whose run waits for a worker, which learns within a heartbeat that it is paused."""

    def one() -> str:
        number = waiting(house)
        house.answer(number, "draft")
        house.until(lambda: house.state(number)[0] == "SCHEDULED" or done(house, number), LONG)
        return number if house.state(number)[0] == "SCHEDULED" else ""

    return str(house.until(one, LONG))


def cancelled(house: House) -> str:
    """A case whose run an operator cancelled."""
    number = waiting(house)
    cancel(house, number)
    return number


def ended(house: House) -> str:
    """A case that has ended, and its run completed."""
    number = waiting(house)
    go_on(house, number)
    return number


def press(house: House, method: str, url: str, **body: Any) -> dict[str, Any]:
    """What a button asks of the API, pressed again while the server is too busy for it (503)."""

    def answered() -> list[dict[str, Any]]:
        answer = house.http.request(method, url, json=body)
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return []
        assert answer.is_success or answer.status_code == HTTPStatus.NOT_FOUND, answer.text
        return [answer.json() or {} if answer.content else {}]  # "null" when it has no more to say

    return dict(house.until(answered, LONG)[0])


def cancel(house: House, number: str) -> None:
    set_state(house, number, "CANCELLING")
    house.until(lambda: house.state(number)[0] == "CANCELLED", LONG)
    house.until(lambda: house.case(number).mirrored == STOPPED, LONG)


def set_state(house: House, number: str, kind: str) -> None:
    """Cancel, or Retry."""
    url = f"/flow_runs/{house.case(number).run_id}/set_state"
    press(house, "POST", url, state={"type": kind}, force=False)


def resume(house: House, number: str) -> str:
    """Press Resume: what Prefect made of it."""
    return str(press(house, "POST", f"/flow_runs/{house.case(number).run_id}/resume")["status"])


def delete(house: House, number: str) -> str:
    """Delete the run; its id."""
    old = str(house.case(number).run_id)
    press(house, "DELETE", f"/flow_runs/{old}")
    return old


def done(house: House, number: str) -> bool:
    return [effect.state for effect in house.effects(number)] == ["done"]


def decided(house: House, number: str) -> list[str]:
    """The answers that were given in a case."""
    query = select(_decisions.c.answer).where(_decisions.c.case_id == house.case(number).id)
    with house.env.engine.connect() as db:
        return list(db.execute(query.order_by(_decisions.c.id)).scalars())


def go_on(house: House, number: str, ends: str = "COMPLETED") -> None:
    """Every step that is left, to the end of the case."""
    for key in house.open_steps(number) and ("draft", "sign"):
        if key in house.open_steps(number):
            house.answer(number, key)
    house.until(lambda: house.case(number).state == "ended", LONG)
    house.until(lambda: house.case(number).mirrored == "end", LONG)
    assert house.state(number)[0] == ends
    assert decided(house, number) == ["done", "done"]
    assert done(house, number)
    with house.env.engine.connect() as db:
        assert case_status(db, house.case(number).id).pending_effects == 0


def left_alone(house: House, number: str) -> None:
    """The worker has looked at the wakes of a stopped run, and put them off by an hour."""

    def put_off() -> bool:
        query = select(func.min(_wakes.c.try_at)).where(_wakes.c.case_id == house.case(number).id)
        with house.env.engine.connect() as db:
            at = db.execute(query).scalar()
        return at is not None and at > now() + timedelta(minutes=50)

    house.until(put_off, LONG)
    assert house.state(number)[0] == "CANCELLED"


def a_day_goes_by(house: House, number: str) -> None:
    """The run was cancelled more than a day ago, and its wake comes round."""
    then = (now() - LEFT_ALONE - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    run_id = str(house.case(number).run_id)
    with closing(sqlite3.connect(house.settings.data / "prefect.db", timeout=30)) as prefect:
        of_run = (then, run_id)
        state = "SELECT state_id FROM flow_run WHERE id = ?"
        prefect.execute(f"UPDATE flow_run_state SET timestamp = ? WHERE id = ({state})", of_run)
        prefect.execute("UPDATE flow_run SET state_timestamp = ? WHERE id = ?", of_run)
        prefect.commit()
    of_case = _wakes.c.case_id == house.case(number).id
    with house.env.engine.begin() as db:
        db.execute(update(_wakes).where(of_case).values(try_at=now()))


def test_five_cancelled_at_once_stay_so_until_retry_or_a_day(house: House) -> None:
    numbers = [house.open() for _ in range(5)]
    for number in numbers:
        house.until(partial(waits, house, number), LONG)
    body = {
        "flow_runs": {"id": {"any_": [house.case(number).run_id for number in numbers]}},
        "state": {"type": "CANCELLING"},
    }
    press(house, "POST", "/flow_runs/bulk_set_state", **body)
    for number in numbers:
        house.until(partial(is_stopped, house, number), LONG)
        house.answer(number, "draft")
    for number in numbers:
        left_alone(house, number)
        assert house.open_steps(number) == ["sign"]
        assert [effect.state for effect in house.effects(number)] == ["queued"]
    set_state(house, numbers[0], "SCHEDULED")
    a_day_goes_by(house, numbers[1])
    for number in numbers[:2]:
        house.until(partial(done, house, number), LONG)
        go_on(house, number)
    for number in numbers[2:]:
        assert house.state(number)[0] == "CANCELLED"
        assert decided(house, number) == ["done"]


def test_a_run_cancelled_during_its_effect_stops_after_it(house: House) -> None:
    with at_work(house) as number:
        set_state(house, number, "CANCELLING")
    house.until(lambda: done(house, number), LONG)
    house.until(lambda: house.state(number)[0] == "CANCELLED", LONG)
    house.until(lambda: house.case(number).mirrored == STOPPED, LONG)
    assert house.seen(number) == [f"effect-{house.effects(number)[0].id}"]
    go_on(house, number, "CANCELLED")


def test_a_paused_pool_holds_runs_only_and_lets_them_go(house: House) -> None:
    with paused_pool(house):
        held = scheduled(house)
        stopped, gone = scheduled(house), scheduled(house)
        for number in (held, stopped, gone):
            assert house.open_steps(number) == ["sign"]
        cancel(house, stopped)
        old = delete(house, gone)
    house.until(lambda: done(house, held), LONG)
    go_on(house, held)
    house.until(lambda: done(house, gone), LONG)
    assert house.case(gone).run_id != old
    go_on(house, gone)
    left_alone(house, stopped)
    set_state(house, stopped, "SCHEDULED")
    house.until(lambda: done(house, stopped), LONG)
    go_on(house, stopped)


def test_retry_and_resume_of_a_run_that_waits_change_nothing(house: House) -> None:
    number = waiting(house)
    for push in (lambda: set_state(house, number, "SCHEDULED"), lambda: resume(house, number)):
        before = house.run(number)["state_id"]
        push()
        house.until(partial(waits_anew, house, number, before), LONG)
        assert house.open_steps(number) == ["draft"]
    assert decided(house, number) == []
    go_on(house, number)


def test_retry_and_resume_of_a_run_at_work_record_its_effect_once(house: House) -> None:
    with at_work(house) as number:
        assert resume(house, number) != "ACCEPT"
        set_state(house, number, "SCHEDULED")
    house.until(lambda: done(house, number), LONG)
    assert set(house.seen(number)) == {f"effect-{house.effects(number)[0].id}"}
    go_on(house, number)


def test_retry_and_resume_of_a_run_that_ended_change_nothing(house: House) -> None:
    number = ended(house)
    assert resume(house, number) != "ACCEPT"
    set_state(house, number, "SCHEDULED")
    house.until(lambda: house.state(number) == ("COMPLETED", "办结"), LONG)
    assert decided(house, number) == ["done", "done"]
    assert len(house.seen(number)) == 1


def test_resume_does_not_bring_a_cancelled_run_back(house: House) -> None:
    number = cancelled(house)
    assert resume(house, number) != "ACCEPT"
    house.answer(number, "draft")
    left_alone(house, number)
    assert not done(house, number)


def test_cancel_of_a_run_that_ended_changes_nothing(house: House) -> None:
    number = ended(house)
    url = f"/flow_runs/{house.case(number).run_id}/set_state"
    answer = press(house, "POST", url, state={"type": "CANCELLING"}, force=False)
    assert answer["status"] != "ACCEPT"
    assert house.state(number) == ("COMPLETED", "办结")
    assert house.case(number).mirrored == "end"


def test_a_run_deleted_during_its_effect_is_made_again(house: House) -> None:
    with at_work(house) as number:
        old = delete(house, number)
    house.until(lambda: done(house, number), LONG)
    house.until(lambda: house.case(number).run_id not in (None, old), LONG)
    assert set(house.seen(number)) == {f"effect-{house.effects(number)[0].id}"}
    go_on(house, number)


@pytest.mark.parametrize("in_state", [waiting, cancelled], ids=["waiting", "cancelled"])
def test_a_run_deleted_at_rest_is_made_again(house: House, in_state: Any) -> None:
    number = in_state(house)
    old = delete(house, number)
    house.until(lambda: house.case(number).run_id not in (None, old), LONG)
    house.until(lambda: house.state(number) == WAITS, LONG)
    assert decided(house, number) == []
    go_on(house, number)


def test_a_run_deleted_after_its_end_is_not_missed(house: House) -> None:
    number = ended(house)
    delete(house, number)
    assert house.case(number).state == "ended"
    assert decided(house, number) == ["done", "done"]


def test_a_paused_deployment_holds_its_schedule_only(house: House) -> None:
    name = f"/deployments/name/{two_step.NAME}/{two_step.NAME}"
    deployment = f"/deployments/{press(house, 'GET', name)['id']}"
    press(house, "POST", f"{deployment}/pause_deployment")
    assert press(house, "GET", name)["paused"]
    go_on(house, waiting(house))
    assert press(house, "GET", name)["paused"]
    press(house, "POST", f"{deployment}/resume_deployment")
    go_on(house, waiting(house))


def test_a_paused_schedule_stays_so_until_it_is_resumed(house: House) -> None:
    name = "/deployments/name/watch/watch"
    watch = press(house, "GET", name)
    one = f"/deployments/{watch['id']}/schedules/{watch['schedules'][0]['id']}"
    press(house, "PATCH", one, active=False)
    house.until(lambda: not house.runs_of("watch", "SCHEDULED"), LONG)
    house.kill("worker")
    house.start_worker()  # it registers what is missing
    go_on(house, waiting(house))
    assert not press(house, "GET", name)["schedules"][0]["active"]
    assert not house.runs_of("watch", "SCHEDULED")
    press(house, "PATCH", one, active=True)
    house.until(lambda: house.runs_of("watch", "SCHEDULED"), LONG)
