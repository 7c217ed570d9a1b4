"""The writer of mirrors, with a stand-in for Prefect's server (rule G)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelled, Completed, Running
from sqlalchemy import update

from deployments import mirroring
from deployments.mirroring import BUSY, PAGE, Mirroring
from models.base import table
from models.casework import Branch, Step
from services.env import Env
from services.mirror import BLOCKED, PACE, WAITING
from services.runs import END, STOPPED, due_wakes
from tests.conftest import SettableClock
from tests.prefect_stand_in import Server
from tests.two_step_world import Town, town

LATER = PACE + timedelta(seconds=1)


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


@pytest.fixture(name="server")
def _server() -> Server:
    return Server()


@pytest.fixture(name="turn")
def _turn(town: Town, server: Server) -> Callable[[], int]:
    """Lets one and the same writer write until it wants no more; how many pages that were."""
    pages: list[None] = []
    writer = Mirroring(
        town.env,
        lambda: server,  # type: ignore[arg-type,return-value]
        lambda: pages.append(None),
    )

    def turn() -> int:
        pages[:] = [None]
        for _ in pages:
            asyncio.run(writer.once())
        return len(pages)

    return turn


def test_a_run_that_waits_gets_state_table_and_link_once(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    case_id = town.open_with_run(server.make())
    turn()
    assert [text.split("\n")[0] for _, text in server.states] == [WAITING]
    assert {one.key for one in server.artifacts.values()} == {
        f"case-{case_id}",
        f"case-{case_id}-page",
    }
    assert {str(one.flow_run_id) for one in server.artifacts.values()} == {
        town.case(case_id).run_id
    }
    before = server.requests
    for _ in range(5):
        clock.forward(LATER)
        turn()
    assert (len(server.states), server.versions, server.requests) == (1, 2, before)


def test_a_decision_is_written_in_place_of_what_was_there(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    case_id = town.open_with_run(server.make())
    turn()
    town.world.answer("draft")
    town.do_effects(case_id)
    town.settle(case_id)
    turn()
    assert len(server.states) == 1
    clock.forward(LATER)
    turn()
    assert len(server.states) == 2
    assert "已办" in str(server.artifacts[f"case-{case_id}"].data)
    assert server.versions == 2


def test_cases_that_stay_blocked_keep_no_other_from_being_written(
    town: Town,
    server: Server,
    turn: Callable[[], int],
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are looked at again and again, since that they go on has no date."""
    monkeypatch.setattr(mirroring, "LOOK", 3)
    blocked = [town.open_with_run(server.make()) for _ in range(3)]
    later = town.open_with_run(server.make())
    turn()
    with town.env.engine.begin() as db:
        of_blocked = table(Branch).c.case_id.in_(blocked)
        db.execute(update(table(Branch)).where(of_blocked).values(error="KeyError"))
    clock.forward(LATER)
    turn()
    clock.forward(LATER)
    turn()
    for key in ("sign", "draft", "sign"):
        before = len(server.states)
        clock.forward(LATER)
        with town.env.engine.begin() as db:
            moved = {"opened_at": clock(), "key": key}
            db.execute(update(table(Step)).where(table(Step).c.case_id == later).values(moved))
            grown = table(Branch).c.audit_n + 1
            db.execute(update(table(Branch)).where(~of_blocked).values(audit_n=grown))
        turn()
        assert len(server.states) == before + 1


def test_a_case_that_cannot_be_shown_keeps_no_other_from_being_written(
    town: Town, server: Server, turn: Callable[[], int]
) -> None:
    broken, other = (town.open_with_run(server.make()) for _ in range(2))
    with town.env.engine.begin() as db:
        root = table(Branch).c.case_id == broken
        db.execute(update(table(Branch)).where(root).values(parent_id=table(Branch).c.id))
    turn()
    assert {str(run_id) for run_id, _ in server.states} == {town.case(other).run_id}


def test_a_run_that_is_deleted_meanwhile_keeps_no_other_from_being_written(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    cases = [town.open_with_run(server.make()) for _ in range(3)]
    server.missing.add(UUID(town.case(cases[0]).run_id))
    turn()
    assert len(server.states) == 2
    clock.forward(LATER)
    turn()
    assert len(server.states) == 2


def test_a_case_that_stays_blocked_is_not_asked_for_every_ten_seconds(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    town.open_with_run(server.make())
    with town.env.engine.begin() as db:
        db.execute(update(table(Branch)).values(error="KeyError"))
    turn()
    before = server.requests
    for _ in range(30):
        clock.forward(timedelta(seconds=3))
        turn()
    assert server.requests == before


def test_a_new_run_gets_artifacts_of_its_own(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    case_id = town.open_with_run(server.make())
    turn()
    clock.forward(LATER)
    another = server.make()
    town.change(case_id, run_id=another, tabled=None)
    turn()
    assert {str(one.flow_run_id) for one in server.artifacts.values()} == {another}


@pytest.mark.parametrize("state", [Running(), Cancelled(), Completed()])
def test_a_run_that_is_not_suspended_keeps_its_state_and_gets_its_table(
    town: Town, server: Server, turn: Callable[[], int], state: State[Any]
) -> None:
    town.open_with_run(server.make(state))
    turn()
    assert server.states == []
    assert len(server.artifacts) == 2


def test_the_last_table_of_a_case_that_ended_is_written(
    town: Town, server: Server, turn: Callable[[], int]
) -> None:
    case_id = town.open_with_run(server.make(Completed()))
    town.world.answer("draft")
    town.do_effects(case_id)
    town.world.answer("sign")
    town.settle(case_id)
    town.change(case_id, mirrored=END)
    turn()
    assert "待办" not in str(server.artifacts[f"case-{case_id}"].data)
    assert town.case(case_id).mirrored == END
    assert server.states == []


def test_of_an_ended_case_whose_run_is_gone_nothing_is_asked_again(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    case_id = town.open_with_run(str(uuid4()))
    town.change(case_id, state="ended", mirrored=END)
    turn()
    before = server.requests
    clock.forward(LATER)
    turn()
    assert (server.requests, server.versions) == (before, 0)


def test_blocked_is_shown_when_it_begins_and_when_it_ends(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    case_id = town.open_with_run(server.make())
    branches = table(Branch)

    def block(error: str | None) -> None:
        clock.forward(timedelta(minutes=5))
        changed = {"error": error, "audit_n": branches.c.audit_n + 1}
        with town.env.engine.begin() as db:
            db.execute(update(branches).where(branches.c.case_id == case_id).values(changed))
        for _ in range(3):
            turn()
            clock.forward(LATER)

    for error in (None, "ValueError", None):
        block(error)
    assert [text.split("\n")[0] for _, text in server.states] == [WAITING, BLOCKED, WAITING]


def test_nothing_of_ours_is_touched_while_the_server_is_away(
    town: Town, server: Server, turn: Callable[[], int]
) -> None:
    case_id = town.open_with_run(server.make())
    server.away = True
    with pytest.raises(httpx.ConnectError):
        turn()
    assert town.case(case_id).mirrored_at is None
    server.away = False
    turn()
    assert len(server.states) == 1


def test_one_that_is_refused_does_not_stop_the_others_and_comes_again(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    first, second = (town.open_with_run(server.make()) for _ in range(2))
    number = town.case(first).number
    server.refuses = lambda body: 503 * (number in str(getattr(body, "message", "")))
    turn()
    assert [run for run, _ in server.states] == [UUID(town.case(second).run_id)]
    server.refuses = lambda body: 0
    clock.forward(LATER)
    turn()
    assert {run for run, _ in server.states} == set(server.runs)


def test_a_writer_that_was_held_up_does_not_write_over_another(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    """Two workers: the one that had the case stood still after it had read it."""
    case_id = town.open_with_run(server.make())
    other = Mirroring(town.env, lambda: server, lambda: None)  # type: ignore[arg-type,return-value]

    def meanwhile(body: object) -> int:
        server.refuses = lambda body: 0
        clock.forward(LATER)
        town.change(case_id, mirrored_at=clock.now - PACE)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(other.once())).result()
        return 0

    server.refuses = meanwhile
    turn()
    assert len(server.states) == 1


def test_what_was_written_at_the_same_time_as_by_another_is_looked_at_again(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    case_id = town.open_with_run(server.make())

    def meanwhile(state: object) -> int:
        if isinstance(state, State):
            town.change(case_id, mirrored="newer", tabled="newer", mirrored_at=clock.now + PACE)
        return 0

    server.refuses = meanwhile
    turn()
    server.refuses = lambda body: 0
    assert (town.case(case_id).mirrored, town.case(case_id).tabled) == (None, None)
    clock.forward(2 * LATER)
    turn()
    assert len(server.states) == 2
    assert town.case(case_id).mirrored.startswith(WAITING)


def test_a_run_that_is_resumed_or_cancelled_after_its_page_was_read_is_not_called_back(
    town: Town, server: Server, turn: Callable[[], int]
) -> None:
    run_id = server.make()
    town.open_with_run(run_id)
    server.refuses = lambda body: change(server, run_id, Cancelled())
    turn()
    assert server.states == []
    assert server.runs[UUID(run_id)].type is StateType.CANCELLED


def change(server: Server, run_id: str, state: State[Any]) -> int:
    server.runs[UUID(run_id)] = state
    return 0


def waken(town: Town, case_id: int) -> int:
    town.wake(case_id)
    return 0


def test_a_case_that_is_woken_after_its_page_was_read_is_left_to_its_run(
    town: Town, server: Server, turn: Callable[[], int]
) -> None:
    case_id = town.open_with_run(server.make())
    server.refuses = lambda body: waken(town, case_id)
    turn()
    assert server.states == []


@pytest.mark.parametrize(("state", "mirrored"), [("ended", END), ("open", STOPPED)])
def test_an_end_or_a_cancel_that_came_while_a_mirror_was_written_holds(
    town: Town, server: Server, turn: Callable[[], int], state: str, mirrored: str
) -> None:
    case_id = town.open_with_run(server.make())

    def meanwhile(written: object) -> int:
        if isinstance(written, State) and written.type is StateType.PAUSED:
            town.change(case_id, state=state, mirrored=mirrored)
        return 0

    server.refuses = meanwhile
    turn()
    assert town.case(case_id).mirrored == mirrored
    if state == "ended":
        assert len(due_wakes(town.env, 10)) == 1  # the run may show that it waits: look at it
    else:
        run_id = UUID(town.case(case_id).run_id)
        assert server.runs[run_id].type is StateType.CANCELLED


def test_under_backlog_nothing_is_written(
    town: Town, server: Server, turn: Callable[[], int], clock: SettableClock
) -> None:
    town.open_with_run(server.make())
    woken = town.open_with_run(server.make())
    for _ in range(BUSY + 1):
        town.wake(woken)
    turn()
    assert server.requests == 0
    town.settle(woken)
    turn()
    assert len(server.states) == 2


def test_more_than_a_page_is_written_page_by_page_without_a_pause(
    town: Town, server: Server, turn: Callable[[], int]
) -> None:
    for _ in range(PAGE + 1):
        town.open_with_run(server.make())
    assert turn() == 2
    assert len(server.states) == PAGE + 1
    assert {state.type for state in server.runs.values()} == {StateType.PAUSED}
