"""What a played demonstration came to, counted from its database."""

from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import Connection, func, select

from deployments.demo.lines import MECHANISM, Lines
from models.base import table
from models.casework import Case, CaseState, Decision, Effect, Rung
from models.message import Message
from models.problem import Manifestation, Problem, ProblemState, Task
from policy.ladder import RungKind
from policy.outcome import RETURN
from services.catalogue import translated

_cases, _decisions, _effects = table(Case), table(Decision), table(Effect)
_manifestations, _messages = table(Manifestation), table(Message)
_problems, _rungs, _tasks = table(Problem), table(Rung), table(Task)


def write_totals(db: Connection, out: TextIO, lines: Lines, start: datetime) -> int:
    """Write what it came to, counted from the database; 1 while anything is open."""
    problems = {state: _count(db, _problems, _problems.c.state == state) for state in ProblemState}
    rungs = "、".join(
        f"{translated(f'rung.{kind.value}')} {_count(db, _rungs, _rungs.c.kind == kind.value)}"
        for kind in RungKind
        if _count(db, _rungs, _rungs.c.kind == kind.value)
    )
    returned = _decisions.c.answer == RETURN
    out.writelines(
        f"{line}\n"
        for line in (
            f"合计 {start:%Y-%m-%d} 至 {lines.clock():%Y-%m-%d}，{lines.number}",
            f"问题 {sum(problems.values())}：销号 {problems[ProblemState.CLOSED]}、"
            f"基本完成 {problems[ProblemState.BASIC]}、"
            f"长期坚持 {problems[ProblemState.LONG_TERM]}、未结 {problems[ProblemState.OPEN]}",
            f"具体表现 {_count(db, _manifestations)}，整改任务 {_count(db, _tasks)}",
            f"办理 {_count(db, _decisions)}："
            f"逾期 {_count(db, _decisions, _decisions.c.late.is_(True))}、"
            f"退回 {_count(db, _decisions, returned, _decisions.c.back_to.is_(None))}、"
            f"整案退回 {_count(db, _decisions, returned, _decisions.c.back_to.is_not(None))}",
            f"阶梯：{rungs}",
            f"消息 {_count(db, _messages)}，自动事项 {_count(db, _effects)}，事件 {lines.count} 行",
        )
    )
    ended = _count(db, _cases, _cases.c.state == CaseState.ENDED, _cases.c.mechanism == MECHANISM)
    return 0 if ended and not problems[ProblemState.OPEN] else 1


def _count(db: Connection, rows: Any, *conditions: Any) -> int:
    query = select(func.count()).select_from(rows).where(*conditions)
    return int(db.execute(query).scalar_one())
