"""What was put off by a clock that was ahead is not forgotten until that day has come (INV-5)."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from models.base import table
from models.casework import Wake, WakeKind
from models.message import Message
from services.casework.draining import drain
from services.casework.unstick import unstick
from services.env import Env
from services.mirror import PACE, changed, take
from services.runs import Act, Outcome, claim, due_wakes, record
from tests.conftest import SettableClock
from tests.two_step_world import Town, town

MONTH, HOUR, MINUTE = timedelta(days=30), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


def test_a_run_that_was_put_off_by_a_wrong_clock_is_looked_at_by_the_right_one(
    town: Town, clock: SettableClock
) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    clock.forward(MONTH)
    seen = claim(town.env, due_wakes(town.env, 10))
    record(town.env, [Outcome(due, Act.WAIT, due.run_id) for due in seen])
    clock.forward(MINUTE - MONTH)
    assert due_wakes(town.env, 10) == []
    unstick(town.env)
    assert [due.case_id for due in due_wakes(town.env, 10)] == [case_id]


def test_a_branch_that_was_put_off_by_a_wrong_clock_is_replayed_by_the_right_one(
    town: Town, clock: SettableClock
) -> None:
    branch_id = town.step(town.open()).branch_id
    ahead = {"branch_id": branch_id, "kind": WakeKind.ADVANCE, "try_at": clock() + MONTH}
    with town.env.engine.begin() as db:
        db.execute(insert(table(Wake)), {**ahead, "attempts": 3})
    assert drain(town.env) == 0
    unstick(town.env)
    assert drain(town.env) == 1


def test_what_rests_for_an_hour_goes_on_resting(town: Town, clock: SettableClock) -> None:
    case_id = town.open_with_run("run")
    town.wake(case_id)
    stopped = [Outcome(due, Act.STOPPED, "run") for due in due_wakes(town.env, 10)]
    record(town.env, stopped)
    clock.forward(MINUTE)
    unstick(town.env)
    assert due_wakes(town.env, 10) == []


def test_a_message_from_the_future_is_sent_now(town: Town, clock: SettableClock) -> None:
    town.open()
    messages = table(Message)
    ahead = clock() + MONTH
    with town.env.engine.begin() as db:
        db.execute(update(messages).values(created_at=ahead, send_after=ahead))
    unstick(town.env)
    with town.env.engine.connect() as db:
        found = set(
            db.execute(messages.select().with_only_columns(messages.c.send_after)).scalars()
        )
    assert found == {clock()}


def test_a_mirror_of_the_future_is_written_anew(town: Town, clock: SettableClock) -> None:
    case_id = town.open_with_run("run", mirrored_at=clock() + MONTH)
    clock.forward(PACE)
    found = changed(town.env, clock() - HOUR, 10)
    assert [shown.case_id for shown in take(town.env, found)] == [case_id]
    assert changed(town.env, clock() - HOUR, 10) == []
