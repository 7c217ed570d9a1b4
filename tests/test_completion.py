"""三态完成: what is claimed is verified, and what is kept up is asked about on its review dates."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine

from models.casework import CaseState, Wake, WakeKind
from models.problem import Problem
from policy.calendar import local_day
from services.casework import drain
from services.database import open_engine
from services.errors import Invalid
from services.invariants import violations
from services.rectification_report import draft_report
from services.watch import sweep
from tests import world
from tests.rectification_cast import CLAIM, Rectification, begin


def claimed(engine: Engine) -> Rectification:
    """A case whose problem 1 is claimed as 长期坚持, and whose problem 2 as 已完成."""
    case = begin(engine, world.Clock())
    case.plan()
    case.do_tasks()
    case.answer("apply-closing", payload=CLAIM)
    case.answer("apply-closing", payload={"completion": "done"})
    return case


@pytest.fixture
def case(sqlite_engine: Engine) -> Iterator[Rectification]:
    """As :func:`claimed`; at the end every invariant holds."""
    made = claimed(sqlite_engine)
    yield made
    sound(made)


def sound(case: Rectification) -> None:
    assert list(violations(case.env.engine, local_day(case.env.clock()))) == []


def verify_both(case: Rectification) -> None:
    for key in ("sign", "verify"):
        for _ in range(2):
            case.answer(key, "agree")


def report(case: Rectification) -> None:
    case.sample()
    case.answer("draft-report")
    case.answer("approve-report", "agree")


def test_what_is_kept_up_waits_for_no_report_and_is_asked_about_until_it_is_closed(
    engine: Engine,
) -> None:
    case = claimed(engine)
    assert case.rows(Problem, "state") == [("open",)] * 2
    verify_both(case)
    day = date(2026, 8, 31)
    assert case.rows(Problem, "state", "review_on") == [("long_term", day), ("closed", None)]
    report(case)
    assert (case.world.waiting(), case.state) == ([], CaseState.OPEN)
    sound(case)
    case.forward((day - date(2026, 3, 2)).days - 1)
    assert case.world.waiting() == []
    case.forward(1)
    assert case.world.waiting() == [("say-standing", "office_head")]
    case.answer("say-standing", "ongoing", reason="每月更新", payload={"review_on": "2026-12-01"})
    assert case.world.waiting() == []
    case.forward(100)
    case.answer("say-standing", "closing", reason="制度已成常态")
    case.answer("sign-closing", "agree")
    assert case.world.waiting() == [("verify-closing", "town_discipline_secretary")]
    case.answer("verify-closing", "return", reason="缺九月的记录")
    assert case.world.waiting() == [("say-standing", "office_head")]
    assert case.rows(Problem, "state")[0] == ("long_term",)
    case.answer("say-standing", "closing", reason="九月的记录已补")
    case.answer("sign-closing", "agree")
    case.answer("verify-closing", "agree")
    assert case.rows(Problem, "state", "review_on") == [("closed", None)] * 2
    assert case.state is CaseState.ENDED
    sound(case)


def test_a_claim_that_is_not_upheld_is_made_again(case: Rectification) -> None:
    case.answer("sign", "agree")
    case.answer("verify", "return", reason="尚未见成效")
    assert case.rows(Problem, "state") == [("open",)] * 2
    case.answer("apply-closing", payload=CLAIM | {"completion": "basic"})
    verify_both(case)
    assert case.rows(Problem, "state", "remains")[0] == ("basic", CLAIM["remains"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"completion": ""}, "completion"),
        ({"completion": "nearly"}, "completion"),
        (CLAIM | {"remains": " "}, "remains"),
        (CLAIM | {"measures": "字" * 1001}, "measures"),
        (CLAIM | {"review_on": ""}, "review_on"),
        (CLAIM | {"review_on": "2026-03-02"}, "review_on"),
        (CLAIM | {"review_on": "2026-09-03"}, "review_on"),
        ("done", "completion"),
    ],
)
def test_a_claim_that_lacks_something_is_refused_and_says_where(
    started: Rectification, wrong: object, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        started.answer("apply-closing", payload=wrong)
    assert refused.value.details["field"] == field


@pytest.fixture(scope="module")
def started(memory: Engine) -> Rectification:
    """A case in which closing is to be applied for, for refusals only."""
    case = begin(memory, world.Clock())
    case.plan()
    case.do_tasks()
    return case


@pytest.fixture(scope="module")
def memory() -> Iterator[Engine]:
    """A database of this module's own."""
    engine = open_engine("sqlite://")
    world.lay_out(engine)
    yield engine
    engine.dispose()


def test_the_report_counts_the_three_apart_and_says_what_remains(case: Rectification) -> None:
    verify_both(case)
    with case.env.engine.connect() as db:
        text = draft_report(db, case.case_id)
    assert "巡察反馈问题 2 个，已完成并销号 1 个，基本完成 0 个，长期坚持 1 个" in text
    assert "长期坚持，还需：每月更新工作清单；措施：纳入月度例会；2026年8月31日复查。" in text


def test_a_clock_that_was_put_forward_asks_nobody(case: Rectification) -> None:
    """The drain alone does not ring: the watch does, which has to believe the clock."""
    verify_both(case)
    report(case)
    case.env.clock.forward(days=400)  # type: ignore[attr-defined]
    assert drain(case.env) == 0
    assert case.rows(Wake, "kind") == [(WakeKind.DATE,)]
    assert sweep(case.env) == 1
    drain(case.env)
    assert case.world.waiting() == [("say-standing", "office_head")]


def test_a_review_that_nobody_answers_is_raised_like_any_step(case: Rectification) -> None:
    verify_both(case)
    report(case)
    case.forward(185)
    case.forward(30)
    assert any(key.startswith("rung:") for key, _ in case.world.waiting())
    case.answer("say-standing", "ongoing", reason="每月更新")
    assert case.rows(Problem, "review_on")[0][0] == date(2027, 4, 5)


def test_a_case_of_the_first_edition_goes_on_as_it_began(sqlite_engine: Engine) -> None:
    case = begin(sqlite_engine, world.Clock(), edition=1)
    case.plan()
    case.do_tasks()
    case.close_all()
    assert case.rows(Problem, "state") == [("closed",), ("long_term",)]
    report(case)
    assert case.state is CaseState.ENDED
    sound(case)
