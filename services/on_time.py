"""Both on-time rates of a case, from the first dates of its tasks and from those that hold."""

from datetime import date

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Branch, BranchState, Decision, Slot, Step, StepState
from models.ledger import LedgerTask
from models.problem import Problem, Task, TaskState
from models.signed_paper import SignedPaper
from policy.calendar import local_day
from policy.on_time import Dated, OnTime, on_time
from services.pauses import standing_tasks

_branches = table(Branch)
_decisions = table(Decision)
_papers = table(SignedPaper)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)
_told = table(LedgerTask)


def of_case(db: Connection, case_id: int, today: date) -> OnTime:
    """The tasks in force, wherever they were done: here, or before the case was taken over.

    The present date of one whose clock stands (暂停) moves with each day.
    """
    reported, stands = _reported(db, case_id), standing_tasks(db, case_id)
    query = (
        select(_tasks.c.id, _tasks.c.original_due_on, _tasks.c.due_on, _told.c.done_on)
        .join(_problems, _problems.c.id == _tasks.c.problem_id)
        .outerjoin(_told, _told.c.task_id == _tasks.c.id)
        .where(_problems.c.case_id == case_id, _tasks.c.state != TaskState.DRAFT)
    )
    tasks = (
        Dated(
            row.original_due_on or row.due_on,
            row.due_on + (today - stands.get(row.id, today)),
            row.done_on or reported.get(row.id),
        )
        for row in db.execute(query)
    )
    return on_time(tasks, today)


def _reported(db: Connection, case_id: int) -> dict[int, date]:
    """When each task was last reported done; without those that were returned and wait again.

    How long somebody else took is not held against its lead unit: to confirm it, to advise (加签),
    or, as a clerk, to record what was signed on paper (代录).
    """
    own = (_slots.c.step_id == _steps.c.id) & _slots.c.added_to.is_(None)
    query = (
        select(_branches.c.row_id, _steps.c.state, _decisions.c.at, _papers.c.signed_on)
        .join(_steps, _steps.c.branch_id == _branches.c.id)
        .join(_slots, own)
        .outerjoin(_decisions, _decisions.c.slot_id == _slots.c.id)
        .outerjoin(_papers, _papers.c.decision_id == _decisions.c.id)
        .where(
            _branches.c.case_id == case_id,
            _branches.c.row_kind == "task",
            _branches.c.state != BranchState.VOIDED,
            _steps.c.key == "do-task",
            _steps.c.voided.is_(False),
        )
        .order_by(_steps.c.branch_id, _steps.c.round)
    )
    last = {row.row_id: row for row in db.execute(query)}
    return {
        task_id: row.signed_on or local_day(row.at)
        for task_id, row in last.items()
        if row.state == StepState.DECIDED and row.at is not None
    }
