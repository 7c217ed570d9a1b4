"""What a rectification that runs names is kept living: the posts and units of its open problems and
tasks follow when one is abolished or merged. What is done keeps the names it was done under."""

from collections.abc import Mapping

from sqlalchemy import Table, select, update

from models.base import table
from models.casework import Case, CaseState
from models.problem import Problem, Task, TaskSupport
from services.command import Work

_cases = table(Case)
_problems = table(Problem)
_supports = table(TaskSupport)
_tasks = table(Task)
_running = select(_cases.c.id).where(_cases.c.state == CaseState.OPEN)
_of_running = _problems.c.case_id.in_(_running) | _problems.c.case_id.is_(None)
_problem_ids = select(_problems.c.id).where(_of_running)
_task_ids = select(_tasks.c.id).where(_tasks.c.problem_id.in_(_problem_ids))


def follow_posts(work: Work, successors: Mapping[int, int]) -> None:
    """Let open problems and tasks name the successors of abolished posts."""
    for old, new in successors.items():
        for column in ("sets_topic_post_id", "takes_topic_post_id", "supervisor_post_id"):
            _follow(work, _problems, column, old, new)
        _follow(work, _tasks, "leader_post_id", old, new)


def follow_units(work: Work, old: int, new: int) -> None:
    """Let open problems and tasks name the unit that takes over another one. Where a problem was
    found stays: its batch and number belong to that unit."""
    _follow(work, _problems, "responsible_unit_id", old, new)
    _follow(work, _tasks, "lead_unit_id", old, new)
    _follow(work, _supports, "unit_id", old, new)


def _follow(work: Work, rows: Table, column: str, old: int, new: int) -> None:
    within = {
        _problems.name: rows.c.id.in_(_problem_ids),
        _tasks.name: rows.c.id.in_(_task_ids),
        _supports.name: _supports.c.task_id.in_(_task_ids),
    }[rows.name]
    work.db.execute(update(rows).where(rows.c[column] == old, within).values({column: new}))
