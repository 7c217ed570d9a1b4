"""The rectification walked through by people: straight, returned, voided, and by whom it may be."""

import pytest
from sqlalchemy import Engine, update

from models.base import table
from models.casework import Branch, CaseState, Decision, Effect, Fact, Step
from models.message import Message
from models.problem import Problem, Task
from services.casework import decide, return_targets
from services.casework.branch import lock_branch
from services.casework.replay import advance
from services.command import Work
from services.errors import AlreadyDecided, Invalid, NotAuthorised
from services.rectification import NoProblems, OwnerCannotVerify, start
from services.rectification_plan import PlanIncomplete
from services.rectification_report import ReportEmpty, draft_report
from tests import world
from tests.rectification_cast import BATCH, Rectification, also_holds, begin, proposed

REVIEWERS = {"discipline_secretary", "personnel_head", "inspection_head"}


@pytest.fixture
def case(sqlite_engine: Engine) -> Rectification:
    """A started rectification."""
    return begin(sqlite_engine, world.Clock())


def test_a_straight_case_ends_with_every_problem_closed(engine: Engine) -> None:
    case = begin(engine, world.Clock())
    assert case.world.waiting() == [("assign-roles", "secretary")]
    case.answer("assign-roles")
    assert case.world.waiting() == [("draft-plan", "clerk")]
    case.answer("draft-plan")
    assert {post for _, post in case.world.waiting()} == REVIEWERS
    case.review()
    assert case.world.waiting() == [("approve-plan", "district_member")]
    case.answer("approve-plan", "agree")
    assert sorted(case.world.waiting()) == [
        ("do-task", "city_head"),
        *[("do-task", "office_clerk")] * 3,
    ]
    case.do_tasks()
    case.close_all()
    assert case.world.waiting() == [("draft-report", "clerk")]
    case.answer("draft-report")
    case.answer("approve-report", "agree")
    assert case.state is CaseState.ENDED
    assert case.rows(Problem, "state") == [("closed",)] * 2
    assert case.rows(Task, "state") == [("confirmed",)] * 3 + [("published",)]


def test_a_unit_that_leads_its_own_problem_reports_by_its_clerk(case: Rectification) -> None:
    case.plan()
    case.answer("do-task", post="office_clerk")
    assert ("confirm-task", "office_head") in case.world.waiting()


def test_a_unit_without_a_clerk_is_confirmed_by_the_leader_of_the_task(
    case: Rectification,
) -> None:
    roles = proposed(case)
    roles[str(case.problems[1])]["responsible_unit"] = case.world.organisations["city"]
    case.answer("assign-roles", payload=roles)
    case.answer("draft-plan")
    case.review()
    case.answer("approve-plan", "agree")
    case.answer("do-task", post="city_head")
    assert ("confirm-task", "deputy") in case.world.waiting()


def test_a_returned_review_asks_all_three_afresh(case: Rectification) -> None:
    case.answer("assign-roles")
    case.answer("draft-plan")
    case.answer("review-plan", "agree", "personnel_head")
    case.answer("review-plan", "return", "inspection_head", reason="完成标准不可检查")
    assert case.world.waiting() == [("revise-plan", "clerk")]
    case.answer("revise-plan")
    assert {post for _, post in case.world.waiting()} == REVIEWERS
    case.review()
    assert case.world.waiting() == [("approve-plan", "district_member")]
    assert len(case.rows(Decision, "id")) == 2 + 2 + 1 + 3


@pytest.mark.parametrize("to", ["assign-roles", "draft-plan", "review-plan"])
def test_a_plan_returned_by_the_leader_publishes_nothing(case: Rectification, to: str) -> None:
    case.answer("assign-roles")
    case.answer("draft-plan")
    case.review()
    before = case.rows(Decision, "id", "answer")
    case.answer("approve-plan", "return", reason="重新研究", back_to=to)
    assert {key for key, _ in case.world.waiting()} == {to}
    assert case.rows(Task, "state", "original_due_on") == [("draft", None)] * 4
    assert case.rows(Effect, "id") == []
    assert not any(row_kind for (row_kind,) in case.rows(Branch, "row_kind"))
    assert case.rows(Decision, "id", "answer") == [*before, (len(before) + 1, "return")]
    again = {"assign-roles": ["assign-roles", "draft-plan"], "draft-plan": ["draft-plan"]}
    for key in again.get(to, []):
        case.answer(key)
    case.review()
    case.answer("approve-plan", "agree")
    assert {state for (state,) in case.rows(Task, "state")} == {"published"}


def test_the_leader_is_offered_every_step_the_plan_went_through(case: Rectification) -> None:
    case.answer("assign-roles")
    case.answer("draft-plan")
    case.answer("review-plan", "return", "inspection_head", reason="补充")
    case.answer("revise-plan")
    case.review()
    slot_id = case.world.open_slots()[0][0]
    with case.env.engine.connect() as db:
        offered = return_targets(db, slot_id)
    assert offered == ["assign-roles", "draft-plan", "review-plan", "revise-plan"]


def test_publishing_freezes_the_first_date_and_tells_lead_and_supporting_units(
    case: Rectification,
) -> None:
    case.plan()
    tasks = case.rows(Task, "state", "due_on", "original_due_on")
    assert all(state == "published" and due == first for state, due, first in tasks)
    told = [
        row for row in case.rows(Message, "template", "post_id", "context") if row[0] == "task_list"
    ]
    posts = {name: case.world.posts[name] for name in ("office_head", "city_head")}
    assert told == [
        ("task_list", posts["office_head"], {"count": 3}),
        ("task_list", posts["city_head"], {"count": 4}),
    ]


def test_a_report_returned_to_the_plan_takes_back_what_is_not_confirmed(
    case: Rectification,
) -> None:
    case.plan()
    case.do_tasks()
    case.close_all()
    case.answer("draft-report")
    case.answer("approve-report", "return", reason="方案须重报", back_to="draft-plan")
    assert case.rows(Task, "state") == [("confirmed",)] * 3 + [("draft",)]
    assert [t for (t,) in case.rows(Message, "template")].count("task_list_recalled") == 2
    case.answer("draft-plan")
    case.review()
    case.answer("approve-plan", "agree")
    case.sample()
    assert case.world.waiting() == [("draft-report", "clerk")]


def test_a_returned_task_is_asked_again_with_its_own_date(case: Rectification) -> None:
    case.plan()
    case.answer("do-task", post="city_head")
    case.answer("confirm-task", "return", reason="没有达到完成标准")
    rounds = [
        row for row in case.rows(Step, "key", "round", "original_due_at") if row[0] == "do-task"
    ]
    assert sorted(number for _, number, _ in rounds) == [1, 1, 1, 1, 2]
    due = {due_at for _, _, due_at in rounds}
    assert rounds[-1][2] in due
    case.do_tasks()
    case.close_all()
    assert case.world.waiting() == [("draft-report", "clerk")]


def test_a_problem_that_is_not_verified_is_applied_for_again(case: Rectification) -> None:
    case.plan()
    case.do_tasks()
    case.answer("apply-closing")
    case.answer("sign", "agree")
    case.answer("verify", "return", reason="缺二月的佐证")
    assert case.rows(Problem, "state") == [("open",)] * 2
    assert [key for key, _ in case.world.waiting()] == ["apply-closing"] * 2
    case.close_all()
    assert case.rows(Problem, "state") == [("closed",)] * 2


def test_whoever_did_a_task_may_not_verify_its_problem(case: Rectification) -> None:
    case.plan()
    case.do_tasks()
    case.answer("apply-closing")
    case.answer("sign", "agree")
    also_holds(case, "town_discipline_secretary", "office_clerk")
    with pytest.raises(NotAuthorised):
        case.answer("verify", "agree")


def test_a_verifier_who_owns_a_task_by_a_second_post_is_refused(case: Rectification) -> None:
    case.plan()
    case.do_tasks()
    case.answer("apply-closing")
    case.answer("sign", "agree")
    case.world.do(lambda work: _appoint(work, case, "city_head", "town_discipline_secretary"))
    with pytest.raises(OwnerCannotVerify):
        case.answer("verify", "agree")


def test_a_leader_who_applied_may_not_sign(case: Rectification) -> None:
    case.plan()
    case.do_tasks()
    case.answer("apply-closing")
    also_holds(case, "deputy", "office_head")
    with pytest.raises(NotAuthorised):
        case.answer("sign", "agree")


def test_a_reviewer_may_not_approve_the_plan_they_reviewed(case: Rectification) -> None:
    case.answer("assign-roles")
    case.answer("draft-plan")
    case.review()
    also_holds(case, "district_member", "inspection_head")
    with pytest.raises(NotAuthorised):
        case.answer("approve-plan", "agree")


def test_a_plan_without_a_task_for_each_problem_is_refused(case: Rectification) -> None:
    case.answer("assign-roles")
    tasks = table(Task)
    case.world.do(lambda work: _set(work, update(tasks).values(problem_id=case.problems[1])))
    with pytest.raises(PlanIncomplete) as refused:
        case.answer("draft-plan")
    assert refused.value.details["problems"] == [2]


def test_a_task_without_a_standard_is_refused(case: Rectification) -> None:
    case.answer("assign-roles")
    tasks = table(Task)
    vague = update(tasks).where(tasks.c.number == "1-2").values(standard=" ")
    case.world.do(lambda work: _set(work, vague))
    with pytest.raises(PlanIncomplete) as refused:
        case.answer("draft-plan")
    assert refused.value.details["tasks"] == ["1-2"]


def test_the_report_is_drafted_from_the_data_and_its_figures_are_frozen(
    case: Rectification,
) -> None:
    case.plan()
    case.world.env.clock.forward(days=150)  # type: ignore[attr-defined]
    case.do_tasks()
    case.close_all()
    with case.env.engine.connect() as db:
        text = draft_report(db, case.case_id)
    assert "巡察反馈问题 2 个，已完成并销号 2 个，基本完成 0 个，长期坚持 0 个；整改任务" in text
    assert "逾期后办结 3 项" in text
    for payload in ({"text": " "}, {"text": 5}, {"text": "字" * 20_001}, "text"):
        with pytest.raises(ReportEmpty):
            case.answer("draft-report", payload=payload)
    case.answer("draft-report", payload={"text": "报告"})
    assert case.rows(Decision, "payload")[-1] == ({"text": "报告"},)


def test_a_second_start_finds_no_problem_left(case: Rectification) -> None:
    with pytest.raises(NoProblems):
        start(
            case.env,
            case.world.actor("inspection_head"),
            organisation_id=case.world.organisations["town"],
            batch=BATCH,
            key="again",
        )


def test_a_stranger_may_not_start_a_rectification(case: Rectification) -> None:
    with pytest.raises(NotAuthorised):
        start(
            case.env,
            case.world.actor("outsider"),
            organisation_id=case.world.organisations["town"],
            batch=BATCH,
            key="stranger",
        )


def test_an_answer_that_is_not_asked_for_is_refused(case: Rectification) -> None:
    with pytest.raises(Invalid):
        case.answer("assign-roles", "agree")


def test_what_was_answered_cannot_be_answered_again(case: Rectification) -> None:
    slot_id, _, _ = case.world.open_slots()[0]
    case.answer("assign-roles")
    from_now_on = case.world.actor("secretary")
    with pytest.raises(AlreadyDecided):
        _decide(case, slot_id, from_now_on)


def test_replaying_every_branch_once_more_changes_nothing(case: Rectification) -> None:
    case.plan()
    case.do_tasks()
    before = [case.rows(model, "id", "key") for model in (Step, Fact, Effect)]
    branches = [row[0] for row in case.rows(Branch, "id")]
    for branch_id in branches:
        case.world.do(lambda work, id_=branch_id: _replay(work, id_))
    assert [case.rows(model, "id", "key") for model in (Step, Fact, Effect)] == before


def _appoint(work: Work, case: Rectification, post: str, holder: str) -> dict[str, object]:
    world.appoint(work, case.world.posts[post], case.world.people[holder])
    return {}


def _set(work: Work, statement: object) -> dict[str, object]:
    work.db.execute(statement)  # type: ignore[call-overload]
    return {}


def _decide(case: Rectification, slot_id: int, actor: object) -> None:
    decide(case.env, actor, slot_id=slot_id, answer="done", key="twice")  # type: ignore[arg-type]


def _replay(work: Work, branch_id: int) -> dict[str, object]:
    branch = lock_branch(work, branch_id)
    advance(branch)
    branch.save()
    return {}
