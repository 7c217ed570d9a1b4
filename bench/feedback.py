"""A generated feedback file of as many problems as wanted, in the columns offices use."""

import io
from datetime import date, timedelta
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from documents.feedback import PROBLEM_COLUMNS, PROBLEMS, TASK_COLUMNS, TASKS
from policy.areas import AREAS

UNITS = ("党建办", "党政办", "宣传办", "服务办", "城市管理办", "城市建设中心", "网格中心")
LEADERS = ("副书记", "组织委员", "宣传委员", "分管民生副主任", "分管城管副主任")


def feedback_of(problems: int, on: date) -> bytes:
    """An .xlsx of ``problems`` problems, a manifestation and a task each, due months after ``on``.

    Each task is led by the department that its problem names: its clerk reports, its head judges.
    """
    found, planned = [], []
    for number in range(1, problems + 1):
        unit, leader = UNITS[number % len(UNITS)], LEADERS[number % len(LEADERS)]
        area = AREAS[number % len(AREAS)]
        text, shows = f"第 {number} 类台账更新不及时", f"有 {number} 项未在规定时限内完成"
        found.append([number, "履行全面从严治党责任方面", area, text, 1, shows, unit])
        due = on + timedelta(days=60 + number % 30)
        measure, standard = f"修订第 {number} 类台账的制度", "制度印发并在例会上通报"
        planned.append([number, f"{number}-1", measure, standard, leader, unit, "", due, "否"])
    return _workbook({PROBLEMS: [PROBLEM_COLUMNS, *found], TASKS: [TASK_COLUMNS, *planned]})


def _workbook(sheets: dict[str, list[Any]]) -> bytes:
    kept = io.BytesIO()
    with xlsxwriter.Workbook(kept, {"in_memory": True}) as book:
        days = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                _write(sheet, number, row, days)
    return kept.getvalue()


def _write(sheet: Any, number: int, row: Any, days: Any) -> None:
    for column, value in enumerate(row):
        if isinstance(value, date):
            sheet.write_datetime(number, column, value, days)
        else:
            sheet.write(number, column, value)
