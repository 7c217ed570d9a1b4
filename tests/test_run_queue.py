"""Runs are made at one pace over all workers, urgent ones first, and hold up nobody (rule H)."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from policy.pace import Pace
from services.env import Env
from services.pace import permits
from services.run_queue import forget_runs, queued, take_queued
from services.runs import Act, Outcome, due_wakes, record, unwoken
from tests.conftest import SettableClock
from tests.two_step_world import Town, town

NOW = datetime(2026, 11, 30, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
paces = st.sampled_from([0.5, 1.0, 3.0, 5.0, 25.0]).map(Pace)
asks = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 40)), max_size=40)


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


@given(paces, asks)
def test_in_no_stretch_of_time_more_acts_are_granted_than_the_pace_allows(
    pace: Pace, asks: list[tuple[float, int]]
) -> None:
    free_at, now, granted = NOW, NOW, []
    for pause, wanted in asks:
        now += timedelta(seconds=pause)
        some, free_at = pace.grant(free_at, now, wanted)
        assert 0 <= some <= wanted
        granted.append((now, some))
    for first, (begun, _) in enumerate(granted):
        total = 0
        for at, some in granted[first:]:
            total += some
            assert total <= pace.burst + (at - begun) / pace.interval + 0.001


@given(paces, st.timedeltas(timedelta(days=-40), timedelta(days=40)))
def test_whoever_goes_on_asking_gets_the_whole_pace_whatever_the_clock_did(
    pace: Pace, jump: timedelta
) -> None:
    free_at, now, granted, span = NOW + jump, NOW, 0, 100
    for _ in range(span):
        now += pace.interval
        some, free_at = pace.grant(free_at, now, 1)
        granted += some
    assert granted >= span - (6 * SECOND) / pace.interval - 1


def test_several_processes_together_keep_the_pace(env: Env, clock: SettableClock) -> None:
    five = Pace(5)
    first = permits(env, "x", five, 20)
    clock.forward(10 * SECOND)
    assert (first, permits(env, "x", five, 20), permits(env, "x", five, 20)) == (1, 5, 0)
    clock.forward(0.2 * SECOND)
    assert permits(env, "y", five, 1) == 1
    assert permits(env, "x", five, 20) == 1
    assert permits(env, "x", five, 20) == 0


def test_two_that_read_the_same_moment_do_not_both_get_it(
    postgresql_engine: Engine, clock: SettableClock
) -> None:
    env, five = Env(postgresql_engine, clock), Pace(5)
    assert permits(env, "x", five, 1) == 1
    clock.forward(SECOND)
    wants = threading.Event()
    event.listen(postgresql_engine, "before_cursor_execute", lambda *given: say(wants, given[2]))
    got: list[int] = []
    with postgresql_engine.begin() as db:
        db.execute(text("UPDATE pace SET free_at = free_at + interval '1 second'"))
        wants.clear()
        other = threading.Thread(target=lambda: got.append(permits(env, "x", five, 5)))
        other.start()
        assert wants.wait(30)
    other.join()
    assert got == [0]


def say(wants: threading.Event, statement: str) -> None:
    if statement.startswith("UPDATE pace"):
        wants.set()


def test_urgent_ones_come_first_then_what_has_work_then_who_waited_longest(town: Town) -> None:
    works = town.open()
    town.world.answer("draft")
    first, second, urgent = town.open(), town.open(), town.open(urgent=True)
    town.settle(works)
    town.wake(works)  # the last to wait, but an effect waits with it
    waits_with_run = town.open_with_run("run")
    town.wake(waits_with_run)
    assert [due.case_id for due in queued(town.env, 10)] == [urgent, works, first, second]
    assert [due.case_id for due in due_wakes(town.env, 10)] == [waits_with_run]


def test_a_thousand_queued_cases_get_their_runs_at_the_pace_each_once(
    town: Town, clock: SettableClock
) -> None:
    queue = town.open_many(1000)
    env = replace(town.env, runs_per_second=50)
    made: Counter[int] = Counter()
    seconds = 0.0
    while len(made) < len(queue) and seconds < 60:
        clock.forward(0.2 * SECOND)
        seconds += 0.2
        turns = [take_queued(env, 100), take_queued(env, 100)]  # two workers
        assert sum(map(len, turns)) <= 50
        assert unwoken(env, 0, 200) == [] or made  # the reconciler leaves the queue alone
        for taken in turns:
            made.update(due.case_id for due in taken)
            record(env, [Outcome(d, Act.CREATE_WAITING, f"run-{d.case_id}") for d in taken])
    assert made == Counter(queue)
    assert 19 < seconds < 22


def test_a_turn_puts_the_queue_in_order_once(town: Town, clock: SettableClock) -> None:
    """After a large launch that is thousands of cases, in five turns a second."""
    town.open_many(30)
    ordered: list[str] = []
    event.listen(
        town.env.engine,
        "before_cursor_execute",
        lambda *given: ordered.append(given[2]) if "urgent DESC" in given[2] else None,
    )
    take_queued(town.env, 10)
    clock.forward(10 * SECOND)
    assert len(take_queued(town.env, 10)) == 5
    assert len(ordered) == 2


def test_a_queue_holds_up_no_case_that_has_a_run(town: Town) -> None:
    town.open_many(100)
    case_id = town.open_with_run("run")
    town.wake(case_id)
    assert [due.case_id for due in due_wakes(town.env, 1)] == [case_id]


def test_a_case_whose_run_is_gone_waits_in_the_queue_for_another(town: Town) -> None:
    lost, replaced = town.open_with_run("a"), town.open_with_run("b")
    for case_id in (lost, replaced):
        town.wake(case_id)
    found = due_wakes(town.env, 10)
    town.change(replaced, run_id="c")  # by another worker, meanwhile
    forget_runs(town.env, found)
    assert [due.case_id for due in queued(town.env, 10)] == [lost]
    assert [due.case_id for due in due_wakes(town.env, 10)] == [replaced]


def test_a_case_that_a_newer_version_opened_gets_its_run_from_it(town: Town) -> None:
    case_id = town.open()
    assert queued(replace(town.env, mechanisms={}), 10) == []
    assert [due.case_id for due in queued(town.env, 10)] == [case_id]
