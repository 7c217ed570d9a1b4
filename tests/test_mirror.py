"""What Prefect shows of a case, and when it is written anew (rule G)."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from models.base import table
from models.casework import Branch, CaseState
from services.casework import CaseStatus, OpenStep
from services.env import Env
from services.mirror import (
    BLOCKED,
    PACE,
    WAITING,
    Written,
    changed,
    keep,
    last_written,
    mirror,
    mirror_of,
    stopped,
    take,
    wrote,
)
from services.restricted import RESTRICTED
from services.runs import END, STOPPED, Act, Outcome, record
from tests.conftest import START, SettableClock
from tests.two_step_world import Town, town

DUE = datetime(2026, 12, 20, 16, tzinfo=UTC)
LINK = "http://duties/cases/1"


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


def status(*steps: OpenStep, mechanism: str = "two_step", **given: object) -> CaseStatus:
    values: dict[str, object] = {
        "state": CaseState.OPEN,
        "blocked": 0,
        "pending_effects": 0,
        "open_count": len(steps),
    }
    return CaseStatus(1, "2026-1", mechanism, 1, open=steps, **(values | given))  # type: ignore[arg-type]


def step(key: str = "draft", *, posts: int = 1, provisional: bool = False) -> OpenStep:
    named = tuple(f"第{n}科 科长" for n in range(posts))
    return OpenStep(1, key, named, DUE, provisional)


def shown(case: CaseStatus) -> str:
    return mirror_of(case, lambda mechanism, key: f"《{key}》", LINK).message


def test_a_waiting_case_shows_number_step_post_day_and_link() -> None:
    assert shown(status(step())) == f"2026-1 《draft》（第0科 科长，2026-12-20前）。{LINK}"


def test_a_provisional_day_is_called_so() -> None:
    assert "2026-12-20前（暂定）" in shown(status(step(provisional=True)))


def test_many_steps_and_posts_are_counted_rather_than_listed() -> None:
    text = shown(status(*(step(f"s{n}", posts=5) for n in range(5)), open_count=160))
    assert text.count("《") == 3
    assert "另有 157 项" in text
    assert "第2科 科长等" in text


def test_effects_that_are_queued_are_told() -> None:
    assert "自动事项 2 项待处理" in shown(status(pending_effects=2))


@pytest.mark.parametrize("mechanism", sorted(RESTRICTED))
def test_a_restricted_mechanism_shows_number_and_link_only(mechanism: str) -> None:
    assert shown(status(step(), mechanism=mechanism)) == f"2026-1 {LINK}"


def test_the_state_name_says_waiting_blocked_ended_or_terminated() -> None:
    cases = {
        WAITING: status(step()),
        BLOCKED: status(step(), blocked=1),
        "办结": status(state=CaseState.ENDED),
        "终止": status(state=CaseState.TERMINATED),
    }
    for name, case in cases.items():
        found = mirror_of(case, lambda mechanism, key: key, LINK)
        assert found.name == name
        assert found.ended is (case.state != CaseState.OPEN)


def mirrored(town: Town, run_id: str) -> int:
    """A case whose mirror was just written."""
    return town.open_with_run(run_id, mirrored="待办\n…", tabled="", mirrored_at=town.env.clock())


def test_a_mirror_of_a_real_case_names_no_person(town: Town) -> None:
    found = mirror(town.env, town.open())
    assert found.name == WAITING
    assert "联络员" in found.message
    assert town.env.base_url in found.message


def test_what_was_never_mirrored_is_written(town: Town) -> None:
    case_id = town.open_with_run("run")
    found = changed(town.env, START, 10)
    assert [(case.case_id, case.run_id, case.text) for case in found] == [(case_id, "run", None)]


def test_a_change_is_written_after_the_pace_and_once(town: Town, clock: SettableClock) -> None:
    case_id = mirrored(town, "run")
    clock.forward(timedelta(seconds=1))
    town.world.answer("draft")
    town.settle(case_id)
    since = clock.now
    assert changed(town.env, since, 10) == []
    clock.forward(PACE - timedelta(seconds=1))
    found = changed(town.env, since, 10)
    assert [case.text for case in found] == ["待办\n…"]
    assert [case.case_id for case in take(town.env, found)] == [case_id]
    assert changed(town.env, since, 10) == []
    clock.forward(timedelta(minutes=2))
    assert changed(town.env, clock.now, 10) == []


def test_a_case_is_taken_by_one_writer_only(town: Town) -> None:
    town.open_with_run("run")
    found = changed(town.env, START, 10)
    assert take(town.env, found) == found
    assert take(town.env, found) == []
    assert take(town.env, []) == []


def test_a_case_that_is_woken_meanwhile_is_not_taken(town: Town) -> None:
    case_id = town.open_with_run("run")
    found = changed(town.env, START, 10)
    town.wake(case_id)
    assert take(town.env, found) == []


def test_every_change_makes_another_version_and_so_does_a_new_day(
    town: Town, clock: SettableClock
) -> None:
    town.open_with_run("run")
    before = changed(town.env, START, 10)[0].version
    assert changed(town.env, START, 10)[0].version == before
    town.world.answer("draft")
    town.settle(1)
    after = changed(town.env, START, 10)[0].version
    clock.forward(timedelta(days=1))
    assert len({before, after, changed(town.env, START, 10)[0].version}) == 3


def test_a_step_that_became_late_at_midnight_is_written_anew(
    town: Town, clock: SettableClock
) -> None:
    case_id = mirrored(town, "run")
    due_at = town.step(case_id).due_at
    clock.set(due_at - timedelta(seconds=1))
    assert changed(town.env, clock.now, 10) == []
    since = clock.now
    clock.set(due_at)
    assert [case.case_id for case in changed(town.env, since, 10)] == [case_id]
    clock.forward(timedelta(minutes=2))
    assert changed(town.env, clock.now, 10) == []


def test_the_last_table_of_an_ended_case_is_wanted_once_its_end_is_shown(
    town: Town, clock: SettableClock
) -> None:
    case_id = mirrored(town, "run")
    town.change(case_id, state="ended", tabled=None)
    clock.forward(timedelta(minutes=1))
    assert changed(town.env, clock.now, 10) == []
    town.change(case_id, mirrored=END)
    found = changed(town.env, clock.now, 10)
    assert [(case.case_id, case.ended) for case in found] == [(case_id, True)]
    keep(town.env, [Written(case_id, None, "digest")])
    assert changed(town.env, clock.now, 10) == []


def test_an_end_that_is_shown_is_not_overwritten_by_a_slower_mirror(town: Town) -> None:
    case_id = mirrored(town, "run")
    town.change(case_id, state="ended", mirrored=END)
    keep(town.env, [Written(case_id, "待办\n…", None)])
    assert town.case(case_id).mirrored == END


def test_a_new_run_gets_its_table_and_so_does_a_case_whose_end_was_shown(town: Town) -> None:
    case_id = mirrored(town, "run")
    town.wake(case_id)
    record(town.env, [Outcome(town.due(case_id), Act.CREATE, "another")])
    assert town.case(case_id).tabled is None
    town.change(case_id, tabled="digest", state="ended")
    town.wake(case_id)
    record(town.env, [Outcome(town.due(case_id), Act.SETTLE, "another")])
    assert town.case(case_id).tabled is None


def test_a_case_whose_run_is_woken_anyway_is_left_out(town: Town) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    assert changed(town.env, START, 10) == []


def test_a_blocked_case_is_looked_at_for_as_long_as_it_is(town: Town, clock: SettableClock) -> None:
    case_id = mirrored(town, "run")
    branches = table(Branch)
    with town.env.engine.begin() as db:
        db.execute(update(branches).where(branches.c.case_id == case_id).values(error="ValueError"))
    clock.forward(timedelta(hours=1))
    assert [case.case_id for case in changed(town.env, clock.now, 10)] == [case_id]


def test_a_stopped_run_is_shown_and_its_mirror_left_alone(town: Town, clock: SettableClock) -> None:
    case_id, other = town.open_with_run("run"), town.open_with_run("other", mirrored="待办\n…")
    stopped(town.env, ["run", "unknown"])
    stopped(town.env, [])
    assert town.case(case_id).mirrored == STOPPED
    assert town.case(other).mirrored == "待办\n…"
    clock.forward(timedelta(minutes=1))
    assert case_id not in [case.case_id for case in changed(town.env, START, 10)]


def test_a_stopped_run_of_an_ended_case_shows_its_end(town: Town) -> None:
    case_id = town.open_with_run("run", mirrored="end", state="ended")
    stopped(town.env, ["run"])
    assert town.case(case_id).mirrored == "end"


def test_a_writer_that_starts_catches_up_from_the_last_mirror(
    town: Town, clock: SettableClock
) -> None:
    assert last_written(town.env) == clock.now
    case_id = town.open_with_run("run")
    wrote(town.env, case_id, "待办\n…")
    written = clock.now
    clock.forward(timedelta(days=3))
    assert last_written(town.env) == written
