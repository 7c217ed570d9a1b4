"""A ledger becomes rows and the case that goes on with them, at the stage where the work is.

The rows are written as the ledger tells them; the history up to there is brought in under the keys
of the rectification's script (:mod:`services.casework.imported`); the rest is the replay's.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from documents.ledger import Stage
from models.base import table
from models.casework import Branch
from models.ledger import Extension, LedgerProblem, LedgerTask
from models.problem import Manifestation, Problem, ProblemState, Task, TaskState
from services.casework import Here, new_case, start_case
from services.casework.branch import LockedBranch, lock_branch
from services.casework.imported import bring_each, bring_effect, bring_record, bring_step
from services.command import Work
from services.ids import reserve
from services.ledger_rows import Placed, PlacedProblem, PlacedTask
from services.numbering import next_number
from services.posts import leading_post
from services.rectification import MECHANISM, SERIES
from services.rectification_roles import leader_in_charge_of_unit
from services.task_rows import write_tasks
from services.telling import tell_many

_COLUMNS = {
    "sets_topic": "sets_topic_post_id",
    "takes_topic": "takes_topic_post_id",
    "responsible_unit": "responsible_unit_id",
    "supervisor": "supervisor_post_id",
}
_branches = table(Branch)
_extensions = table(Extension)
_manifestations = table(Manifestation)
_problems = table(Problem)
_tasks = table(Task)
_told_problems = table(LedgerProblem)
_told_tasks = table(LedgerTask)


def carry_on(work: Work, ledger_id: int, unit_id: int, batch: str, placed: Placed) -> int:
    """Write everything and open the case; its id. The caller has checked and locked the unit."""
    case_id = new_case(
        work,
        mechanism=MECHANISM,
        organisation_id=unit_id,
        number=next_number(work, SERIES),
    )
    ids = _write_problems(work, ledger_id, (unit_id, batch, case_id), placed)
    _write_tasks(work, placed.tasks, ids)
    start_case(work, case_id, lambda root: _bring_plan(root, placed))
    _bring_applications(work, case_id, placed, ids)
    _tell(work, case_id, unit_id, placed)
    return case_id


def _write_problems(
    work: Work, ledger_id: int, of: tuple[int, str, int], placed: Placed
) -> dict[int, int]:
    """Insert the problems of (unit, batch, case) and what was told of them; ids by number."""
    ids = reserve(work.db, _problems, len(placed.problems))
    made = list(zip(ids, placed.problems, strict=True))
    kept = {task.told.plan.problem for task in placed.tasks if task.told.plan.long_term}
    rows = [_problem(id_, of, one) | {"state": _state(one, kept)} for id_, one in made]
    work.db.execute(insert(_problems), rows)
    told = [
        {
            "ledger_id": ledger_id,
            "problem_id": id_,
            "row_number": one.told.row,
            "stage": one.told.stage.value,
            "applied_on": one.told.applied_on,
            "closed_on": one.told.closed_on,
            "evidence": one.told.evidence,
        }
        for id_, one in made
    ]
    work.db.execute(insert(_told_problems), told)
    shown = [
        {"problem_id": id_, "number": 1, "text": one.told.shows}
        for id_, one in made
        if one.told.shows
    ]
    if shown:
        work.db.execute(insert(_manifestations), shown)
    return {one.told.number: id_ for id_, one in made}


def _problem(id_: int, of: tuple[int, str, int], one: PlacedProblem) -> dict[str, Any]:
    return {
        "id": id_,
        "organisation_id": of[0],
        "batch": of[1],
        "case_id": of[2],
        "number": one.told.number,
        "category": one.told.category,
        "area": one.told.area,
        "text": one.told.text,
        **{column: one.roles.get(role) for role, column in _COLUMNS.items()},
    }


def _state(one: PlacedProblem, kept: Collection[int]) -> ProblemState:
    """As ``close`` has it; ``kept`` are the numbers of problems with long-term tasks."""
    if one.told.stage is not Stage.CLOSED:
        return ProblemState.OPEN
    return ProblemState.LONG_TERM if one.told.number in kept else ProblemState.CLOSED


def _write_tasks(work: Work, tasks: Sequence[PlacedTask], problem_ids: dict[int, int]) -> None:
    """Insert the tasks with their first dates. What is not done, and what is long-term, is left to
    ``publish`` of the replay."""
    if not tasks:
        return
    write_tasks(work.db, [task.plan for task in tasks], problem_ids)
    mine = _tasks.c.problem_id.in_(sorted(problem_ids.values()))
    kept = work.db.execute(select(_tasks.c.id, _tasks.c.number).where(mine)).all()
    ids = {row.number: row.id for row in kept}
    for task in tasks:
        over = task.told.done_on is not None and not task.told.plan.long_term
        values: dict[str, Any] = {"original_due_on": task.told.original}
        values |= {"state": TaskState.CONFIRMED} if over else {}
        work.db.execute(
            update(_tasks).where(_tasks.c.id == ids[task.told.plan.number]).values(**values)
        )
    work.db.execute(
        insert(_told_tasks),
        [
            {
                "task_id": ids[task.told.plan.number],
                "row_number": task.told.plan.row,
                "done_on": task.told.done_on,
            }
            for task in tasks
        ],
    )
    _write_extensions(work, tasks, ids)


def _write_extensions(work: Work, tasks: Sequence[PlacedTask], ids: dict[str, int]) -> None:
    rows = [
        {
            "task_id": ids[one.task],
            "number": number,
            "from_on": one.from_on,
            "to_on": one.to_on,
            "agreed_on": one.agreed_on,
            "agreed_by": one.agreed_by,
            "row_number": one.row,
        }
        for task in tasks
        for number, one in enumerate(task.told.extensions, start=1)
    ]
    if rows:
        work.db.execute(insert(_extensions), rows)


def _bring_plan(root: LockedBranch, placed: Placed) -> None:
    """Roles, plan, review, approval and sending out: had before the case came here."""
    told = {"problems": len(placed.problems)}
    bring_step(root, "assign-roles", "done")
    bring_record(root, "save-roles", told, "redo")
    bring_step(root, "draft-plan", "done")
    bring_step(root, "review-plan", "agree")
    bring_step(root, "approve-plan", "agree")
    bring_effect(root, "tell-task-list", "tell_task_list", "recall_task_list")


def _bring_applications(
    work: Work, case_id: int, placed: Placed, problem_ids: dict[int, int]
) -> None:
    """Problems whose closing was applied for wait for the signature next."""
    applied = [
        problem_ids[one.told.number] for one in placed.problems if one.told.stage is Stage.APPLIED
    ]
    query = select(_branches.c.id).where(
        _branches.c.case_id == case_id,
        _branches.c.row_kind == "problem",
        _branches.c.row_id.in_(applied),
    )
    for branch_id in work.db.execute(query.order_by(_branches.c.id)).scalars().all():
        branch = lock_branch(work, branch_id)
        bring_each(branch, "tasks", "do_task", "keep")
        bring_step(branch, "apply-closing", "done")
        branch.save()


def _tell(work: Work, case_id: int, unit_id: int, placed: Placed) -> None:
    """The unit's head and the leader in charge learn once what was taken over, and what is late."""
    here = Here(work, case_id, unit_id, 0, None)
    counts = placed.said()["counts"]
    heads = (leading_post(work.db, unit_id), leader_in_charge_of_unit(here))
    tell_many(
        work.db,
        key=f"taken_over:{case_id}",
        posts=heads,
        template="taken_over",
        context={"count": counts["left"], "late": counts["late"]},
        now=work.now,
        case_id=case_id,
    )
