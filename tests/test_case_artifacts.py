"""The table and the link that Prefect shows of a case: what they say, how large, and what never."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from models.base import table
from models.casework import Decision, StepState
from models.organisation import Person
from models.problem import Problem, Task
from services.case_artifacts import (
    OPEN_ROWS,
    CaseSteps,
    StageLine,
    StepLine,
    artifacts_of,
    case_steps,
    digest_of,
)
from services.database import reading
from services.env import Env
from services.mirror import face
from services.restricted import RESTRICTED
from tests import world
from tests.conftest import SettableClock
from tests.rectification_cast import Rectification, begin
from tests.waiting import PLAN, walk_in

NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
LINK = "http://duties/cases/1"


def line(key: str = "draft", state: StepState = StepState.OPEN, **given: object) -> StepLine:
    values: dict[str, object] = {
        "posts": ("第一科 科长",),
        "asked": 1,
        "opened_at": NOW - timedelta(days=3),
        "due_at": NOW + timedelta(days=3),
        "provisional": False,
        "closed_at": None,
        "round": 1,
    }
    return StepLine(key, state, **(values | given))  # type: ignore[arg-type]


def steps(mechanism: str = "two_step", **given: object) -> CaseSteps:
    values: dict[str, object] = {"open": (), "stages": (), "done": (), "waiting": 0, "late": 0}
    return CaseSteps("2026-1", mechanism, **(values | given))  # type: ignore[arg-type]


def rows(case: CaseSteps) -> list[dict[str, str]]:
    made = artifacts_of(case, "case-1", LINK, lambda mechanism, key: f"《{key}》", NOW)
    return list(json.loads(made[1].data))


def test_a_step_shows_title_posts_dates_state_and_round() -> None:
    assert rows(steps(open=(line(round=2),), waiting=1)) == [
        {
            "环节": "《draft》",
            "承担": "第一科 科长",
            "开启": "2026-11-28",
            "期限": "2026-12-04",
            "状态": "待办",
            "逾期": "",
            "轮次": "2",
        }
    ]


def test_what_is_late_says_so_whether_it_waits_or_was_done_late() -> None:
    over = NOW - timedelta(days=1)
    case = steps(
        open=(line(due_at=over), line(due_at=None)),
        done=(
            line(state=StepState.DECIDED, due_at=over, closed_at=NOW),
            line(state=StepState.DECIDED, due_at=NOW, closed_at=over),
        ),
        waiting=2,
        late=1,
    )
    assert [row["逾期"] for row in rows(case)] == ["是", "", "是", ""]
    assert [row["状态"] for row in rows(case)] == ["待办", "待办", "已办", "已办"]


def test_a_provisional_day_is_called_so_and_many_posts_are_counted() -> None:
    (row,) = rows(steps(open=(line(provisional=True, posts=("甲", "乙"), asked=9),), waiting=1))
    assert row["期限"] == "2026-12-04（暂定）"
    assert row["承担"] == "甲、乙等 9 岗"


def test_branches_are_summed_up_by_stage() -> None:
    stage = StageLine("do-task", open=120, late=3, done=37, due_at=NOW)
    told = rows(steps(open=(line(),), waiting=121, stages=(stage,)))
    assert [row["状态"] for row in told] == ["待办", "", "待办 120 项，已办 37 项"]
    assert told[1]["承担"] == "另有 120 项待办"
    assert (told[2]["环节"], told[2]["逾期"]) == ("《do-task》（各分支）", "3 项")


def test_the_link_leads_to_the_case_under_its_number() -> None:
    page, told = artifacts_of(steps(), "case-1", LINK, lambda mechanism, key: key, NOW)
    assert (page.key, page.data) == ("case-1-page", f"[2026-1]({LINK})")
    assert (told.key, told.kind) == ("case-1", "table")


@pytest.mark.parametrize("mechanism", sorted(RESTRICTED))
def test_a_restricted_mechanism_has_its_number_and_link_only(mechanism: str) -> None:
    case = steps(mechanism, open=(line(),), done=(line(state=StepState.DECIDED),), waiting=1)
    (page,) = artifacts_of(case, "case-1", LINK, lambda mechanism, key: f"《{key}》", NOW)
    assert page.data == f"[2026-1]({LINK})"
    assert "《" not in page.description


def test_the_digest_tells_any_difference() -> None:
    def digest(case: CaseSteps, link: str = LINK) -> str:
        return digest_of(artifacts_of(case, "case-1", link, lambda mechanism, key: key, NOW))

    one = steps(open=(line(),), waiting=1)
    others = [steps(open=(line(round=2),), waiting=1), steps(open=(line(),), waiting=2), steps()]
    assert digest(one) == digest(steps(open=(line(),), waiting=1))
    assert len({digest(one), digest(one, f"{LINK}1"), *map(digest, others)}) == 5


def test_the_table_of_a_large_case_is_bounded_and_leads_with_what_is_due_first(
    env: Env, clock: SettableClock
) -> None:
    PLAN.tasks = 3 * OPEN_ROWS
    walk = walk_in(env, clock)
    walk.open("waiting_many", clock.now)
    walk.world.answer("do")
    walk.settle()
    with reading(env.engine) as db:
        found = case_steps(db, 1, clock.now)
    assert len(found.open) == OPEN_ROWS
    assert found.waiting == PLAN.tasks - 1
    assert [(stage.open, stage.done) for stage in found.stages] == [(found.waiting, 1)]
    assert len(json.loads(face(walk.world.env, 1).artifacts[1].data)) == OPEN_ROWS + 2


@pytest.fixture(name="case")
def _case(engine: Engine) -> Rectification:
    """A rectification of which a task was reported, by people with a name."""
    made = begin(engine, world.Clock())
    made.plan()
    with made.env.engine.begin() as db:
        db.execute(update(table(Person)).values(name="某某甲"))
    made.answer("do-task", "done", "office_clerk", reason="已按要求整改到位")
    return made


def test_open_steps_come_by_date_then_stages_then_what_was_decided_last(
    case: Rectification,
) -> None:
    with reading(case.env.engine) as db:
        found = case_steps(db, case.case_id, case.env.clock())
    dates = [step.due_at for step in found.open]
    assert dates == sorted(date for date in dates if date is not None)
    assert {stage.key: stage.open for stage in found.stages} == {"do-task": 3, "confirm-task": 1}
    assert [step.key for step in found.done] == [
        "approve-plan",
        "review-plan",
        "draft-plan",
        "assign-roles",
    ]
    assert found.done[1].asked == 3


def test_no_name_no_problem_text_and_no_reason_reach_prefect(case: Rectification) -> None:
    now = face(case.env, case.case_id)
    whole = f"{now.mirror}{now.artifacts}"
    texts = [text for row in case.rows(Problem, "text") for text in row]
    texts += [text for row in case.rows(Task, "measure", "standard") for text in row]
    texts += [text for row in case.rows(Decision, "reason") for text in row if text]
    assert {"第 1 个问题", "已按要求整改到位"} < set(texts)
    assert [text for text in ("某某甲", *texts) if text in whole] == []
    assert "联络员" in whole
