"""暂停 / 恢复: whose clocks stand, what people may do meanwhile, and how far dates move (CK-19)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from models.base import table
from models.casework import Branch, DutyMember, Rung, Step, StepState
from models.pause import Pause, Standstill
from models.problem import Task
from policy.acts import Act
from policy.calendar import local_day
from policy.deadline import due_day
from services import calendar
from services.calendar import Day
from services.casework import decide
from services.command import SYSTEM
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.invariants import violations
from services.on_time import of_case
from services.pausing import MayNotPause, pause, prolong, resume
from services.publishing import publish
from services.termination import terminate
from services.watch import sweep
from tests.acts_scene import do, offered, slot_of, told
from tests.parts_case import values
from tests.rectification_cast import Rectification, begin
from tests.vacancy_scene import holds, today
from tests.world import Clock

_branches, _members, _pauses = table(Branch), table(DutyMember), table(Pause)
_rungs, _standstills, _steps, _tasks = table(Rung), table(Standstill), table(Step), table(Task)
ABOVE = "district_secretary"
FIRST = date(2026, 6, 1)
"""What the first task is due on."""


@pytest.fixture
def case(engine: Engine) -> Iterator[Rectification]:
    """Tasks wait; ``slot_of(…, "do-task")`` is that of the first, which is due on 1 June."""
    made = begin(engine, Clock())
    made.plan()
    yield made
    holds(made.world)


def forward(case: Rectification, days: int = 1) -> None:
    """So many days, of which the watch and the drain see the last two."""
    clock: Any = case.env.clock
    clock.forward(days=max(days - 2, 0))
    for _ in range(min(days, 2)):
        clock.forward(days=1)
        sweep(case.env)
        case.settle()


def until(case: Rectification, day: date) -> None:
    clock: Any = case.env.clock
    clock.forward(days=(day - today(case.world)).days)


def branch(case: Rectification, kind: str = "", row: int | None = None) -> int:
    """The branch of a row, or the root."""
    of = _branches.c.case_id == case.case_id, _branches.c.row_kind == kind
    mine = of if row is None else (*of, _branches.c.row_id == row)
    return int(values(case.world, select(_branches.c.id).where(*mine))[0])


def stop(case: Rectification, at: int, by: str = ABOVE, **given: Any) -> None:
    day = (today(case.world) + timedelta(days=30)).isoformat()
    told = {"kind": "reorganisation", "review_on": day, "reason": "机构改革"} | given
    pause(case.env, case.world.actor(by), branch_id=at, key=case.world.key(), **told)


def go_on(case: Rectification, at: int, by: str = ABOVE, reason: str = "改革已完成") -> None:
    actor = case.world.actor(by)
    resume(case.env, actor, branch_id=at, reason=reason, key=case.world.key())


def step(case: Rectification, key: str = "do-task") -> Any:
    with case.env.engine.connect() as db:
        return db.execute(select(_steps).where(_steps.c.key == key).order_by(_steps.c.id)).first()


def first_task(case: Rectification) -> tuple[date, date]:
    """Its first and its present date."""
    query = select(_tasks.c.original_due_on, _tasks.c.due_on).order_by(_tasks.c.id)
    with case.env.engine.connect() as db:
        row = db.execute(query).first()
    assert row is not None
    return row.original_due_on, row.due_on


def rates(case: Rectification) -> Any:
    with case.env.engine.connect() as db:
        return of_case(db, case.case_id, today(case.world))


def standing(case: Rectification) -> set[int]:
    """The branches whose clocks stand."""
    paused = select(_branches.c.id).where(_branches.c.paused_by.is_not(None))
    return set(values(case.world, paused))


def rungs(case: Rectification) -> int:
    return len(values(case.world, select(_rungs.c.id)))


def test_while_a_case_stands_nothing_is_raised_and_then_each_date_moves_in_its_own_unit(
    case: Rectification,
) -> None:
    forward(case, 3)
    before = step(case), rungs(case)
    stop(case, branch(case))
    since = today(case.world)
    forward(case, 100)
    assert rungs(case) == before[1]
    assert told(case.world, "office_clerk", "due") == 0
    assert rates(case).of_current == 0
    go_on(case, branch(case))
    after = step(case)
    assert due_day(after.original_due_at) == FIRST
    assert due_day(after.due_at) == FIRST + timedelta(days=100)
    assert (after.deadline_version, after.paused_at) == (before[0].deadline_version + 1, None)
    assert first_task(case) == (FIRST, FIRST + timedelta(days=100))
    with case.env.engine.connect() as db:
        basis = db.execute(select(_standstills).where(_standstills.c.step_id == after.id)).one()
    assert (basis.since, basis.until, basis.days) == (since, today(case.world), 100)
    forward(case, 3)
    case.answer("do-task")
    found = rates(case)
    assert (found.by_current, found.by_original) == (1, 0)


def test_working_days_are_added_to_what_counts_working_days(case: Rectification) -> None:
    case.answer("do-task")
    confirm = step(case, "confirm-task")
    stop(case, branch(case))
    since = today(case.world)
    forward(case, 45)
    go_on(case, branch(case))
    after = step(case, "confirm-task")
    with case.env.engine.connect() as db:
        days = calendar.latest(db)
    stood = days.working_days_between(since, today(case.world))
    assert 0 < stood < 45
    assert days.working_days_between(due_day(confirm.due_at), due_day(after.due_at)) == stood


def test_one_branch_stands_and_the_others_go_on(case: Rectification) -> None:
    one = branch(case, "problem", case.problems[1])
    stop(case, one)
    assert len(standing(case)) == 3
    assert step(case).paused_at is not None
    until(case, FIRST + timedelta(days=20))
    forward(case, 2)
    raised = set(values(case.world, select(_steps.c.branch_id).where(_steps.c.rungs_fired > 0)))
    assert raised
    assert not raised & standing(case)
    go_on(case, one)


def test_who_is_asked_may_decide_and_is_not_late_by_what_stood(case: Rectification) -> None:
    stop(case, branch(case))
    since = today(case.world)
    until(case, FIRST + timedelta(days=9))
    forward(case)
    slot = slot_of(case.world, "do-task")
    assert not decide(
        case.env,
        case.world.actor(next(p for s, _, p in case.world.open_slots() if s == slot)),
        slot_id=slot,
        answer="done",
        key="in-a-pause",
    ).late
    case.settle()
    stood = today(case.world) - since
    assert first_task(case)[1] == FIRST + stood
    assert rates(case).by_current == rates(case).of_current == 1
    assert step(case, "confirm-task").paused_at == case.env.clock()
    forward(case, 30)
    assert rates(case).of_current == 1
    go_on(case, branch(case))
    assert first_task(case)[1] == FIRST + stood


def test_twice_is_refused_and_so_is_what_does_not_stand(case: Rectification) -> None:
    root, problem = branch(case), branch(case, "problem", case.problems[1])
    with pytest.raises(AlreadyDecided, match="没有暂停"):
        go_on(case, root)
    stop(case, root)
    with pytest.raises(AlreadyDecided, match="滨河区委书记于2026年3月2日 09:00暂停"):
        stop(case, root)
    with pytest.raises(AlreadyDecided, match="暂停"):
        stop(case, problem)
    with pytest.raises(AlreadyDecided, match="整个事项"):
        go_on(case, problem)
    go_on(case, root)
    with pytest.raises(AlreadyDecided):
        go_on(case, root)
    terminate(case.env, case.world.actor(ABOVE), case_id=case.case_id, reason="撤销", key="end")
    with pytest.raises(AlreadyDecided, match="终止"):
        stop(case, root)


def test_only_who_commands_the_case_may_and_an_outsider_learns_nothing(case: Rectification) -> None:
    for post in ("secretary", "clerk", "deputy", "office_head", "discipline_secretary"):
        with pytest.raises(MayNotPause):
            stop(case, branch(case), post)
    for at in (branch(case), 987_654):
        with pytest.raises(NotFound):
            stop(case, at, "outsider")
    given: Any = {"kind": "appeal", "review_on": "2026-05-01", "reason": "申诉", "key": "system"}
    with pytest.raises(NotAuthorised):
        pause(case.env, SYSTEM, branch_id=branch(case), **given)
    stop(case, branch(case))
    for post in ("secretary", "deputy"):
        with pytest.raises(MayNotPause):
            go_on(case, branch(case), post)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("kind", "holiday"),
        ("kind", ""),
        ("review_on", ""),
        ("review_on", "2026-03-02"),
        ("review_on", "2027-12-31"),
        ("review_on", "下月"),
        ("reason", " "),
        ("reason", "长" * 501),
        ("reason", "举报人系出纳"),
    ],
)
def test_what_is_missing_or_will_not_do_is_named(
    case: Rectification, field: str, wrong: str
) -> None:
    with pytest.raises(Invalid) as refused:
        stop(case, branch(case), **{field: wrong})
    assert refused.value.details["field"] == field
    assert values(case.world, select(_pauses.c.id)) == []


def test_what_is_paused_on_its_own_stands_on_when_the_case_goes_on(case: Rectification) -> None:
    root, problem = branch(case), branch(case, "problem", case.problems[1])
    stop(case, problem)
    forward(case, 10)
    stop(case, root)
    forward(case, 10)
    go_on(case, root)
    assert step(case).paused_at is not None
    others = _steps.c.state == StepState.OPEN, _steps.c.paused_at.is_(None)
    assert values(case.world, select(_steps.c.id).where(*others))
    forward(case, 10)
    go_on(case, problem)
    assert first_task(case)[1] == FIRST + timedelta(days=30)
    stop(case, problem)
    stop(case, root)
    go_on(case, problem)
    assert step(case).paused_at is not None
    forward(case, 5)
    go_on(case, root)
    assert first_task(case)[1] == FIRST + timedelta(days=35)


def test_who_paused_is_asked_on_the_day_and_nothing_resumes_by_itself(case: Rectification) -> None:
    stop(case, branch(case), "district_member")
    forward(case, 29)
    assert told(case.world, "district_member", "pause_review") == 0
    forward(case, 5)
    assert told(case.world, "district_member", "pause_review") == 1
    forward(case, 7)
    assert told(case.world, "district_member", "pause_review") == 2
    assert step(case).paused_at is not None
    prolong(
        case.env,
        case.world.actor(ABOVE),
        branch_id=branch(case),
        review_on=(today(case.world) + timedelta(days=60)).isoformat(),
        reason="改革尚未完成",
        key="longer",
    )
    forward(case, 20)
    assert told(case.world, "district_member", "pause_review") == 2
    go_on(case, branch(case))
    assert first_task(case)[1] == FIRST + timedelta(days=61)


def test_superiors_are_relieved_and_asked_again_the_next_working_morning(
    case: Rectification,
) -> None:
    until(case, FIRST + timedelta(days=20))
    forward(case, 3)
    late = select(_members.c.id).where(_members.c.struck_at.is_(None))
    assert values(case.world, late)
    stop(case, branch(case))
    case.settle()
    assert values(case.world, late) == []
    assert not any(key.startswith("rung:") for key, _ in case.world.waiting())
    slot = slot_of(case.world, "do-task")
    assert Act.URGE not in offered(case.world, "district_member", slot)
    forward(case, 40)
    assert values(case.world, late) == []
    go_on(case, branch(case))
    sweep(case.env)
    case.settle()
    assert values(case.world, late) == []
    forward(case, 4)
    assert values(case.world, late)
    assert step(case).rungs_fired > 0


def test_what_is_opened_meanwhile_stands_too(engine: Engine) -> None:
    case = begin(engine, Clock())
    stop(case, branch(case), kind="appeal", reason="对巡察反馈提出申诉")
    case.plan()
    assert set(values(case.world, select(_branches.c.paused_by.is_not(None)))) == {True}
    opened = select(_steps.c.id).where(_steps.c.state == StepState.OPEN)
    assert values(case.world, opened.where(_steps.c.paused_at.is_(None))) == []
    assert rungs(case) == 0
    forward(case, 12)
    go_on(case, branch(case))
    assert first_task(case)[1] == FIRST + timedelta(days=12)
    holds(case.world)


def test_a_paused_case_is_terminated_and_what_was_paused_is_over(case: Rectification) -> None:
    stop(case, branch(case))
    terminate(case.env, case.world.actor(ABOVE), case_id=case.case_id, reason="撤销", key="end")
    assert values(case.world, select(_pauses.c.ended_by)) == [None]
    assert values(case.world, select(_pauses.c.ended_at)) == [case.env.clock()]
    assert set(values(case.world, select(_branches.c.paused_by))) == {None}


def test_an_answer_is_taken_back_and_returned_in_a_pause(case: Rectification) -> None:
    slot = slot_of(case.world, "do-task")
    who = next(post for found, _, post in case.world.open_slots() if found == slot)
    stop(case, branch(case))
    forward(case, 4)
    case.answer("do-task", post=who)
    forward(case, 4)
    do(case.world, who, Act.WITHDRAW, slot)
    forward(case, 4)
    go_on(case, branch(case))
    assert first_task(case)[1] == FIRST + timedelta(days=12)
    stop(case, branch(case))
    case.answer("do-task", post=who)
    case.answer("confirm-task", "return", reason="不实")
    forward(case, 3)
    go_on(case, branch(case))
    assert first_task(case)[1] == FIRST + timedelta(days=15)


def test_a_problem_that_is_closed_while_it_stands_ends_its_pause(case: Rectification) -> None:
    stop(case, branch(case, "problem", case.problems[1]))
    case.do_tasks()
    case.close_all()
    assert values(case.world, select(_pauses.c.ended_at)) == [case.env.clock()]


def test_a_calendar_that_is_published_meanwhile_moves_provisional_dates_only(
    engine: Engine,
) -> None:
    clock = Clock()
    clock.forward(days=290)
    case = begin(engine, clock)
    case.answer("assign-roles")
    plan = step(case, "draft-plan")
    assert plan.provisional
    stop(case, branch(case))
    since = today(case.world)
    forward(case, 5)
    days = [Day(date(2027, 1, 1), working=False, name="元旦")]
    given: Any = {"horizon": date(2027, 12, 31), "days": days, "source": "国办发明电"}
    publish(case.env, SYSTEM, **given, key="2027")
    forward(case, 10)
    meanwhile = step(case, "draft-plan")
    assert (meanwhile.provisional, meanwhile.next_rung_at) == (False, None)
    go_on(case, branch(case))
    after = step(case, "draft-plan")
    with engine.connect() as db:
        now = calendar.latest(db)
    stood = now.working_days_between(since, today(case.world))
    first = now.add_working_days(local_day(plan.opened_at), 15)
    assert due_day(after.original_due_at) == first
    assert due_day(after.due_at) == now.add_working_days(first, stood)
    holds(case.world)


@pytest.mark.parametrize("forged", ["UPDATE branch SET paused_by = NULL WHERE parent_id IS NULL"])
def test_a_branch_that_is_let_go_on_by_hand_is_found(engine: Engine, forged: str) -> None:
    case = begin(engine, Clock())
    stop(case, branch(case))
    with engine.begin() as db:
        db.execute(text(forged))
    assert any(one.invariant == "INV-4" for one in violations(engine, today(case.world)))
