"""Whoever advises late is late themselves: it is not held against who was asked."""

from typing import Any

from sqlalchemy import Engine

from policy.acts import Act
from policy.calendar import local_day
from services import on_time
from services.rectification_report import draft_report
from tests.acts_scene import do
from tests.rectification_cast import begin
from tests.world import Clock


def test_an_adviser_who_is_late_makes_no_task_late(engine: Engine) -> None:
    case = begin(engine, Clock())
    case.plan()
    open_slots = case.world.open_slots()
    slot = next(s for s, key, post in open_slots if (key, post) == ("do-task", "office_clerk"))
    beside: Any = {"post": case.world.posts["secretary"], "place": "beside"}
    do(case.world, "office_clerk", Act.ADD_APPROVER, slot, **beside)
    case.world.answer("do-task", "done", "office_clerk")
    case.forward(days=200)
    case.world.answer("do-task", "agree", "secretary")
    case.settle()
    with engine.connect() as db:
        rates = on_time.of_case(db, case.case_id, local_day(case.env.clock()))
        report = draft_report(db, case.case_id)
    assert (rates.by_original, rates.by_current) == (1, 1)
    assert "其中逾期后办结 0 项" in report
