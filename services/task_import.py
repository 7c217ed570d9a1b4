"""The task sheet alone, uploaded while the plan is drafted or revised."""

import hashlib
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from documents.feedback import read_tasks
from models.base import table
from models.casework import Case, Slot, Step, StepState
from models.problem import Problem, Task, TaskState
from policy.access import Action
from policy.calendar import local_day
from services.casework.branch import lock_branch
from services.casework.opening import root_of
from services.command import Actor, Work, execute
from services.database import reading
from services.directory import Directory
from services.env import Env
from services.errors import DutiesError, NotFound
from services.faulty import refuse
from services.importing import unit_for
from services.problem_import import Imported, imported
from services.receipt import receipt
from services.sanitising import check_file, check_text
from services.scope import asks, standing, visible_case
from services.task_rows import planned, replace_drafts

PLAN_STEPS = ("draft-plan", "revise-plan")
_cases = table(Case)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)


class PlanNotOpen(DutiesError):
    """现在不在制定或修改整改方案的环节，任务清单没有更换。"""

    status = 409
    code = "plan_not_open"


def require_planner(env: Env, actor: Actor, case_id: int) -> None:
    """Whether :func:`import_tasks` may be tried, before anybody sends a file: NotFound,
    :class:`PlanNotOpen`, :class:`~services.importing.MayNotImport`.
    """
    on = local_day(env.clock())
    with reading(env.engine) as db:
        _check_open(db, actor, on, _visible(db, actor, on, case_id))


def import_tasks(
    env: Env, actor: Actor, *, case_id: int, data: bytes, filename: str, key: str
) -> Imported:
    """Make the draft tasks of a case what the sheet 任务清单 says, all of it or nothing.

    For whoever is asked to draft or revise the plan, the unit's Party office, and the system, while
    that step is open (:class:`PlanNotOpen` otherwise). :class:`~services.faulty.Faulty` names every
    fault; ``NotFound`` for a case that is not there or may not be seen.
    """
    check_text(actor, "task.import", "filename", filename)
    on = local_day(env.clock())
    with reading(env.engine) as db:
        _check_open(db, actor, on, _visible(db, actor, on, case_id))
        numbers = set(_numbers(db, case_id))
    sheet = read_tasks(data, numbers, filename)
    if not sheet.tasks:
        refuse(sheet.faults)
    sha256 = hashlib.sha256(data).hexdigest()
    body = {"case": case_id, "sha256": sha256, "filename": filename}

    def act(work: Work) -> dict[str, Any]:
        case = _visible(work.db, actor, work.today, case_id)
        branch = lock_branch(work, root_of(work.db, case_id))
        _check_open(work.db, actor, work.today, case)
        numbers = _numbers(work.db, case_id)
        tasks, faults = planned(Directory.of(work.db, case.organisation_id), sheet.tasks)
        refuse(sheet.faults, faults)
        work.confirmed |= check_file(actor, "task.import", sheet.notices)
        refuse(replace_drafts(work.db, tasks, numbers))
        branch.note(act="tasks_imported", tasks=len(tasks), sha256=sha256, filename=filename)
        branch.save()
        done = {"tasks": len(tasks), "case_id": case_id, "number": case.number}
        return done | receipt(work, filename, sheet.changes)

    done = execute(env, actor, "task.import", key, body, act, rows=("CK-3",))
    return imported({"problems": 0, "manifestations": 0, **done})


def _numbers(db: Connection, case_id: int) -> dict[int, int]:
    query = select(_problems.c.number, _problems.c.id).where(_problems.c.case_id == case_id)
    return {row.number: row.id for row in db.execute(query)}


def _visible(db: Connection, actor: Actor, on: date, case_id: int) -> Row[Any]:
    if actor.person_id is not None:
        visible_case(db, standing(db, actor.person_id, on), case_id)
    case = db.execute(select(_cases).where(_cases.c.id == case_id)).first()
    if case is None:
        raise NotFound
    return case


def _check_open(db: Connection, actor: Actor, on: date, case: Row[Any]) -> None:
    """The plan is being drafted, nothing of it is in force, and the actor is one who may."""
    step = db.execute(
        select(_steps.c.id).where(
            _steps.c.branch_id == root_of(db, case.id),
            _steps.c.key.in_(PLAN_STEPS),
            _steps.c.state == StepState.OPEN,
        )
    ).scalar()
    in_force = (
        select(_tasks.c.id)
        .join(_problems, _problems.c.id == _tasks.c.problem_id)
        .where(_problems.c.case_id == case.id, _tasks.c.state == TaskState.PUBLISHED)
        .limit(1)
    )
    if step is None or db.execute(in_force).first() is not None:
        raise PlanNotOpen
    if not _is_asked(db, actor, on, step):
        unit_for(db, actor, on, case.organisation_id, Action.IMPORT_TASKS)


def _is_asked(db: Connection, actor: Actor, on: date, step_id: int) -> bool:
    if actor.person_id is None:
        return True
    mine = asks(standing(db, actor.person_id, on))
    query = select(_slots.c.id).where(mine, _slots.c.step_id == step_id)
    return db.execute(query).first() is not None
