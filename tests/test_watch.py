"""The watch: each rung once, never early, never after the decision; a poison row stops nobody."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from models.base import table
from models.casework import Case, Origin, Step, StepState
from policy.calendar import Calendar, instant_on, local_day
from policy.deadline import due_day
from policy.defaults import DEFAULT
from policy.ladder import RungKind, rungs_from
from policy.route import Passed, Seat, choose
from services import calendar
from services.calendar import Day
from services.casework import decide
from services.command import SYSTEM
from services.database import open_engine, reading
from services.env import Env
from services.errors import Invalid
from services.invariants import violations
from services.publishing import publish
from services.rungs import NextRung, next_rungs
from services.watch import sweep
from tests import waiting, world
from tests.waiting import PLAN, Walk
from tests.world import lay_out

_cases = table(Case)
_steps = table(Step)
OPENED = instant_on(date(2026, 2, 9), 10)
SUPERIOR_DAY = date(2026, 3, 16)


@pytest.fixture
def walk(env: Env, clock: Any) -> Iterator[Walk]:
    yield waiting.walk_in(env, clock)
    assert list(violations(env.engine, local_day(clock()))) == []


def test_a_rung_fires_at_its_instant_and_not_a_second_before(walk: Walk) -> None:
    walk.open("waiting_one", OPENED)
    walk.look(instant_on(date(2026, 2, 14), 9) - timedelta(seconds=1))
    assert walk.rungs() == []
    walk.look(instant_on(date(2026, 2, 14), 9))
    assert [row.kind for row in walk.rungs()] == ["remind"]
    walk.look(instant_on(date(2026, 2, 14), 9))
    assert len(walk.rungs()) == 1


@pytest.mark.parametrize("readings", range(1, 6))
def test_a_clock_that_steps_back_during_a_look_uses_no_rung_up(walk: Walk, readings: int) -> None:
    """Wherever in a sweep it steps back, above all between what is due and the look at it."""
    at = instant_on(date(2026, 2, 14), 9)
    walk.open("waiting_one", OPENED)
    asked = iter((at,) * readings)
    sweep(replace(walk.world.env, clock=lambda: next(asked, at - timedelta(hours=1))))
    walk.look(at)
    assert [row.kind for row in walk.rungs()] == ["remind"]


def test_who_holds_the_post_by_now_is_reminded(walk: Walk) -> None:
    walk.open("waiting_one", OPENED)
    walk.give("clerk", "outsider")
    walk.look(instant_on(date(2026, 2, 14), 9))
    reminded = [row for row in walk.rows(waiting.MESSAGES) if row.template == "remind"]
    assert [row.person_id for row in reminded] == [walk.world.people["outsider"]]


def test_a_poisoned_branch_is_left_and_the_others_are_raised(
    walk: Walk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        walk.open("waiting_one", OPENED)
    poisoned = walk.steps("plan")[1]
    spoiled = update(_steps).where(_steps.c.id == poisoned.id)
    walk.world.do(lambda work: {"n": work.db.execute(spoiled.values(due_key="none")).rowcount})

    with caplog.at_level(logging.ERROR):
        assert walk.look(instant_on(date(2026, 2, 14), 9)) == 2
    assert "KeyError" in caplog.text
    mended = spoiled.values(due_key="rectification.plan")
    walk.world.do(lambda work: {"n": work.db.execute(mended).rowcount})
    assert walk.look(instant_on(date(2026, 2, 14), 9)) == 1
    assert len(walk.rungs()) == 3


def test_more_steps_than_are_read_at_a_time_are_all_raised(walk: Walk) -> None:
    for _ in range(5):
        walk.open("waiting_one", OPENED)
    walk.clock.now = instant_on(date(2026, 2, 14), 9)
    assert sweep(walk.world.env, limit=2) == 5
    assert sweep(walk.world.env, limit=2) == 0


def test_two_watches_at_once_raise_once(walk: Walk) -> None:
    for _ in range(4):
        walk.open("waiting_one", OPENED)
    walk.clock.now = instant_on(date(2026, 2, 14), 9)
    barrier, raised = Barrier(2), []

    def look() -> None:
        barrier.wait()
        raised.append(sweep(walk.world.env))

    threads = [Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    raised.append(sweep(walk.world.env))
    assert len(walk.rungs()) == 4
    assert walk.told()["remind", "clerk"] == 4


def test_a_slot_that_was_settled_before_the_root_looked_is_on_no_list(walk: Walk) -> None:
    walk.open("waiting_one", OPENED)
    walk.clock.now = instant_on(SUPERIOR_DAY, 9)
    assert sweep(walk.world.env) == 1
    walk.world.answer("plan")
    walk.settle()
    assert walk.steps("rung:") == []
    assert walk.members() == []


def test_an_answered_list_is_not_reopened_but_followed_by_another(walk: Walk) -> None:
    PLAN.tasks, PLAN.due_on = 2, date(2026, 3, 31)
    walk.open("waiting_many", instant_on(date(2026, 3, 30), 10))
    first, second = walk.steps("do")
    late = update(_steps).where(_steps.c.id == second.id)
    postponed = late.values(next_rung_at=instant_on(date(2026, 5, 1), 9))
    walk.world.do(lambda work: {"n": work.db.execute(postponed).rowcount})
    walk.until(date(2026, 4, 9), hours=(9,))
    key = walk.steps("rung:")[0].key
    walk.world.answer(key, "urged")
    again = late.values(next_rung_at=instant_on(date(2026, 4, 9), 9))
    walk.world.do(lambda work: {"n": work.db.execute(again).rowcount})
    walk.look(instant_on(date(2026, 4, 9), 11))

    assert [(row.key, row.round, row.state) for row in walk.steps("rung:")] == [
        (key, 1, StepState.DECIDED),
        (key, 2, StepState.OPEN),
    ]
    assert [row.origin for row in walk.steps("rung:")] == [Origin.RUNG] * 2


def test_urging_tells_each_owner_once_and_changes_nothing_else(walk: Walk) -> None:
    PLAN.tasks, PLAN.due_on = 3, date(2026, 3, 31)
    walk.open("waiting_many", instant_on(date(2026, 3, 30), 10))
    walk.until(date(2026, 4, 9), hours=(9,))
    walk.world.answer(walk.steps("rung:")[0].key, "urged")
    walk.settle()

    assert walk.told()["urged", "clerk"] == 1
    [urged] = [row for row in walk.rows(waiting.MESSAGES) if row.template == "urged"]
    assert urged.context == {"count": 3, "due_on": "2026-03-31"}
    assert [row.state for row in walk.steps("do")] == [StepState.OPEN] * 3


def test_a_deliberation_wants_a_reason_and_decides_about_nobody(walk: Walk) -> None:
    walk.open("waiting_one", OPENED)
    walk.until(date(2026, 4, 14), hours=(9,))
    [deliberation] = walk.steps("rung:deliberate")
    assert tuple(deliberation.answers) == (
        "continue",
        "extend",
        "reassign",
        "criticise",
        "propose_accountability",
    )
    assert deliberation.ladder == ""
    with pytest.raises(Invalid):
        walk.world.answer(deliberation.key, "criticise")
    walk.world.answer(deliberation.key, "criticise", reason="多次督促未果")
    walk.settle()
    assert [row.state for row in walk.steps("plan")] == [StepState.OPEN]
    assert walk.told()["urged", "clerk"] == 0


def test_the_page_says_what_comes_next_and_to_whom(walk: Walk) -> None:
    walk.open("waiting_one", OPENED)
    seen = [_next(walk)]
    for day in (date(2026, 2, 14), date(2026, 3, 9), SUPERIOR_DAY, date(2026, 3, 30)):
        walk.look(instant_on(day, 9))
        seen.append(_next(walk))
    walk.look(instant_on(date(2026, 4, 14), 9))

    assert seen == [
        NextRung(instant_on(date(2026, 2, 14), 9), RungKind.REMIND, "梧桐路街道党工委联络员"),
        NextRung(instant_on(date(2026, 3, 9), 9), RungKind.DUE, "梧桐路街道党工委联络员"),
        NextRung(instant_on(SUPERIOR_DAY, 9), RungKind.SUPERIOR, "梧桐路街道党工委书记"),
        NextRung(instant_on(date(2026, 3, 30), 9), RungKind.SUPERIOR2, "滨河区委分管副书记"),
        NextRung(instant_on(date(2026, 4, 14), 9), RungKind.DELIBERATE, "梧桐路街道纪工委书记"),
    ]
    assert _next(walk) is None


def _next(walk: Walk) -> NextRung | None:
    query = waiting.SLOTS.add_columns(
        waiting.SLOTS.selected_columns.id.label("slot_id"), *(_steps.c[n] for n in _STEP)
    )
    query = query.add_columns(*(_cases.c[name] for name in _OF_CASE))
    query = query.join(_steps, _steps.c.id == query.selected_columns.step_id)
    query = query.join(_cases, _cases.c.id == _steps.c.case_id).where(_steps.c.key == "plan")
    with reading(walk.world.env.engine) as db:
        row = db.execute(query).one()
        found = next_rungs(db, [row], local_day(walk.clock()), calendar.latest(db))
        return found.get(row.slot_id)


_OF_CASE = ("mechanism", "policy_id", "organisation_id")
STANDS_IN = frozenset({10})
"""The one who is late stands in for the superior (离岗委托)."""
_STEP = ("due_key", "due_at", "ladder", "rungs_fired", "opened_at", "next_rung_at")


@pytest.mark.parametrize(
    ("route", "asked", "post", "passed"),
    [
        ([Seat(2, 20)], [], 2, []),
        ([Seat(2, None), Seat(3, 30)], [], 3, [(2, Passed.VACANT)]),
        ([Seat(2, 10), Seat(3, 30)], [], 3, [(2, Passed.OWNER)]),
        ([Seat(2, 20), Seat(3, 30)], [Seat(2, 21)], 3, [(2, Passed.ASKED)]),
        ([Seat(2, 20), Seat(3, 30)], [Seat(9, 20)], 3, [(2, Passed.ASKED)]),
        ([Seat(2, 20)], [Seat(2, 20)], None, [(2, Passed.ASKED)]),
        ([Seat(2, 20, STANDS_IN), Seat(3, 30)], [], 3, [(2, Passed.OWNER)]),
        ([Seat(2, 20, frozenset({21})), Seat(3, 30)], [], 2, []),
        ([Seat(2, 20), Seat(3, 30)], [Seat(9, 90, frozenset({20}))], 3, [(2, Passed.ASKED)]),
        ([], [], None, []),
    ],
)
def test_the_first_filled_seat_that_is_not_concerned_is_asked(
    route: list[Seat], asked: list[Seat], post: int | None, passed: list[tuple[int, Passed]]
) -> None:
    choice = choose(route, Seat(1, 10), asked)
    assert (choice.post_id, list(choice.passed_over)) == (post, passed)


def test_two_vacant_posts_are_not_one_owner() -> None:
    assert choose([Seat(2, None)], Seat(1, None), []).passed_over == ((2, Passed.VACANT),)


def memory() -> Engine:
    engine = open_engine("sqlite://")
    lay_out(engine)
    return engine


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.integers(0, 24 * 9)),
        st.tuples(st.just("look"), st.integers(24 * 20, 24 * 60)),
        st.tuples(st.just("decide"), st.integers(0, 3)),
        st.tuples(st.just("drain"), st.just(0)),
        st.tuples(st.just("publish"), st.integers(0, 12)),
    ),
    max_size=14,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.dates(date(2026, 9, 1), date(2026, 12, 31)), EVENTS)
@example(
    date(2026, 12, 21),
    [("look", 24 * 35), ("drain", 0), ("publish", 12), ("look", 24), ("drain", 0), ("look", 900)],
)
def test_each_rung_once_never_early_never_after_the_decision(
    opened: date, events: list[tuple[str, int]]
) -> None:
    history = History(opened)
    for kind, amount in events:
        getattr(history, kind)(amount)
    history.check()


class History:
    """Two cases with three slots, watched at any times; what was due when each rung fired."""

    def __init__(self, opened: date) -> None:
        self.clock = world.Clock()
        self.walk = waiting.walk_in(Env(memory(), self.clock), self.clock)
        self.walk.open("waiting_both", instant_on(opened, 10))
        self.walk.open("waiting_letters", instant_on(opened, 10))
        self.versions = 1

    def look(self, hours: int) -> None:
        self.clock.forward(hours=hours)
        before = {row.id for row in self.walk.rungs()}
        sweep(self.walk.world.env)
        fresh = [row for row in self.walk.rungs() if row.id not in before]
        acting = [row for row in fresh if row.note != "overtaken"]
        assert len({row.slot_id for row in acting}) == len(acting), "two acted at once"
        for row in fresh:
            assert row.at == self.clock.now
            assert self.due(row.step_id, row.number) <= row.at, "early"

    def decide(self, which: int) -> None:
        slots = [slot for slot in self.walk.world.open_slots() if not slot[1].startswith("rung:")]
        if slots:
            slot_id, key, post = slots[which % len(slots)]
            answer = "agree" if key == "sign" else "done"
            actor, request = self.walk.world.actor(post), self.walk.world.key()
            decide(self.walk.world.env, actor, slot_id=slot_id, answer=answer, key=request)

    def drain(self, _: int) -> None:
        self.walk.settle()

    def publish(self, off: int) -> None:
        year = 2026 + self.versions
        self.versions += 1
        days = [Day(date(year, 1, 1) + timedelta(days=n), False, "元旦") for n in range(off + 1)]
        publish(
            self.walk.world.env,
            SYSTEM,
            horizon=date(year, 12, 31),
            days=days,
            source="国办发明电",
            key=f"calendar {year}",
        )

    def due(self, step_id: int, number: int) -> datetime:
        [step] = [row for row in self.walk.steps() if row.id == step_id]
        ladder = DEFAULT.ladder_for(step.ladder, step.due_key)
        assert ladder is not None
        with reading(self.walk.world.env.engine) as db:
            newest: Calendar = calendar.latest(db)
        rungs = rungs_from(ladder, due_day(step.due_at), newest, 0, step.opened_at)
        return next(at for rung, at in rungs if rung.number == number)

    def check(self) -> None:
        self.look(0)
        self.walk.settle()
        found = list(violations(self.walk.world.env.engine, local_day(self.clock.now)))
        assert found == []
        for step in self.walk.steps():
            assert (step.original_due_at is None) == step.provisional
            assert step.next_rung_at is None or step.next_rung_at > self.clock.now
        said = [(row.template, row.step_id, row.key) for row in self.walk.rows(waiting.MESSAGES)]
        assert len(said) == len(set(said))
        open_slots = {slot_id for slot_id, _, _ in self.walk.world.open_slots()}
        versions = {row.id: row.deadline_version for row in self.walk.steps()}
        late = {
            row.id
            for row in self.walk.rungs()
            if row.slot_id in open_slots and row.deadline_version == versions[row.step_id]
        }
        for member in self.walk.members():
            assert (member.rung_id in late) == (member.struck_at is None)
        waited_for = {row.step_id for row in self.walk.members() if row.struck_at is None}
        lists = [row for row in self.walk.steps("rung:") if row.state == StepState.OPEN]
        assert {row.id for row in lists} == waited_for, "a list ends with its last member"
