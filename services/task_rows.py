"""Tasks of a plan from their sheet to their rows: names become posts and units, or faults."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from documents.fault import Fault
from documents.feedback import TASKS, TaskRow
from models.base import table
from models.casework import Branch
from models.problem import Problem, ProblemState, Task, TaskState, TaskSupport
from services.directory import Directory
from services.ids import reserve

_branches = table(Branch)
_problems = table(Problem)
_supports = table(TaskSupport)
_tasks = table(Task)


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task whose names were found; ``supports`` gives None for a collective."""

    row: TaskRow
    leader_post_id: int
    lead_unit_id: int
    supports: tuple[tuple[str, int | None], ...]

    def values(self, problem_id: int) -> dict[str, object]:
        """The columns of the task row, but for its id."""
        return {
            "problem_id": problem_id,
            "number": self.row.number,
            "measure": self.row.measure,
            "standard": self.row.standard,
            "leader_post_id": self.leader_post_id,
            "lead_unit_id": self.lead_unit_id,
            "due_on": self.row.due_on,
            "long_term": self.row.long_term,
            "state": TaskState.DRAFT,
        }


def planned(directory: Directory, rows: Iterable[TaskRow]) -> tuple[list[PlannedTask], list[Fault]]:
    """The tasks with their posts and units, and every name that means nobody there.

    A name that could not be read from the sheet is a fault already, and left out.
    """
    tasks, faults = [], []
    for row in rows:
        leader, lead = directory.post(row.leader), directory.unit(row.lead_unit)
        supports = [(name, directory.unit_or_collective(name)) for name in row.supports]
        wrong = list(_faults(row, leader, lead, supports))
        faults.extend(wrong)
        if not wrong and isinstance(leader, int) and isinstance(lead, int):
            units = tuple((n, u) for n, u in supports if not isinstance(u, str))
            tasks.append(PlannedTask(row, leader, lead, units))
    return tasks, faults


def _faults(
    row: TaskRow,
    leader: int | str,
    lead: int | str,
    supports: Sequence[tuple[str, int | str | None]],
) -> Iterator[Fault]:
    named = [
        ("责任领导", row.leader, leader),
        ("牵头部门", row.lead_unit, lead),
        *(("配合部门", name, unit) for name, unit in supports),
    ]
    for column, name, found in named:
        if name and isinstance(found, str):
            yield _fault(row, column, found)
    units = [unit for _, unit in supports if isinstance(unit, int)]
    if lead in units:
        yield _fault(row, "配合部门", "牵头部门不能同时是配合部门")
    if len(set(units)) < len(units):
        yield _fault(row, "配合部门", "同一部门写了两次")


def _fault(row: TaskRow, column: str, message: str) -> Fault:
    """A fault where the value is written: once for all rows that are merged."""
    return Fault(TASKS, row.written_at.get(column, row.row), column, message)


def write_tasks(
    db: Connection, tasks: Sequence[PlannedTask], problem_ids: Mapping[int, int]
) -> None:
    """Insert draft tasks with their supporting units; ``problem_ids`` by problem number."""
    ids = reserve(db, _tasks, len(tasks))
    placed = [(next(ids), task) for task in tasks]
    rows = [{"id": id_, **task.values(problem_ids[task.row.problem])} for id_, task in placed]
    if rows:
        db.execute(insert(_tasks), rows)
    _write_supports(db, placed)


def replace_drafts(
    db: Connection, tasks: Sequence[PlannedTask], problem_ids: Mapping[int, int]
) -> list[Fault]:
    """Make the drafts of these problems what the sheet says; a task keeps its row by its number.

    A task that is confirmed stays as it is. Returns the faults, with nothing written: a task that
    was published once is never taken out, because the branch opened for it still names it; and an
    ended problem gets no new one, because nobody would ever be asked to do it.
    """
    mine = _tasks.c.problem_id.in_(sorted(problem_ids.values()))
    columns = _tasks.c.id, _tasks.c.problem_id, _tasks.c.number, _tasks.c.state
    kept = {(row.problem_id, row.number): row for row in db.execute(select(*columns).where(mine))}
    drafts: list[tuple[int, PlannedTask]] = []
    new = []
    for task in tasks:
        row = kept.pop((problem_ids[task.row.problem], task.row.number), None)
        if row is None:
            new.append(task)
        elif row.state == TaskState.DRAFT:
            drafts.append((row.id, task))
    gone = {row.id: row.number for row in kept.values()}
    faults = _published_once(db, gone) + _too_late(db, new, problem_ids)
    if not faults:
        changed = [*gone, *(task_id for task_id, _ in drafts)]
        db.execute(delete(_supports).where(_supports.c.task_id.in_(changed)))
        db.execute(delete(_tasks).where(_tasks.c.id.in_(list(gone))))
        for task_id, task in drafts:
            values = task.values(problem_ids[task.row.problem])
            db.execute(update(_tasks).where(_tasks.c.id == task_id).values(**values))
        _write_supports(db, drafts)
        write_tasks(db, new, problem_ids)
    return faults


def _published_once(db: Connection, dropped: Mapping[int, str]) -> list[Fault]:
    branches = select(_branches.c.row_id).where(
        _branches.c.row_kind == "task", _branches.c.row_id.in_(list(dropped))
    )
    opened = set(db.execute(branches).scalars())
    return [
        Fault(TASKS, 0, "任务序号", f"任务 {number} 曾经下达，不能从清单中去掉")
        for task_id, number in dropped.items()
        if task_id in opened
    ]


def _too_late(
    db: Connection, new: Sequence[PlannedTask], problem_ids: Mapping[int, int]
) -> list[Fault]:
    ended = _problems.c.state != ProblemState.OPEN
    wanted = _problems.c.id.in_({problem_ids[task.row.problem] for task in new})
    over = set(db.execute(select(_problems.c.id).where(wanted, ended)).scalars())
    return [
        Fault(
            TASKS, task.row.row, "问题序号", f"第 {task.row.problem} 号问题已经了结，不能增加任务"
        )
        for task in new
        if problem_ids[task.row.problem] in over
    ]


def _write_supports(db: Connection, placed: Sequence[tuple[int, PlannedTask]]) -> None:
    rows = [
        {"task_id": task_id, "unit_id": unit_id, "name": name}
        for task_id, task in placed
        for name, unit_id in task.supports
    ]
    if rows:
        db.execute(insert(_supports), rows)
