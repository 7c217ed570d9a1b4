"""An inspection's feedback as offices send it: the sheets 问题清单 and 任务清单 (domain §3.1)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from documents.book import Book, Unreadable
from documents.column import Column, Kind
from documents.counting import TaskNumbers, number_problems
from documents.fault import Change, Fault
from documents.reading import read_book
from documents.sheet_table import Table, TableRow, left_out, sheet_of, table
from policy.areas import AREAS, area_number

PROBLEMS, TASKS = "问题清单", "任务清单"
_YES_NO = ("是", "否")
PROBLEM_TABLE = (
    Column("问题序号", Kind.NUMBER, says="从 1 起连续编号，同一问题的各行写同一序号"),
    Column("问题类别", longest=60, says="反馈意见中的大类"),
    Column("所属领域", Kind.CHOICE, choices=AREAS, says="七个方面之一，从下拉列表选择"),
    Column("反馈问题", longest=500, says="反馈意见中问题的原文"),
    Column("表现序号", Kind.NUMBER, says="每个问题内从 1 起连续编号"),
    Column("具体表现", longest=1000, says="反馈意见中具体表现的原文"),
    Column("涉及单位", Kind.NAMES, longest=500, says="单位或部门的名称，几个之间用顿号"),
)
TASK_TABLE = (
    Column("问题序号", Kind.NUMBER, says="问题清单中的序号"),
    Column("任务序号", Kind.CODE, longest=20, says="问题序号-序号，如 1-1、1-2"),
    Column("整改任务（措施）", longest=1000, says="要做什么"),
    Column("完成标准", longest=500, says="做到什么程度算完成"),
    Column("责任领导", Kind.NAME, says="职务名称，不写姓名"),
    Column("牵头部门", Kind.NAME, says="一个部门"),
    Column("配合部门", Kind.NAMES, blank=True, longest=500, says="可以没有；几个之间用顿号"),
    Column("完成时限", Kind.DAY, says="日期，如 2026-3-1"),
    Column("是否长期坚持", Kind.CHOICE, choices=_YES_NO, says="是或否"),
)
PROBLEM_COLUMNS = tuple(column.name for column in PROBLEM_TABLE)
TASK_COLUMNS = tuple(column.name for column in TASK_TABLE)


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One manifestation with the problem it belongs to; ``row`` is its row in the sheet.

    Two are equal when they say the same, wherever it stands.
    """

    row: int = field(compare=False)
    number: int
    category: str
    area: int
    text: str
    manifestation: int
    shows: str
    units: tuple[str, ...]
    written_at: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Columns whose value is merged over several rows: the row where it is written."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of the plan, as written: units and leader are names still."""

    row: int = field(compare=False)
    problem: int
    number: str
    measure: str
    standard: str
    leader: str
    lead_unit: str
    supports: tuple[str, ...]
    due_on: date
    long_term: bool
    written_at: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a file says, everything that is wrong with it, and what was read otherwise.

    Rows with faults are among the rows, with empty values; keep them only without faults.
    """

    problems: tuple[ProblemRow, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    faults: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()
    notices: tuple[Fault, ...] = ()
    """Prose that people are to confirm."""


def read_feedback(data: bytes, filename: str = "") -> Feedback:
    """The problems of a feedback and, where the file has that sheet, the tasks of the plan."""
    try:
        book = read_book(data, filename)
    except Unreadable as error:
        return Feedback(faults=(Fault("", 0, "", str(error)),))
    first = table(book, PROBLEMS, PROBLEM_TABLE)
    problems = [_problem(row) for row in first.rows]
    doubtful = number_problems(first, "问题序号", "表现序号")
    _check_same(first, doubtful)
    if not problems and not first.faults:
        first.fault(0, "", "没有问题")
    if sheet_of(book, TASKS, TASK_TABLE) is None:
        return _feedback(book, problems, [], first)
    second = table(book, TASKS, TASK_TABLE)
    numbers = {row.number for row in problems} if problems and not doubtful else None
    return _feedback(book, problems, _tasks(second, numbers), first, second)


def read_tasks(data: bytes, problems: Collection[int], filename: str = "") -> Feedback:
    """The task sheet alone, for a plan whose problems (by number) are known."""
    try:
        book = read_book(data, filename)
    except Unreadable as error:
        return Feedback(faults=(Fault("", 0, "", str(error)),))
    found = table(book, TASKS, TASK_TABLE)
    tasks = _tasks(found, problems)
    if not tasks and not found.faults:
        found.fault(0, "", "没有任务")
    return _feedback(book, [], tasks, found, Table(PROBLEMS))


def _feedback(
    book: Book, problems: list[ProblemRow], tasks: list[TaskRow], *tables: Table
) -> Feedback:
    faults = sorted(fault for found in tables for fault in found.faults)
    changes = [change for found in tables for change in found.changes]
    changes += left_out(book, [found.sheet for found in tables])
    notices = sorted(notice for found in tables for notice in found.notices)
    told = tuple(faults), tuple(sorted(changes)), tuple(notices)
    return Feedback(tuple(problems), tuple(tasks), *told)


def _problem(row: TableRow) -> ProblemRow:
    return ProblemRow(
        row=row.number,
        number=row.number_in("问题序号"),
        category=row.text("问题类别"),
        area=area_number(row.text("所属领域")) or 0,
        text=row.text("反馈问题"),
        manifestation=row.number_in("表现序号"),
        shows=row.text("具体表现"),
        units=row.names("涉及单位"),
        written_at=row.written_at,
    )


def _check_same(found: Table, doubtful: Collection[int]) -> None:
    """The rows of a problem say the same of it; where they do not, most of them are right."""
    rows = [row for row in found.rows if row.number not in doubtful]
    for column in ("问题类别", "所属领域", "反馈问题"):
        said: dict[int, dict[str, list[TableRow]]] = {}
        for row in rows:
            if value := row.text(column):
                said.setdefault(row.number_in("问题序号"), {}).setdefault(value, []).append(row)
        for values in said.values():
            usual = max(values.values(), key=len)
            for row in (row for some in values.values() if some is not usual for row in some):
                row.fault(column, f"与第 {usual[0].number} 行同一问题所写的不一致")


def _tasks(found: Table, problems: Collection[int] | None) -> list[TaskRow]:
    """``problems`` None: they could not be read, so nothing is said about them."""
    numbers = TaskNumbers(problems)
    tasks = []
    for row in found.rows:
        task = _task(row)
        numbers.check(row, task.problem, task.number)
        if task.lead_unit and task.lead_unit in task.supports:
            row.fault("配合部门", "牵头部门不能同时是配合部门")
        tasks.append(task)
    for number in numbers.without_tasks() if tasks else ():
        found.fault(0, "问题序号", f"第 {number} 号问题没有整改任务")
    return tasks


def _task(row: TableRow) -> TaskRow:
    return TaskRow(
        row=row.number,
        problem=row.number_in("问题序号"),
        number=row.text("任务序号"),
        measure=row.text("整改任务（措施）"),
        standard=row.text("完成标准"),
        leader=row.text("责任领导"),
        lead_unit=row.text("牵头部门"),
        supports=row.names("配合部门"),
        due_on=row.day("完成时限") or date.min,
        long_term=row.text("是否长期坚持") == "是",
        written_at=row.written_at,
    )
