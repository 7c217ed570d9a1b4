"""A clock that is set wrong, and a watch that was off: nothing from a jump that was seen once."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from deployments.clock import Looks
from models.audit import Audit
from models.base import table
from models.message import Message
from policy.calendar import instant_on, local_day
from policy.clock import STEP, Belief, Looked, belief
from services.database import open_engine
from services.env import Env
from services.invariants import violations
from services.migration import migrate
from services.watch import look
from tests import waiting, world
from tests.waiting import Walk

OPENED = instant_on(date(2026, 2, 9), 10)
REMINDED = instant_on(date(2026, 2, 14), 9)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_audit, _messages = table(Audit), table(Message)


@dataclass
class Watch:
    """A worker whose watch looks, at a clock that may be wrong; time itself never is."""

    walk: Walk
    now: datetime = OPENED
    last: tuple[datetime, datetime] | None = None
    """What the clock said at the last look of this process, and when that really was."""

    def __post_init__(self) -> None:
        operator = self.walk.world.people["operator"]
        self.walk.world.env = replace(
            self.walk.world.env, operator=operator, looked=self._looked, sending=False
        )

    def _looked(self, said: datetime) -> Looked | None:
        last, self.last = self.last, (said, self.now)
        return Looked(last[0], self.now - last[1]) if last else None

    def restart(self) -> None:
        """Another process, which never looked."""
        self.last = None

    def look(self, passed: timedelta = MINUTE, off: timedelta = timedelta()) -> list[Any]:
        """Time passes, then the clock is off by so much; the rungs that this look fired."""
        self.now += passed
        before = {row.id for row in self.walk.rungs()}
        self.walk.clock.now = self.now + off
        look(self.walk.world.env)
        self.walk.settle()
        return [row for row in self.walk.rungs() if row.id not in before]

    def until(self, at: datetime) -> None:
        """A look every hour until just before an instant, and one there."""
        while self.now < at - HOUR:
            assert self.look(HOUR) == []
        assert self.look(at - self.now - MINUTE) == []

    def notes(self) -> list[str]:
        """What was noted about the clock."""
        query = select(_audit.c.body).where(_audit.c.stream == "clock").order_by(_audit.c.n)
        return [body.split('"act":"')[1].split('"')[0] for (body,) in self.walk.rows(query)]

    def told(self) -> "Counter[tuple[str, str]]":
        """How often which post was told what; the operator is told of the clock as a person."""
        names = {post_id: name for name, post_id in self.walk.world.posts.items()}
        rows = self.walk.rows(select(_messages).where(_messages.c.post_id.is_not(None)))
        return Counter((row.template, names[row.post_id]) for row in rows)

    def alarms(self) -> int:
        """How often the operator was told of the clock."""
        told = [row for row in self.walk.rows(select(_messages)) if row.template == "operator"]
        return sum(row.context == {"clock": True} for row in told)


@pytest.fixture
def watch(env: Env, clock: Any) -> Iterator[Watch]:
    walk = waiting.walk_in(env, clock)
    walk.open("waiting_one", OPENED)
    made = Watch(walk)
    yield made
    assert [str(found) for found in violations(env.engine, local_day(made.now))] == []


@pytest.mark.parametrize("off", [HOUR, -HOUR, 30 * DAY, -30 * DAY, 3000 * DAY])
def test_a_jump_that_was_seen_once_fires_nothing_and_the_right_rung_follows(
    watch: Watch, off: timedelta
) -> None:
    watch.until(REMINDED - 10 * MINUTE)
    assert watch.look(off=off) == []
    assert watch.notes() == ["moved"]
    assert watch.alarms() == 1
    for _ in range(9):
        assert watch.look() == []
    assert watch.told() == {("opened", "clerk"): 1}
    [reminder] = watch.look()
    assert (reminder.kind, reminder.at) == ("remind", REMINDED)
    assert watch.alarms() == 1


def test_a_clock_that_steps_by_minutes_is_believed(watch: Watch) -> None:
    watch.until(REMINDED - 10 * MINUTE)
    for off in (4 * MINUTE, timedelta(), -4 * MINUTE):
        assert watch.look(off=off) == []
    assert watch.notes() == []


def test_a_jump_that_stays_is_believed_at_the_second_look_and_is_no_storm(watch: Watch) -> None:
    watch.until(REMINDED - 10 * MINUTE)
    off = 40 * DAY
    assert watch.look(off=off) == []
    rungs = watch.look(off=off)
    assert [(row.number, row.note) for row in rungs] == [
        (1, "overtaken"),
        (3, "overtaken"),
        (4, ""),
    ]
    assert watch.told() == {
        ("opened", "clerk"): 1,
        ("due", "clerk"): 1,
        ("raised", "secretary"): 1,
    }
    assert watch.look(off=off) == []


def test_a_clock_that_was_set_back_for_good_goes_on_and_repeats_nothing(watch: Watch) -> None:
    watch.until(REMINDED)
    assert len(watch.look()) == 1
    off = -2 * DAY
    for _ in range(4):
        assert watch.look(off=off) == []
    assert watch.notes() == ["moved"]
    assert watch.told()["remind", "clerk"] == 1
    assert watch.look(2 * DAY, off=off) == []
    assert watch.notes() == ["moved"], "two days passed, and the clock says so"


def test_three_days_off_are_made_up_for_a_minute_later_and_are_no_fault(watch: Watch) -> None:
    """The process was away too, so nobody knows whether the clock was moved meanwhile."""
    watch.until(REMINDED - HOUR)
    watch.restart()
    assert watch.look(3 * DAY) == []
    [reminder] = watch.look()
    assert reminder.kind == "remind"
    assert watch.notes() == ["away"]
    assert watch.alarms() == 0
    assert watch.told() == {("opened", "clerk"): 1, ("remind", "clerk"): 1}


def test_a_process_that_lived_through_the_outage_knows_that_the_time_passed(watch: Watch) -> None:
    watch.until(REMINDED - HOUR)
    assert [row.kind for row in watch.look(3 * DAY)] == ["remind"]
    assert watch.notes() == []


def test_the_time_a_machine_slept_has_passed_and_its_clock_was_not_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    up, asleep = iter([100.0, 100.0 + 3 * HOUR.total_seconds()]), time.CLOCK_BOOTTIME
    monkeypatch.setattr("time.clock_gettime", lambda clock: next(up) if clock == asleep else 0.0)
    looks, later = Looks(), OPENED + 3 * HOUR
    assert looks(OPENED) is None
    mine = looks(later)
    assert mine == Looked(OPENED, 3 * HOUR)
    assert belief(OPENED, None, later, mine) is Belief.BELIEVED


def test_two_looks_of_one_moment_are_one(watch: Watch) -> None:
    """Runs that were missed are made up for in one go; all of them see the same wrong clock."""
    watch.until(REMINDED - HOUR)
    for _ in range(4):
        watch.restart()
        assert watch.look(timedelta(seconds=5), off=DAY) == []


def test_looks_that_are_ten_minutes_apart_raise_all_the_same(watch: Watch) -> None:
    watch.until(REMINDED - 15 * MINUTE)
    fired = []
    for _ in range(6):
        watch.restart()
        fired += watch.look(10 * MINUTE)
    assert [row.kind for row in fired] == ["remind"]


def test_a_second_worker_whose_clock_is_wrong_never_raises(watch: Watch) -> None:
    watch.until(REMINDED - 10 * MINUTE)
    other, mine = None, watch.last
    for _ in range(5):
        watch.last = mine
        assert watch.look() == []
        mine, watch.last = watch.last, other
        assert watch.look(timedelta(seconds=30), off=30 * DAY) == []
        other = watch.last
    watch.last = mine
    assert [row.kind for row in watch.look(10 * MINUTE)] == ["remind"]
    assert watch.alarms() == 1


def test_what_was_entered_by_a_clock_nobody_saw_move_is_named(env: Env, clock: Any) -> None:
    watch = Watch(waiting.walk_in(env, clock))
    watch.walk.open("waiting_both", OPENED)
    watch.look()
    clock.now = OPENED + 30 * DAY
    watch.walk.world.answer("sign", "agree", post="clerk")
    clock.now = OPENED + HOUR
    watch.walk.world.answer("sign", "agree", post="deputy")
    found = [violation.invariant for violation in violations(env.engine, local_day(clock.now))]
    assert found == ["INV-23"]


def test_what_was_entered_by_a_clock_that_was_seen_to_move_is_explained(watch: Watch) -> None:
    watch.walk.open("waiting_both", OPENED)
    watch.look()
    watch.look(off=30 * DAY)
    watch.walk.world.answer("sign", "agree", post="clerk")
    watch.look()
    watch.walk.world.answer("sign", "agree", post="deputy")


LOOKS = st.lists(
    st.tuples(
        st.one_of(
            st.just(MINUTE),
            st.timedeltas(MINUTE, 3 * MINUTE),
            st.timedeltas(HOUR, 20 * DAY),
        ),
        st.one_of(
            st.just(timedelta()),
            st.timedeltas(-60 * DAY, 60 * DAY),
            st.timedeltas(-2 * HOUR, 2 * HOUR),
        ),
        st.booleans(),
    ),
    max_size=10,
)


def seen_once(
    looks: list[tuple[timedelta, timedelta, bool]],
) -> Iterator[tuple[timedelta, timedelta, bool]]:
    """After each wrong look a right one; a process that is started anew was away for a while."""
    wrong = timedelta()
    for passed, off, anew in looks:
        wrong = off if abs(wrong) <= STEP else timedelta()
        yield passed, wrong, anew and passed >= HOUR


@given(LOOKS)
def test_a_jump_that_is_seen_once_is_never_believed_and_a_right_clock_soon_is(
    looks: list[tuple[timedelta, timedelta, bool]],
) -> None:
    now, seen, doubted, mine = OPENED, OPENED, None, (OPENED, OPENED)
    ends = [(MINUTE, timedelta(), False)] * 3
    for passed, wrong, anew in [*seen_once(looks), *ends]:
        now += passed
        said = now + wrong
        looked = None if anew or mine is None else Looked(mine[0], now - mine[1])
        found, mine = belief(seen, doubted, said, looked), (said, now)
        if found is Belief.BELIEVED:
            assert abs(wrong) <= 2 * STEP
            seen, doubted = said, None
        else:
            doubted = said
    assert doubted is None, "a right clock was doubted for good"


@settings(max_examples=15)
@given(LOOKS)
def test_whatever_jumps_are_seen_once_no_rung_is_early_and_none_is_lost(
    looks: list[tuple[timedelta, timedelta, bool]],
) -> None:
    engine, clock = open_engine("sqlite://"), world.Clock()
    migrate(engine)
    walk = waiting.walk_in(Env(engine, clock), clock)
    walk.open("waiting_one", OPENED)
    watch = Watch(walk)
    watch.look()
    for passed, wrong, anew in seen_once(looks):
        if anew:
            watch.restart()
        fired = watch.look(passed, wrong)
        assert fired == [] or abs(wrong) <= 2 * STEP, "fired by a clock that was wrong"
    for _ in range(3):
        watch.look()
    [step] = walk.steps("plan")
    assert step.next_rung_at is None or step.next_rung_at > watch.now, "a rung was lost"
    acted = [row.number for row in walk.rungs() if row.note != "overtaken"]
    assert len(acted) == len(set(acted))
    told = [(row.template, row.step_id) for row in walk.rows(select(_messages)) if row.step_id]
    assert len(told) == len(set(told)), "told twice"
    assert list(violations(engine, local_day(watch.now))) == []
