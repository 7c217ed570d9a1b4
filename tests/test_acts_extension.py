"""申请延期: a superior moves the date of what waits, twice at most; nothing moves before that."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.casework import DutyMember, Rung, Step, StepState
from models.problem import Task
from policy.acts import Act
from policy.deadline import due_day
from services.casework import decide
from services.errors import AlreadyDecided, Invalid, NotAuthorised
from services.on_time import of_case
from services.termination import terminate
from services.watch import sweep
from tests.acts_scene import do, offered, slot_of, stand_in, told
from tests.parts_case import values
from tests.rectification_cast import Rectification, begin
from tests.vacancy_scene import holds, today
from tests.world import Clock

_members, _rungs, _steps, _tasks = table(DutyMember), table(Rung), table(Step), table(Task)
FIRST = date(2026, 6, 1)
LATER, LATEST = date(2026, 7, 1), date(2026, 8, 3)


@pytest.fixture
def case(engine: Engine) -> Iterator[Rectification]:
    """Tasks wait; ``slot_of(…, "do-task")`` is that of the first, which is due on 1 June."""
    made = begin(engine, Clock())
    made.plan()
    yield made
    holds(made.world)


def doer(case: Rectification) -> str:
    return next(post for _, key, post in case.world.open_slots() if key == "do-task")


def request_of(case: Rectification) -> tuple[str, str]:
    """The key of the request that waits, and the post that answers it."""
    waiting = case.world.waiting()
    return next(one for one in waiting if one[0].startswith("extension:"))


def ask(case: Rectification, until: date = LATER, **given: Any) -> None:
    slot = slot_of(case.world, "do-task")
    do(case.world, doer(case), Act.EXTEND, slot, until=until, **given)


def grant(case: Rectification, until: date = LATER, answer: str = "agree", **given: Any) -> str:
    """Ask and answer; the post that was asked."""
    ask(case, until)
    key, post = request_of(case)
    case.answer(key, answer, **given)
    return post


def step(case: Rectification, key: str = "do-task") -> Any:
    with case.env.engine.connect() as db:
        return db.execute(select(_steps).where(_steps.c.key == key).order_by(_steps.c.id)).first()


def dates(case: Rectification) -> tuple[date, date]:
    """The first and the present date of the first step of a task."""
    one = step(case)
    return due_day(one.original_due_at), due_day(one.due_at)


def test_a_request_moves_nothing_and_a_grant_moves_row_and_step(case: Rectification) -> None:
    ask(case)
    assert (dates(case), step(case).deadline_version) == ((FIRST, FIRST), 1)
    key, post = request_of(case)
    assert Act.EXTEND not in offered(case.world, doer(case), slot_of(case.world, "do-task"))
    assert told(case.world, post, "opened") > 0
    case.answer(key, "agree")
    assert (dates(case), step(case).deadline_version) == ((FIRST, LATER), 2)
    query = select(_tasks.c.original_due_on, _tasks.c.due_on).order_by(_tasks.c.id)
    with case.env.engine.connect() as db:
        assert tuple(db.execute(query).first() or ()) == (FIRST, LATER)
    assert told(case.world, doer(case), "extension") == 1


def test_another_date_holds_only_between_the_present_and_the_wanted(case: Rectification) -> None:
    ask(case)
    key, _ = request_of(case)
    for wrong in (FIRST, LATER + timedelta(days=1), None):
        payload = {"until": wrong.isoformat()} if wrong else None
        with pytest.raises(Invalid):
            case.answer(key, "agree_other", reason="提前", payload=payload)
    between = {"until": "2026-06-10"}
    case.answer(key, "agree_other", reason="提前", payload=between)
    assert dates(case) == (FIRST, date(2026, 6, 10))


def test_a_refusal_says_why_and_leaves_the_date(case: Rectification) -> None:
    ask(case)
    key, _ = request_of(case)
    with pytest.raises(Invalid):
        case.answer(key, "refuse")
    case.answer(key, "refuse", reason="理由不足")
    assert (dates(case), step(case).deadline_version) == ((FIRST, FIRST), 1)
    assert told(case.world, doer(case), "extension") == 1
    assert Act.EXTEND in offered(case.world, doer(case), slot_of(case.world, "do-task"))


def test_the_second_goes_one_level_higher_and_there_is_no_third(case: Rectification) -> None:
    first = grant(case)
    second = grant(case, LATEST)
    assert first != second
    assert dates(case) == (FIRST, LATEST)
    with pytest.raises(AlreadyDecided):
        ask(case, LATEST + timedelta(days=9))
    case.answer("do-task")
    case.answer("confirm-task", "return", reason="不实")
    assert dates(case) == (FIRST, LATEST)
    slot = next(s for s, key, _ in reversed(case.world.open_slots()) if key == "do-task")
    assert Act.EXTEND not in offered(case.world, doer(case), slot)


@pytest.mark.parametrize("until", [FIRST, FIRST - timedelta(days=1), date(9999, 12, 31)])
def test_only_a_later_date_of_the_next_year_is_asked_for(case: Rectification, until: date) -> None:
    with pytest.raises(Invalid):
        ask(case, until)
    assert not any(key.startswith("extension:") for key, _ in case.world.waiting())


def test_it_is_asked_on_the_last_day_and_not_after_it(case: Rectification) -> None:
    clock: Any = case.env.clock
    slot = slot_of(case.world, "do-task")
    clock.forward(days=(FIRST - today(case.world)).days)
    assert Act.EXTEND in offered(case.world, doer(case), slot)
    clock.forward(days=1)
    assert Act.EXTEND not in offered(case.world, doer(case), slot)
    with pytest.raises(AlreadyDecided):
        ask(case)


def test_who_asked_and_who_stands_in_does_not_answer(case: Rectification) -> None:
    ask(case)
    key, post = request_of(case)
    stand_in(case.world, post, doer(case))
    slot = slot_of(case.world, key)
    with pytest.raises(NotAuthorised):
        _answer_as(case, doer(case), slot)
    assert dates(case) == (FIRST, FIRST)


def _answer_as(case: Rectification, by: str, slot: int) -> None:
    decide(case.env, case.world.actor(by), slot_id=slot, answer="agree", key=case.world.key())


def test_the_request_ends_with_what_it_is_about(case: Rectification) -> None:
    ask(case)
    key, _ = request_of(case)
    case.answer("do-task")
    assert step(case, key).state == StepState.CLOSED
    assert key not in {waiting for waiting, _ in case.world.waiting()}


def test_a_terminated_case_leaves_no_request(case: Rectification) -> None:
    ask(case)
    actor, of = case.world.actor("district_secretary"), {"case_id": case.case_id}
    terminate(case.env, actor, **of, reason="机构撤销", key=case.world.key())
    assert case.world.open_slots() == []


def test_superiors_who_were_asked_are_relieved_and_the_ladder_starts_anew(
    case: Rectification,
) -> None:
    clock: Any = case.env.clock
    ask(case, LATEST)
    key, _ = request_of(case)
    for _ in range(18):
        clock.forward(days=7)
        sweep(case.env)
        case.settle()
        if step(case).rungs_fired >= 4:
            break
    before = step(case)
    assert before.rungs_fired >= 4
    mine = select(_rungs.c.id).where(_rungs.c.step_id == before.id)
    late = select(_members.c.id).where(_members.c.rung_id.in_(mine), _members.c.struck_at.is_(None))
    assert values(case.world, late)
    case.answer(key, "agree")
    assert values(case.world, late) == []
    after = step(case)
    assert (after.rungs_fired, after.deadline_version) == (0, 2)
    assert after.next_rung_at is None or after.next_rung_at < after.due_at + timedelta(days=60)


def test_both_rates_are_counted(case: Rectification) -> None:
    clock: Any = case.env.clock
    grant(case)
    clock.forward(days=(FIRST - today(case.world)).days + 3)
    case.answer("do-task")
    with case.env.engine.connect() as db:
        rates = of_case(db, case.case_id, today(case.world))
    assert (rates.by_original, rates.by_current) == (0, 1)
