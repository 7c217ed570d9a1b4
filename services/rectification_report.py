"""The report (整改进展情况报告, §3.6): its figures, a draft from the data, its form."""

from typing import Any

from sqlalchemy import Connection, Row, func, select

from models.base import table
from models.casework import Branch, Case, Decision, Fact, Slot, Step
from models.ledger import LedgerTask
from models.organisation import Organisation
from models.problem import Problem, ProblemState, Task, TaskState
from services.casework import Here, form
from services.errors import Invalid

LONGEST = 20_000
"""The most characters a report may have."""
NAMES = {ProblemState.BASIC: "基本完成", ProblemState.LONG_TERM: "长期坚持"}
"""What is looked at again, as the report calls it."""
_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_facts = table(Fact)
_organisations = table(Organisation)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)
_told = table(LedgerTask)


class ReportEmpty(Invalid):
    """整改报告没有内容，或者超过两万字。"""

    code = "report_empty"


def figures(here: Here) -> dict[str, int]:
    """The figures of the report, frozen when its drafting begins."""
    return _figures(here.db, here.case_id)


def draft_report(db: Connection, case_id: int) -> str:
    """A draft in the frame of a public notice, from the data; the frozen figures where they are.

    Numbers and the problems' own words only: no judgement is written for anybody.
    """
    case = db.execute(
        select(_cases.c.number, _organisations.c.name)
        .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
        .where(_cases.c.id == case_id)
    ).one()
    counted = _frozen(db, case_id) or _figures(db, case_id)
    parts = (
        f"{case.name}关于巡察反馈意见整改情况的报告",
        f"（{case.number}）",
        "一、总体情况",
        _overview(counted),
        "二、巡察反馈问题整改落实情况",
        *_lines(db, case_id, ProblemState.CLOSED),
        "三、需长期整改事项进展",
        *(_lines(db, case_id, ProblemState.BASIC, ProblemState.LONG_TERM) or ["无。"]),
        "四、下一步工作安排",
        "对已销号的问题适时组织回头看；对长期坚持的事项继续按任务清单落实。",
    )
    return "\n".join(parts)


@form("report")
def check_report(here: Here, payload: Any) -> dict[str, str]:
    """The text of the report; without a payload the draft from the data is taken as it is."""
    text = draft_report(here.db, here.case_id) if payload is None else _text(payload)
    if not text.strip() or len(text) > LONGEST:
        raise ReportEmpty
    return {"text": text}


def _text(payload: Any) -> str:
    text = payload.get("text") if isinstance(payload, dict) else None
    if not isinstance(text, str):
        raise ReportEmpty
    return text


def _figures(db: Connection, case_id: int) -> dict[str, int]:
    mine = _problems.c.case_id == case_id
    states = db.execute(
        select(_problems.c.state, func.count()).where(mine).group_by(_problems.c.state)
    )
    by_state = {ProblemState(state): count for state, count in states}
    of_tasks = (
        select(_tasks.c.state, _tasks.c.long_term, func.count())
        .join(_problems, _problems.c.id == _tasks.c.problem_id)
        .where(mine)
        .group_by(_tasks.c.state, _tasks.c.long_term)
    )
    tasks = [(TaskState(state), bool(kept), count) for state, kept, count in db.execute(of_tasks)]
    return {
        "problems": sum(by_state.values()),
        "closed": by_state.get(ProblemState.CLOSED, 0),
        "basic": by_state.get(ProblemState.BASIC, 0),
        "long_term": by_state.get(ProblemState.LONG_TERM, 0),
        "tasks": sum(count for _, _, count in tasks),
        "tasks_confirmed": sum(n for state, _, n in tasks if state is TaskState.CONFIRMED),
        "tasks_long_term": sum(n for _, kept, n in tasks if kept),
        "reported_late": _late(db, case_id),
    }


def _late(db: Connection, case_id: int) -> int:
    """Tasks that were first reported done after the date of the plan, here or before; how long
    somebody took who was added to advise (加签) does not count."""
    late = (
        select(func.count(_branches.c.row_id.distinct()))
        .join(_steps, _steps.c.branch_id == _branches.c.id)
        .join(_slots, (_slots.c.step_id == _steps.c.id) & _slots.c.added_to.is_(None))
        .join(_decisions, _decisions.c.slot_id == _slots.c.id)
        .where(_branches.c.case_id == case_id, _branches.c.row_kind == "task")
        .where(_steps.c.key == "do-task", _decisions.c.late.is_(True))
    )
    before = (
        select(func.count(_told.c.id))
        .join(_tasks, _tasks.c.id == _told.c.task_id)
        .join(_problems, _problems.c.id == _tasks.c.problem_id)
        .where(_problems.c.case_id == case_id, _told.c.done_on > _tasks.c.due_on)
    )
    return int(db.execute(late).scalar_one()) + int(db.execute(before).scalar_one())


def _frozen(db: Connection, case_id: int) -> dict[str, int] | None:
    query = (
        select(_facts.c.value)
        .join(_branches, _branches.c.id == _facts.c.branch_id)
        .where(_branches.c.case_id == case_id, _branches.c.parent_id.is_(None))
        .where(_facts.c.key == "figures", _facts.c.voided.is_(False))
        .order_by(_facts.c.round.desc())
        .limit(1)
    )
    found: dict[str, int] | None = db.execute(query).scalar()
    return found


def _overview(counted: dict[str, int]) -> str:
    return (
        f"巡察反馈问题 {counted['problems']} 个，已完成并销号 {counted['closed']} 个，"
        f"基本完成 {counted.get('basic', 0)} 个，长期坚持 {counted['long_term']} 个；"
        f"整改任务 {counted['tasks']} 项，"
        f"已完成 {counted['tasks_confirmed']} 项，长期坚持 {counted['tasks_long_term']} 项，"
        f"其中逾期后办结 {counted['reported_late']} 项。"
    )


def _lines(db: Connection, case_id: int, *states: ProblemState) -> list[str]:
    """The problems of some states, each with the number of its tasks and, where it is looked at
    again, with what its department said of it."""
    tasks = select(func.count(_tasks.c.id)).where(_tasks.c.problem_id == _problems.c.id)
    query = select(_problems, tasks.scalar_subquery().label("tasks")).where(
        _problems.c.case_id == case_id, _problems.c.state.in_(states)
    )
    rows = db.execute(query.order_by(_problems.c.number))
    return [f"{row.number}．{row.text}。整改任务 {row.tasks} 项。{_kept(row)}" for row in rows]


def _kept(row: Row[Any]) -> str:
    if row.review_on is None:
        return ""
    day = f"{row.review_on.year}年{row.review_on.month}月{row.review_on.day}日"
    state = NAMES[row.state]
    return f"{state}，还需：{row.remains}；措施：{row.measures}；{day}复查。"
