"""The teller of events, with a stand-in for Prefect's server (rule G)."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deployments import emitting
from deployments.emitting import Emitting
from services.command import Work
from services.env import Env
from services.run_events import tell_prefect, to_tell
from tests.prefect_stand_in import Server
from tests.two_step_world import Town, town


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


@pytest.fixture(name="server")
def _server() -> Server:
    return Server()


class Ticks:
    """A monotonic clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="ticks")
def _ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    made = Ticks()
    monkeypatch.setattr(emitting, "ticks", made)
    return made


@pytest.fixture(name="emit")
def _emit(town: Town, server: Server, ticks: Ticks) -> Callable[[], None]:
    """A turn of one and the same teller."""
    teller = Emitting(town.env, lambda: server)  # type: ignore[arg-type,return-value]

    def turn() -> None:
        asyncio.run(teller.once())
        ticks.now += 2

    return turn


def tell(town: Town, *keys: str, case_id: int | None = None) -> None:
    def act(work: Work) -> dict[str, Any]:
        for key in keys:
            tell_prefect(work, "fourduties.test", key, case_id, {"key": key})
        return {}

    town.world.do(act)


def waiting(town: Town) -> int:
    return len(to_tell(town.env, 1000))


def test_a_row_goes_once_the_server_keeps_its_event(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    server.keeps = False
    tell(town, "one")
    emit()
    emit()
    assert (len(server.sent), waiting(town)) == (1, 1)
    server.events = {id: {} for id in server.sent}
    emit()
    assert (len(server.sent), waiting(town)) == (1, 0)
    before = server.requests
    emit()
    assert server.requests == before


def test_an_event_that_the_server_lost_is_sent_again_and_is_the_same(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    server.keeps = False
    tell(town, "one")
    for _ in range(int(emitting.AGAIN_SECONDS / 2) + 2):
        emit()
    assert len(server.sent) == 2
    assert len(set(server.sent)) == 1


def test_another_worker_tells_what_one_had_sent_when_it_died(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    tell(town, "one")
    emit()
    another = Emitting(town.env, lambda: server)  # type: ignore[arg-type,return-value]
    asyncio.run(another.once())
    asyncio.run(another.once())
    assert len(server.sent) == 2
    assert len(server.events) == 1
    assert waiting(town) == 0
    emit()


def test_events_go_in_order_and_a_backlog_goes_in_bounded_pages(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    keys = [f"key {number}" for number in range(emitting.UNDER_WAY + emitting.BATCH + 1)]
    tell(town, *keys)
    server.keeps = False
    emit()
    assert len(server.sent) == emitting.UNDER_WAY
    server.keeps = True
    for _ in range(int(emitting.AGAIN_SECONDS / 2) + 5):
        emit()
    told = [one["payload"]["key"] for one in server.events.values()]
    assert told == keys
    assert waiting(town) == 0


def test_an_event_that_the_server_calls_malformed_is_dropped_alone(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    tell(town, "good", "poison", "better")
    server.refuses = lambda body: 422 * ("poison" in str(body))
    for _ in range(3):
        emit()
    assert [one["payload"]["key"] for one in server.events.values()] == ["good", "better"]
    assert waiting(town) == 0


def test_what_the_server_refuses_for_now_stays(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    tell(town, "one")
    server.refuses = lambda body: 503
    with pytest.raises(httpx.HTTPStatusError):
        emit()
    assert waiting(town) == 1


def test_an_event_names_its_case_its_run_and_its_mechanism(
    town: Town, server: Server, emit: Callable[[], None]
) -> None:
    case_id = town.open_with_run("run")
    tell(town, "one", case_id=case_id)
    tell(town, "two")
    emit()
    of_case, of_house = server.events.values()
    number = town.case(case_id).number
    assert of_case["resource"] == {"prefect.resource.id": f"fourduties.case.{number}"}
    assert [
        (one["prefect.resource.role"], one["prefect.resource.id"]) for one in of_case["related"]
    ] == [
        ("flow-run", "prefect.flow-run.run"),
        ("mechanism", "fourduties.mechanism.two_step"),
    ]
    assert of_case["occurred"] == town.env.clock().isoformat()
    assert (of_house["resource"], of_house["related"]) == (
        {"prefect.resource.id": "fourduties.installation"},
        [],
    )
