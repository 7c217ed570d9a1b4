"""Running work taken over goes on where it is: nothing done is asked again, nothing is invented."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from documents.ledger import Stage
from models.audit import Audit
from models.base import table
from models.casework import Decision, Rung, Step
from models.ledger import Extension, LedgerProblem
from models.message import Message
from models.problem import Problem, Task
from policy.calendar import instant_on, local_day
from services.command import SYSTEM, Actor
from services.errors import NotFound
from services.faulty import Faulty
from services.importing import MayNotImport
from services.invariants import violations
from services.ledger import (
    LedgerChanged,
    LedgerSettled,
    confirm_ledger,
    drop_ledger,
    ledger_page,
    stage_ledger,
)
from services.problem_import import AlreadyImported
from services.watch import sweep
from tests.ledger_book import extension_rows, ledger, problem_rows, task_rows
from tests.rectification_cast import Rectification, begin
from tests.sheets import changed
from tests.world import Clock


@dataclass
class Office:
    """The cast, and the ledger's case once it is confirmed."""

    house: Rectification
    clock: Clock
    actor: Actor = SYSTEM

    def stage(self, data: bytes | None = None, **more: Any) -> int:
        said: dict[str, Any] = {"filename": "台账.xlsx"}
        said |= {"organisation": self.house.world.organisations["town"]}
        given = said | {"data": data or ledger(), "key": self.house.world.key()} | more
        return stage_ledger(self.house.env, self.actor, **given)

    def confirm(self, ledger_id: int) -> int:
        with self.house.env.engine.connect() as db:
            shown = ledger_page(db, self.actor, ledger_id).fingerprint
        key = self.house.world.key()
        return confirm_ledger(
            self.house.env, self.actor, ledger_id=ledger_id, fingerprint=shown, key=key
        )

    def take_over(self, data: bytes | None = None) -> None:
        self.house.case_id = self.confirm(self.stage(data))
        self.house.settle()

    def rows(self, model: type, *columns: str, **where: Any) -> list[tuple[Any, ...]]:
        rows = table(model)
        query = select(*(rows.c[name] for name in columns)).order_by(rows.c.id)
        query = query.where(*(rows.c[name] == value for name, value in where.items()))
        with self.house.env.engine.connect() as db:
            return [tuple(row) for row in db.execute(query)]

    def steps(self, *columns: str, **where: Any) -> list[tuple[Any, ...]]:
        return self.rows(Step, *columns, case_id=self.house.case_id, **where)


@pytest.fixture
def office(engine: Engine) -> Office:
    clock = Clock()
    return Office(begin(engine, clock), clock)


def unsound(office: Office) -> list[str]:
    found = violations(office.house.env.engine, local_day(office.clock()))
    return [str(one) for one in found]


def test_only_what_has_not_happened_is_asked(office: Office) -> None:
    before = len(office.rows(Message, "id"))
    office.take_over()
    assert sorted(office.steps("key", state="open")) == [("do-task",), ("do-task",), ("sign",)]
    assert office.rows(Decision, "id", case_id=office.house.case_id) == []
    assert unsound(office) == []
    told = office.rows(Message, "template", "context", case_id=office.house.case_id)
    assert [(name, context) for name, context in told if name == "taken_over"] == [
        ("taken_over", {"count": 2, "late": 1})
    ] * 2
    assert {name for name, _ in told} == {"taken_over", "opened"}
    assert len(office.rows(Message, "id")) == before + len(told)


def test_dates_are_the_first_ones_and_those_agreed_since(office: Office) -> None:
    office.take_over()
    first, now = date(2025, 12, 1), date(2026, 1, 31)
    assert office.rows(Task, "original_due_on", "due_on", number="3-2") == [(first, now)]
    late = office.steps("original_due_at", "due_at", key="do-task", state="open")[0]
    assert late == (instant_on(date(2025, 12, 2)), instant_on(date(2026, 2, 1)))
    assert office.rows(Extension, "number", "from_on", "to_on", "agreed_by") == [
        (1, first, date(2026, 1, 10), "区委巡察办主任"),
        (1, first, date(2025, 12, 31), "区委巡察办主任"),
        (2, date(2025, 12, 31), now, "区委分管副书记"),
    ]
    kept = office.rows(LedgerProblem, "row_number", "stage", "closed_on", "evidence")
    assert kept[0] == (2, Stage.CLOSED.value, date(2025, 12, 30), "会议纪要 3 号")


def test_the_case_runs_to_its_end_like_any_other(office: Office) -> None:
    office.take_over()
    house = office.house
    house.answer("sign", "agree")
    house.answer("verify", "return", reason="佐证不足")
    house.do_tasks()
    house.close_all()
    house.answer("draft-report")
    house.answer("approve-report", "agree")
    assert house.state == "ended"
    states = office.rows(Problem, "state", case_id=house.case_id)
    assert states == [("closed",)] * 4
    assert unsound(office) == []


def test_a_return_before_what_was_brought_asks_people(office: Office) -> None:
    office.take_over()
    house = office.house
    house.answer("sign", "agree")
    house.answer("verify", "agree")
    house.do_tasks()
    house.close_all()
    house.answer("draft-report")
    house.answer("approve-report", "return", reason="方案须重审", back_to="draft-plan")
    assert ("draft-plan", "clerk") in house.world.waiting()
    assert unsound(office) == []


def test_nothing_is_raised_on_the_day_and_one_list_after_it(office: Office) -> None:
    office.take_over()
    assert sweep(office.house.env) == 0
    office.clock.forward(days=1)
    sweep(office.house.env)
    office.clock.forward(days=8)
    sweep(office.house.env)
    house = office.house
    house.settle()
    steps = {step for (step,) in office.steps("id", key="do-task")}
    raised = [kind for step, kind in office.rows(Rung, "step_id", "kind") if step in steps]
    assert raised == ["due", "superior"]
    lists = office.steps("id", origin="rung", state="open")
    assert len(lists) == 1
    assert office.rows(Task, "original_due_on", number="3-2") == [(date(2025, 12, 1),)]


def test_a_long_term_task_that_took_hold_is_not_asked_again(office: Office) -> None:
    tasks = changed(task_rows(), (2, "是否长期坚持", "是"), (3, "是否长期坚持", "是"))
    office.take_over(ledger(tasks=tasks))
    assert sorted(office.steps("key", state="open")) == [("do-task",), ("do-task",), ("sign",)]
    assert office.rows(Problem, "state", case_id=office.house.case_id)[0] == ("long_term",)
    assert unsound(office) == []


def test_a_ledger_of_closed_problems_only_waits_for_its_report(office: Office) -> None:
    rows = problem_rows()[:2], task_rows()[:2], extension_rows()[:1]
    office.take_over(ledger(*rows))
    assert office.steps("key", state="open") == [("draft-report",)]


def test_what_means_nobody_or_lies_ahead_is_refused_where_it_stands(office: Office) -> None:
    problems = changed(
        problem_rows(),
        (2, "销号日期", date(2026, 3, 3)),
        (3, "监督", "副书记"),
        (4, "领题", "党建办主任"),
        (5, "责任部门", "城市管理"),
        (4, "责任部门", "党建办"),
    )
    with pytest.raises(Faulty) as refused:
        office.stage(ledger(problems))
    said = [str(fault) for fault in refused.value.faults]
    assert said[0] == "“问题清单”第 2 行“销号日期”：不应晚于今天 2026-03-02"
    assert said[1].startswith("“问题清单”第 3 行“监督”：监督须是纪检或巡察机构的职务，可以写：")
    assert said[2].startswith("“问题清单”第 4 行“领题”：领题人签署销号申请")
    assert said[3].startswith("“问题清单”第 5 行“责任部门”：")
    assert len(said) == 4


def test_nothing_is_there_before_it_is_confirmed_and_then_all_once(office: Office) -> None:
    before = len(office.rows(Problem, "id"))
    dropped = office.stage()
    staged = office.stage()
    assert len(office.rows(Problem, "id")) == before
    with pytest.raises(LedgerSettled):
        office.confirm(dropped)
    office.confirm(staged)
    assert len(office.rows(Problem, "id")) == before + 4
    for again in (
        office.confirm,
        lambda one: drop_ledger(
            office.house.env, SYSTEM, ledger_id=one, key=office.house.world.key()
        ),
    ):
        with pytest.raises(LedgerSettled):
            again(staged)
    with pytest.raises(AlreadyImported):
        office.stage()
    bodies = [body for (body,) in office.rows(Audit, "body", stream="import")]
    assert [body.count("ledger_imported") for body in bodies if "ledger_imported" in body] == [1]


def test_what_was_shown_is_what_is_written(office: Office) -> None:
    staged = office.stage()
    with pytest.raises(LedgerChanged):
        confirm_ledger(
            office.house.env, SYSTEM, ledger_id=staged, fingerprint="another", key="another"
        )
    assert office.rows(LedgerProblem, "id") == []
    office.confirm(staged)


def test_only_the_offices_of_the_unit_may_and_only_who_staged_sees(office: Office) -> None:
    office.actor = office.house.world.actor("outsider")
    with pytest.raises(MayNotImport):
        office.stage()
    office.actor = SYSTEM
    staged = office.stage()
    office.actor = office.house.world.actor("inspection_head")
    with pytest.raises(NotFound):
        office.confirm(staged)
