"""The ledger of a running rectification (存量台账, §3.5): its problems, tasks, extensions."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from documents.book import Unreadable
from documents.column import Column, Kind
from documents.fault import Change, Fault
from documents.feedback import PROBLEMS, TASK_TABLE, TASKS, TaskRow
from documents.reading import read_book
from documents.sheet_table import Table, TableRow, left_out, sheet_of, table
from policy.areas import AREAS, area_number

EXTENSIONS = "延期记录"


class Stage(StrEnum):
    """How far a problem has come, in the words of the ledger."""

    NOT_BEGUN = "未启动"
    GOING_ON = "整改中"
    APPLIED = "已申请销号"
    CLOSED = "已销号"


ROLES = ("点题", "领题", "责任部门", "监督")
_POST = "职务名称，不写姓名；已销号的可以不填"
_STAGES = (
    "目前走到哪一步，从下拉列表选择。未启动：任务都没有完成；整改中：任务在落实；"
    "已申请销号：任务都已完成，等签署和核验；已销号：不再办理"
)
LEDGER_TABLE = (
    Column("问题序号", Kind.NUMBER, says="原清单中的序号，每个问题一行"),
    Column("问题类别", longest=60, says="反馈意见中的大类"),
    Column("所属领域", Kind.CHOICE, choices=AREAS, says="七个方面之一，从下拉列表选择"),
    Column("反馈问题", longest=500, says="反馈意见中问题的原文"),
    Column("具体表现", longest=1000, blank=True, needed=False, says="反馈意见中具体表现的原文"),
    Column("点题", Kind.NAME, blank=True, says=_POST),
    Column("领题", Kind.NAME, blank=True, says=_POST),
    Column("责任部门", Kind.NAME, blank=True, says="一个部门；已销号的可以不填"),
    Column("监督", Kind.NAME, blank=True, says="纪检或巡察机构的" + _POST),
    Column("状态", Kind.CHOICE, choices=tuple(Stage), says=_STAGES),
    Column("申请销号日期", Kind.DAY, blank=True, says="已申请销号、已销号的填写"),
    Column("销号日期", Kind.DAY, blank=True, says="已销号的填写"),
    Column("佐证材料", longest=500, blank=True, says="材料的名称或编号，不写内容"),
)
LEDGER_TASKS = (
    *(column for column in TASK_TABLE if column.name not in ("完成时限", "是否长期坚持")),
    Column("原定完成时限", Kind.DAY, says="方案最初确定的日期，延期另记在延期记录中"),
    *(column for column in TASK_TABLE if column.name == "是否长期坚持"),
    Column("完成日期", Kind.DAY, blank=True, says="已完成的填写"),
)
EXTENSION_TABLE = (
    Column("任务序号", Kind.CODE, longest=20, says="任务清单中的序号，每次延期一行"),
    Column("批准日期", Kind.DAY, says="同意延期的日期"),
    Column("延期至", Kind.DAY, says="新的完成时限"),
    Column("批准人", longest=60, says="同意延期的职务或会议，不写姓名"),
)
LEDGER_SHEETS = {PROBLEMS: LEDGER_TABLE, TASKS: LEDGER_TASKS, EXTENSIONS: EXTENSION_TABLE}


@dataclass(frozen=True, slots=True)
class LedgerProblem:
    """A problem as the ledger has it; ``roles`` are names by :data:`ROLES`, "" for none."""

    row: int = field(compare=False)
    number: int
    category: str
    area: int
    text: str
    shows: str
    roles: Mapping[str, str]
    stage: Stage
    applied_on: date | None
    closed_on: date | None
    evidence: str


@dataclass(frozen=True, slots=True)
class LedgerExtension:
    """One extension of a task, as agreed on paper."""

    row: int = field(compare=False)
    task: str
    agreed_on: date
    from_on: date
    to_on: date
    agreed_by: str


@dataclass(frozen=True, slots=True)
class LedgerTask:
    """A task: ``plan.due_on`` is its present date, ``original`` its first one."""

    plan: TaskRow
    original: date
    done_on: date | None
    extensions: tuple[LedgerExtension, ...]


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """What a file says, everything that is wrong with it, and what was read otherwise."""

    problems: tuple[LedgerProblem, ...] = ()
    tasks: tuple[LedgerTask, ...] = ()
    faults: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()
    notices: tuple[Fault, ...] = ()
    """Prose that people are to confirm."""


def read_ledger(data: bytes, filename: str = "") -> LedgerFile:
    """A ledger workbook. Rows with faults are among the rows: keep them only without faults."""
    try:
        book = read_book(data, filename)
    except Unreadable as error:
        return LedgerFile(faults=(Fault("", 0, "", str(error)),))
    first, second = table(book, PROBLEMS, LEDGER_TABLE), table(book, TASKS, LEDGER_TASKS)
    has_third = sheet_of(book, EXTENSIONS, EXTENSION_TABLE) is not None
    third = table(book, EXTENSIONS, EXTENSION_TABLE) if has_third else Table(EXTENSIONS)
    problems = _problems(first)
    tasks = _tasks(second, {problem.number for problem in problems}, _extensions(third, second))
    _check_stages(first, second)
    if not problems and not first.faults:
        first.fault(0, "", "没有问题")
    tables = (first, second, third)
    faults = sorted(fault for found in tables for fault in found.faults)
    changes = [change for found in tables for change in found.changes]
    changes += left_out(book, [found.sheet for found in tables])
    notices = sorted(notice for found in tables for notice in found.notices)
    told = tuple(faults), tuple(sorted(changes)), tuple(notices)
    return LedgerFile(tuple(problems), tuple(tasks), *told)


def _problems(found: Table) -> list[LedgerProblem]:
    problems: dict[int, LedgerProblem] = {}
    for row in found.rows:
        number = row.number_in("问题序号")
        if number in problems:
            row.fault("问题序号", f"第 {number} 号问题写了两行，每个问题只写一行")
        elif number:
            problems[number] = _problem(row)
    return list(problems.values())


def _problem(row: TableRow) -> LedgerProblem:
    stage = row.text("状态")
    return LedgerProblem(
        row=row.number,
        number=row.number_in("问题序号"),
        category=row.text("问题类别"),
        area=area_number(row.text("所属领域")) or 0,
        text=row.text("反馈问题"),
        shows=row.text("具体表现"),
        roles={role: row.text(role) for role in ROLES},
        stage=Stage(stage) if stage else Stage.GOING_ON,
        applied_on=row.day("申请销号日期"),
        closed_on=row.day("销号日期"),
        evidence=row.text("佐证材料"),
    )


def _extensions(found: Table, tasks: Table) -> dict[str, list[LedgerExtension]]:
    """By task, in the order of their agreement, each from the date that held before it."""
    originals = {row.text("任务序号"): row.day("原定完成时限") for row in tasks.rows}
    rows: dict[str, list[TableRow]] = defaultdict(list)
    for row in found.rows:
        task = row.text("任务序号")
        if task and task not in originals:
            row.fault("任务序号", f"任务清单中没有任务 {task}")
        elif task:
            rows[task].append(row)
    return {task: _in_order(task, originals[task], own) for task, own in rows.items()}


def _in_order(task: str, original: date | None, rows: Sequence[TableRow]) -> list[LedgerExtension]:
    made: list[LedgerExtension] = []
    held = original
    for row in sorted(rows, key=lambda row: row.day("批准日期") or date.min):
        agreed, to = row.day("批准日期"), row.day("延期至")
        if held is None or agreed is None or to is None:
            continue  # a fault already, where it stands
        if to <= held:
            row.fault("延期至", f"应晚于延期前的完成时限 {held.isoformat()}")
        made.append(LedgerExtension(row.number, task, agreed, held, to, row.text("批准人")))
        held = to
    return made


def _tasks(
    found: Table, problems: set[int], extensions: Mapping[str, Sequence[LedgerExtension]]
) -> list[LedgerTask]:
    tasks, seen = [], set[str]()
    for row in found.rows:
        problem, number = row.number_in("问题序号"), row.text("任务序号")
        if problem and problems and problem not in problems:
            row.fault("问题序号", f"问题清单中没有第 {problem} 号问题")
        else:
            _check_number(row, problem, number, seen)
        seen.add(number)
        if row.text("牵头部门") and row.text("牵头部门") in row.names("配合部门"):
            row.fault("配合部门", "牵头部门不能同时是配合部门")
        tasks.append(_task(row, extensions.get(number, ())))
    return tasks


def _check_number(row: TableRow, problem: int, number: str, seen: set[str]) -> None:
    """It says whose the task is, and no other has it. Gaps stay: tasks were dropped in the past."""
    if problem and number and not re.fullmatch(rf"{problem}-[1-9][0-9]{{0,4}}", number):
        row.fault("任务序号", f"应为“问题序号-序号”，如 {problem}-1")
    elif number and number in seen:
        row.fault("任务序号", f"任务 {number} 写了两行，每项任务只写一行")


def _task(row: TableRow, extensions: Sequence[LedgerExtension]) -> LedgerTask:
    original = row.day("原定完成时限") or date.min
    plan = TaskRow(
        row=row.number,
        problem=row.number_in("问题序号"),
        number=row.text("任务序号"),
        measure=row.text("整改任务（措施）"),
        standard=row.text("完成标准"),
        leader=row.text("责任领导"),
        lead_unit=row.text("牵头部门"),
        supports=row.names("配合部门"),
        due_on=extensions[-1].to_on if extensions else original,
        long_term=row.text("是否长期坚持") == "是",
        written_at=row.written_at,
    )
    return LedgerTask(plan, original, row.day("完成日期"), tuple(extensions))


def _check_stages(problems: Table, tasks: Table) -> None:
    """What a problem is said to have come to fits its dates and its tasks."""
    of_problem: dict[int, list[TableRow]] = defaultdict(list)
    for row in tasks.rows:
        of_problem[row.number_in("问题序号")].append(row)
    for row in problems.rows:
        if stage := row.text("状态"):
            own = of_problem[row.number_in("问题序号")]
            _check_dates(row, Stage(stage))
            _check_tasks(row, Stage(stage), own, readable=not tasks.faults)


_DATES = {"申请销号日期": (Stage.APPLIED, Stage.CLOSED), "销号日期": (Stage.CLOSED,)}
"""The dates of a problem, and of which stages; a closed one may lack that of its application."""


def _check_dates(row: TableRow, stage: Stage) -> None:
    for column, stages in _DATES.items():
        if stage not in stages and row.day(column) is not None:
            row.fault(column, f"状态为{stage}，不应有{column}")
        if stage is stages[0] and row.day(column) is None:
            row.fault(column, f"状态为{stage}，应填写{column}")
    applied, closed = (row.day(column) for column in _DATES)
    if applied and closed and closed < applied:
        row.fault("销号日期", f"不应早于申请销号日期 {applied.isoformat()}")
    missing = [] if stage is Stage.CLOSED else [role for role in ROLES if not row.text(role)]
    for role in missing:
        row.fault(role, "没有销号的问题应填写")


def _check_tasks(row: TableRow, stage: Stage, tasks: Sequence[TableRow], *, readable: bool) -> None:
    if not tasks and stage is not Stage.CLOSED and readable:
        row.fault("问题序号", "没有销号的问题在任务清单中至少应有一项任务")
    for task in tasks:
        done = task.day("完成日期")
        if stage is Stage.NOT_BEGUN and done is not None:
            task.fault("完成日期", "所属问题的状态为未启动，不应有完成日期")
        if stage in (Stage.APPLIED, Stage.CLOSED) and done is None:
            task.fault("完成日期", f"所属问题的状态为{stage}，应填写完成日期")
