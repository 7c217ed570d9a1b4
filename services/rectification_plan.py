"""The plan of a rectification: the task list is complete (CK-3), published, told, taken back."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from models.base import table
from models.problem import Problem, Task, TaskState, TaskSupport
from services.casework import EffectCall, Here, effect, form, undo
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.errors import Invalid
from services.posts import leading_post
from services.telling import tell_many

_problems = table(Problem)
_tasks = table(Task)
_supports = table(TaskSupport)


class PlanIncomplete(Invalid):
    """整改方案不完整：每个问题至少有一项任务，每项任务须有措施、标准、责任和完成时限。"""

    code = "plan_incomplete"


@form("task_list")
def check_task_list(here: Here, payload: Any) -> dict[str, int]:
    """What is stored of a plan: how many tasks it has for how many problems.

    The tasks themselves came with the import or the upload of this step. CK-3: each has its
    measure (工作项目), standard (工作目标), leader and lead unit (责任分工) and date (时间节点), or
    :class:`PlanIncomplete` with the numbers of the problems and tasks that lack something.
    """
    problems = here.db.execute(
        select(_problems.c.id, _problems.c.number).where(_problems.c.case_id == here.case_id)
    ).all()
    tasks = here.db.execute(_draft_tasks(here.case_id)).all()
    planned = {task.problem_id for task in tasks}
    bare = sorted(problem.number for problem in problems if problem.id not in planned)
    vague = [task.number for task in tasks if not (task.measure.strip() and task.standard.strip())]
    if bare or vague or not problems:
        raise PlanIncomplete(problems=bare, tasks=vague)
    return {"problems": len(problems), "tasks": len(tasks)}


def publish_tasks(here: Here) -> dict[str, int]:
    """Put the approved tasks into force; the first date of each is frozen as its original."""
    drafts = select(_tasks.c.id).join(_problems, _problems.c.id == _tasks.c.problem_id)
    mine = drafts.where(_problems.c.case_id == here.case_id, _tasks.c.state == TaskState.DRAFT)
    published = here.db.execute(
        update(_tasks)
        .where(_tasks.c.id.in_(mine))
        .values(
            state=TaskState.PUBLISHED,
            original_due_on=func.coalesce(_tasks.c.original_due_on, _tasks.c.due_on),
        )
    )
    return {"tasks": published.rowcount}


@undo
def withdraw_tasks(here: Here, published: Any) -> None:
    """Make drafts of the case's tasks again; what was confirmed stays, and original dates do."""
    mine = select(_problems.c.id).where(_problems.c.case_id == here.case_id)
    here.db.execute(
        update(_tasks)
        .where(_tasks.c.problem_id.in_(mine), _tasks.c.state == TaskState.PUBLISHED)
        .values(state=TaskState.DRAFT)
    )


@effect
def tell_task_list(call: EffectCall) -> dict[str, int]:
    """Send the task list to the heads of lead and supporting units (下发任务清单)."""
    return _tell(call, "task_list")


@effect
def recall_task_list(call: EffectCall) -> dict[str, int]:
    """Tell the same units that the list no longer holds: the plan went back."""
    return _tell(call, "task_list_recalled")


def _tell(call: EffectCall, template: str) -> dict[str, int]:
    """One message per head with the number of tasks; a repetition tells nobody twice."""
    with reading(call.env.engine) as db:
        heads = _heads(db, call.case_id)

    def act(work: Work) -> Mapping[str, Any]:
        for count in sorted(set(heads.values())):
            tell_many(
                work.db,
                key=f"{call.key}:{count}",
                posts=[post for post, tasks in heads.items() if tasks == count],
                template=template,
                context={"count": count},
                now=work.now,
                case_id=call.case_id,
            )
        return {"units": len(heads)}

    return dict(execute(call.env, SYSTEM, template, call.key, {"case": call.case_id}, act))


def _heads(db: Connection, case_id: int) -> dict[int, int]:
    """The leading posts of the units that lead or support tasks, with the number of their tasks."""
    mine = select(_tasks.c.id, _tasks.c.lead_unit_id).join(
        _problems, _problems.c.id == _tasks.c.problem_id
    )
    leads = db.execute(mine.where(_problems.c.case_id == case_id)).all()
    supports = db.execute(
        select(_supports.c.task_id, _supports.c.unit_id).where(
            _supports.c.task_id.in_([task.id for task in leads]), _supports.c.unit_id.is_not(None)
        )
    )
    involved = {(task.id, task.lead_unit_id) for task in leads} | {tuple(row) for row in supports}
    return _counted(db, (unit for _, unit in involved))


def _counted(db: Connection, units: Iterable[int]) -> dict[int, int]:
    tasks_of: dict[int, int] = {}
    for unit in units:
        tasks_of[unit] = tasks_of.get(unit, 0) + 1
    return {leading_post(db, unit): count for unit, count in sorted(tasks_of.items())}


def _draft_tasks(case_id: int) -> Any:
    return (
        select(_tasks.c.problem_id, _tasks.c.number, _tasks.c.measure, _tasks.c.standard)
        .join(_problems, _problems.c.id == _tasks.c.problem_id)
        .where(_problems.c.case_id == case_id)
        .order_by(_tasks.c.id)
    )
