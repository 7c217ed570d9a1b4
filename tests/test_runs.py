"""What the Prefect side has to do, decided without Prefect (rules G, H, J, M)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.env import Env
from services.errors import NotFound
from services.runs import (
    END,
    LEFT_ALONE,
    STOPPED,
    Act,
    Due,
    Outcome,
    Run,
    RunKind,
    act_for,
    anything_due,
    back_off,
    backlog,
    case_of,
    claim,
    due_wakes,
    label,
    overlooked,
    record,
    unwoken,
    wake,
)
from services.take_over import Fix, Workers, fix_for, look_again
from tests.conftest import SettableClock
from tests.two_step_world import Town, town

NOW = datetime(2026, 11, 30, 1, tzinfo=UTC)
AT_REST = (RunKind.PAUSED, RunKind.COMPLETED, RunKind.FAILED, RunKind.CRASHED)
ON_ITS_WAY = (RunKind.SCHEDULED, RunKind.PENDING, RunKind.RUNNING, RunKind.CANCELLING)
ages = st.timedeltas(timedelta(), timedelta(days=3))
names = st.sampled_from(["", "me", "dead", "other"])
runs = st.builds(
    lambda kind, age, worker, of_case: Run("run", kind, NOW - age, worker, of_case),
    st.sampled_from(RunKind),
    ages,
    names,
    st.booleans(),
)
dues = st.builds(
    lambda ended, effects: Due(1, "2026-1", "two_step", 1, "run", ended, effects, 0, 1),
    st.booleans(),
    st.integers(0, 3),
)


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


@given(dues, runs)
def test_a_wake_is_settled_only_when_prefect_shows_what_is_true(due: Due, run: Run) -> None:
    if act_for(due, run, NOW) is Act.SETTLE:
        assert due.effects == 0  # a case that was terminated may have one under way
        if due.ended:
            assert run.kind in (RunKind.COMPLETED, RunKind.CANCELLED)
        else:
            assert run.kind is RunKind.PAUSED


@given(dues, runs)
def test_a_run_at_rest_is_set_going_when_there_is_work(due: Due, run: Run) -> None:
    if due.effects and run.kind in AT_REST:
        assert act_for(due, run, NOW) in (Act.RESUME, Act.RESTART)


@given(dues, runs)
def test_a_run_on_its_way_is_left_to_arrive(due: Due, run: Run) -> None:
    if run.kind in ON_ITS_WAY:
        assert act_for(due, run, NOW) is Act.WAIT


@given(dues, ages)
def test_nothing_restarts_what_an_operator_stopped_for_a_day(due: Due, age: timedelta) -> None:
    run = Run("run", RunKind.CANCELLED, NOW - age)
    act = act_for(due, run, NOW)
    if due.ended and not due.effects:
        assert act is Act.SETTLE
    else:
        assert act is (Act.STOPPED if age < LEFT_ALONE else Act.RESTART)


@given(dues, runs)
def test_a_run_that_no_worker_would_take_is_replaced_and_never_waited_for(
    due: Due, run: Run
) -> None:
    here, elsewhere = (act_for(due, replace(run, elsewhere=away), NOW) for away in (False, True))
    lost = here in (Act.RESUME, Act.RESTART) or run.kind is RunKind.SCHEDULED
    assert elsewhere is (Act.REPLACE if lost else here)
    assert overlooked(due, replace(run, elsewhere=True), NOW) or elsewhere is not Act.REPLACE


@given(dues)
def test_a_case_without_a_run_gets_one_suspended_unless_there_is_work(due: Due) -> None:
    work = due.ended or due.effects > 0
    assert act_for(due, None, NOW) is (Act.CREATE if work else Act.CREATE_WAITING)


@given(dues, st.one_of(st.none(), runs))
def test_what_is_overlooked_is_what_a_wake_would_change(due: Due, run: Run | None) -> None:
    act = act_for(due, run, NOW)
    nothing = act in (Act.WAIT, Act.STOPPED) or (act is Act.SETTLE and not due.ended)
    assert overlooked(due, run, NOW) is not nothing


@given(st.integers(0, 10_000))
def test_the_back_off_grows_to_half_a_minute(attempts: int) -> None:
    assert back_off(attempts) <= back_off(attempts + 1) <= timedelta(seconds=30)
    assert back_off(0) == timedelta(seconds=0.25)


@given(runs, st.booleans())
def test_a_run_that_somebody_living_executes_is_left_alone(run: Run, held: bool) -> None:
    workers = Workers(frozenset({"run"} if held else ()), "me", frozenset({"dead"}))
    fix = fix_for(run, workers, NOW)
    if held or (run.worker == "other" and run.kind is not RunKind.CANCELLING):
        assert fix is None


@given(runs)
def test_a_run_that_nobody_executes_is_fixed_in_the_end(run: Run) -> None:
    workers = Workers(frozenset(), "me", frozenset({"dead"}))
    if run.worker != "other" and NOW - run.since > timedelta(seconds=30):
        expected = Fix.TAKE_OVER if run.of_case else Fix.CRASH
        cancelling = run.kind is RunKind.CANCELLING
        assert fix_for(run, workers, NOW) is (Fix.CANCEL if cancelling else expected)


def test_what_a_dead_worker_left_running_is_taken_over_at_once() -> None:
    workers = Workers(frozenset(), "me", frozenset({"dead"}))
    assert fix_for(Run("run", RunKind.RUNNING, NOW, "dead"), workers, NOW) is Fix.TAKE_OVER
    # being claimed by a living one, it still bears the name of the worker before
    assert fix_for(Run("run", RunKind.PENDING, NOW, "dead"), workers, NOW) is None


def test_what_a_dead_worker_was_perhaps_taking_is_looked_at_again_soon() -> None:
    workers = Workers(frozenset(), "me", frozenset({"dead"}))
    pending = Run("run", RunKind.PENDING, NOW, "dead")
    wait = look_again([pending, Run("other", RunKind.RUNNING, NOW, "dead")], workers, NOW)
    assert wait is not None
    assert wait < timedelta(seconds=10)
    later = NOW + wait + timedelta(milliseconds=1)
    assert fix_for(pending, workers, later) is Fix.TAKE_OVER
    assert look_again([pending], workers, later) is None
    assert look_again([Run("run", RunKind.PENDING, NOW, "me")], workers, NOW) is None


def test_a_queue_for_new_runs_is_no_backlog_of_those_that_have_one(town: Town) -> None:
    assert not anything_due(town.env)
    town.open()
    assert anything_due(town.env)
    assert backlog(town.env) == 0
    town.wake(town.open_with_run("run"))
    assert backlog(town.env) == 1


def test_a_claimed_wake_is_nobody_elses_until_the_lease_ends(
    town: Town, clock: SettableClock
) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    assert backlog(town.env) == 1
    found = due_wakes(town.env, 10)
    assert [due.case_id for due in claim(town.env, found)] == [case_id]
    assert claim(town.env, found) == []
    assert due_wakes(town.env, 10) == []
    clock.forward(timedelta(seconds=5))
    assert len(due_wakes(town.env, 10)) == 1


def test_a_settled_wake_goes_and_a_new_run_is_kept(town: Town) -> None:
    case_id = town.open()
    record(town.env, [Outcome(town.due(case_id), Act.CREATE_WAITING, "run")])
    assert town.case(case_id).run_id == "run"
    assert town.wakes(case_id) == 0


def test_an_effect_queued_meanwhile_keeps_the_wake(town: Town, clock: SettableClock) -> None:
    case_id = town.open()
    read = town.due(case_id)
    town.world.answer("draft")
    record(town.env, [Outcome(read, Act.SETTLE, "run")])
    assert town.wakes(case_id) == 2
    clock.forward(timedelta(seconds=1))
    assert town.due(case_id).effects == 1


def test_an_end_that_came_meanwhile_keeps_the_wake(town: Town) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    read = town.due(case_id)
    town.change(case_id, state="ended")
    record(town.env, [Outcome(read, Act.SETTLE, "run")])
    assert town.wakes(case_id) == 1


def test_a_wake_that_came_later_stays_when_an_earlier_one_is_settled(town: Town) -> None:
    case_id = town.open()
    read = town.due(case_id)
    town.wake(case_id)
    record(town.env, [Outcome(read, Act.SETTLE, "run")])
    assert town.wakes(case_id) == 1


def test_an_end_that_prefect_shows_is_noted(town: Town) -> None:
    case_id = town.open_with_run("run")
    town.world.answer("draft")
    town.world.answer("sign")
    town.do_effects(case_id)
    due = town.due(case_id)
    assert due.ended
    record(town.env, [Outcome(due, Act.SETTLE, "run")])
    assert town.case(case_id).mirrored == END
    assert town.wakes(case_id) == 0
    assert unwoken(town.env, 0, 10) == []


def test_a_wake_that_is_not_settled_is_put_off(town: Town, clock: SettableClock) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    record(town.env, [Outcome(town.due(case_id), Act.WAIT, "run")])
    assert due_wakes(town.env, 10) == []
    clock.forward(timedelta(seconds=0.25))
    assert town.due(case_id).attempts == 1


def test_a_stopped_run_is_shown_and_looked_at_again_after_an_hour(
    town: Town, clock: SettableClock
) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    record(town.env, [Outcome(town.due(case_id), Act.STOPPED, "run")])
    assert town.case(case_id).mirrored == STOPPED
    clock.forward(timedelta(minutes=59))
    assert due_wakes(town.env, 10) == []
    clock.forward(timedelta(minutes=1))
    assert town.due(case_id).run_id == "run"


def test_the_reconciler_sees_the_cases_without_a_wake_page_by_page(town: Town) -> None:
    first, second = town.open_with_run("a"), town.open_with_run("b")
    queued = town.open()
    assert [due.case_id for due in unwoken(town.env, 0, 1)] == [first]
    assert [due.case_id for due in unwoken(town.env, first, 10)] == [second]
    town.settle(queued)
    wake(town.env, [first])
    assert [due.case_id for due in unwoken(town.env, 0, 10)] == [second, queued]


def test_a_run_is_named_by_number_and_unit_and_tagged_by_mechanism(town: Town) -> None:
    due = town.due(town.open())
    named = label(town.env, due)
    assert named.name == f"{due.number} 梧桐路街道党工委"
    assert named.tags[0] == "two_step"
    assert case_of(town.env, due.number) == due.case_id
    with pytest.raises(NotFound):
        case_of(town.env, "2026-0")


def test_a_restricted_mechanism_shows_its_number_only(town: Town) -> None:
    due = replace(town.due(town.open()), mechanism="accountability")
    assert label(town.env, due).name == due.number
    assert label(town.env, due).tags == ()
