"""Every defect that is planted in a workbook is reported at its place, and nothing else is."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.column import Column, Kind
from documents.feedback import (
    PROBLEM_COLUMNS,
    PROBLEM_TABLE,
    PROBLEMS,
    TASK_COLUMNS,
    TASK_TABLE,
    TASKS,
    read_feedback,
)
from tests.office import UNREAD, Layout, Office
from tests.sheets import SHEET, repacked, said, sheet_part, workbook

Place = tuple[str, int, str]
MORNING = datetime(2026, 1, 1, 8)  # noqa: DTZ001
TEXTS = ("", UNREAD, True, "甲\x07乙", "电话13800138000", "据信访人反映", MORNING)
DEFECTS: dict[Kind, tuple[Any, ...]] = {
    Kind.NUMBER: ("", UNREAD, "第一", 1.5, True, "1-2"),
    Kind.DAY: ("", UNREAD, "明年", "2026年2月30日", "26.3.1", "2026年3月", True, 7, "3/1/2026"),
    Kind.CHOICE: ("", UNREAD, "群众工作", 1, "是否"),
    Kind.CODE: (*TEXTS, date(2026, 1, 1), 1234567890123456789, "1" * 30),
    Kind.TEXT: (*TEXTS, "长" * 1001),
    Kind.NAME: (*TEXTS, "长" * 100),
    Kind.NAMES: (*TEXTS[1:], "甲办、、乙办", "甲办，甲办", "长" * 501),
}
"""For each kind of column what is wrong in any row of it, whatever the others say."""


def planted(office: Office) -> list[Place]:
    return [(f.sheet, f.row, f.column) for f in read_feedback(office.xlsx()).faults]


@pytest.mark.parametrize("column", PROBLEM_TABLE, ids=PROBLEM_COLUMNS)
def test_a_defect_in_the_problem_sheet_is_one_fault(column: Column) -> None:
    _each(column, PROBLEM_COLUMNS, lambda office: office.problems, PROBLEMS)


@pytest.mark.parametrize("column", TASK_TABLE, ids=TASK_COLUMNS)
def test_a_defect_in_the_task_sheet_is_one_fault(column: Column) -> None:
    _each(column, TASK_COLUMNS, lambda office: office.tasks, TASKS)


def _each(
    column: Column,
    columns: tuple[str, ...],
    rows: Callable[[Office], list[list[Any]]],
    sheet: str,
) -> None:
    for defect in DEFECTS[column.kind]:
        if column.blank and defect == "":
            continue
        for row in (0, 1, 4):
            office = Office()
            rows(office)[row][columns.index(column.name)] = defect
            assert planted(office) == [(sheet, row + 2, column.name)], (defect, row)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (3, "问题序号", 9, "这里应为 2"),
        (5, "问题序号", 1, "应放在一起"),
        (4, "表现序号", 7, "这里应为 2"),
        (1, "反馈问题", "另一个问题", "与第 2 行同一问题所写的不一致"),
        (0, "问题类别", "另一类", "与第 3 行同一问题所写的不一致"),
        (8, "所属领域", "政治生态", "与第 8 行同一问题所写的不一致"),
    ],
)
def test_a_row_that_does_not_fit_the_others_is_one_fault(
    row: int, column: str, value: Any, message: str
) -> None:
    office = Office()
    office.problems[row][PROBLEM_COLUMNS.index(column)] = value
    faults = read_feedback(office.xlsx()).faults
    assert [(f.sheet, f.row, f.column) for f in faults] == [(PROBLEMS, row + 2, column)]
    assert message in faults[0].message


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, "问题序号", 9, "问题清单中没有第 9 号问题"),
        (2, "任务序号", "2-7", "这里应为 2-1"),
        (2, "任务序号", "3-1", "这里应为 2-1"),
        (2, "任务序号", "二之一", "这里应为 2-1"),
        (1, "配合部门", "城市管理办（综合办）", "牵头部门不能同时是配合部门"),
        (1, "完成时限", MORNING, "带有时间"),
    ],
)
def test_a_task_that_does_not_fit_the_others_is_one_fault(
    row: int, column: str, value: Any, message: str
) -> None:
    office = Office()
    office.tasks[row][TASK_COLUMNS.index(column)] = value
    faults = read_feedback(office.xlsx()).faults
    assert [(f.sheet, f.row, f.column) for f in faults] == [(TASKS, row + 2, column)]
    assert message in faults[0].message


def test_a_problem_that_is_left_out_is_one_fault() -> None:
    office = Office()
    del office.problems[3:6]
    assert planted(office) == [(PROBLEMS, 5, "问题序号")]


def test_a_manifestation_that_is_left_out_is_one_fault() -> None:
    office = Office()
    del office.problems[4]
    assert planted(office) == [(PROBLEMS, 6, "表现序号")]


def test_a_problem_without_tasks_is_one_fault() -> None:
    office = Office()
    del office.tasks[2:4]
    assert planted(office) == [(TASKS, 0, "问题序号")]


@pytest.mark.parametrize("column", PROBLEM_COLUMNS)
def test_a_missing_column_is_one_fault_with_the_nearest_header(column: str) -> None:
    names = {PROBLEMS: tuple(f"{n[:-1]}（新）" if n == column else n for n in PROBLEM_COLUMNS)}
    office = Office(columns=names, layouts={PROBLEMS: Layout(titles=2)})
    faults = read_feedback(office.xlsx()).faults
    assert [(f.sheet, f.row, f.column) for f in faults] == [(PROBLEMS, 3, column)]
    assert f"最接近的是“{column[:-1]}（新）”" in faults[0].message


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_number_of_defects_is_reported_and_nothing_else(data: st.DataObject) -> None:
    layouts = {
        name: Layout(titles=data.draw(st.integers(0, 2)), extra=data.draw(st.booleans()))
        for name in (PROBLEMS, TASKS)
    }
    office = Office(layouts=layouts)
    expected: set[Place] = set()
    for name, columns, rows in (
        (PROBLEMS, PROBLEM_TABLE, office.problems),
        (TASKS, TASK_TABLE, office.tasks),
    ):
        cells = st.tuples(st.integers(0, len(rows) - 1), st.integers(0, len(columns) - 1))
        for row, place in data.draw(st.sets(cells, max_size=12)):
            column = columns[place]
            defect = data.draw(st.sampled_from(DEFECTS[column.kind]))
            if column.blank and defect == "":
                continue
            rows[row][place] = defect
            expected.add((name, layouts[name].header + 1 + row, column.name))
    found = planted(office)
    assert len(found) == len(set(found))
    assert set(found) == expected


def _bomb() -> bytes:
    return repacked(workbook({"甲": [[1]]}), SHEET, sheet_part(" " * 450_000_000))


def _reaches_out() -> bytes:
    part = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><worksheet>&x;</worksheet>'
    return repacked(workbook({"甲": [[1]]}), SHEET, part)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "文件是空的"),
        (lambda: b"x" * (20 * 1024 * 1024 + 1), "超过 20 MB"),
        (_bomb, "解压后过大"),
        (_reaches_out, "DOCTYPE"),
    ],
    ids=["empty", "large", "bomb", "xxe"],
)
def test_a_file_that_is_harmful_or_too_large_is_one_fault(
    make: Callable[[], bytes], message: str
) -> None:
    faults = read_feedback(make()).faults
    assert len(faults) == 1
    assert message in said(faults)[0]
