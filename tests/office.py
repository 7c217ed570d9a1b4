"""A feedback as an office would send it: the same rows, laid out and written in its own way."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from documents.feedback import PROBLEM_COLUMNS, PROBLEMS, TASK_COLUMNS, TASKS
from policy.areas import AREAS
from tests.sheets import Rows, repacked

UNREAD = object()
"""A cell with a formula whose result was not saved."""
CATEGORY = "履行全面从严治党责任方面"
UNITS = ("党建办", "党政办", "城市管理办（综合办）", "财务所")
_DROPPED = re.compile(rb"</f><v>0</v>")


def problem_table(problems: int = 3, shown: int = 3) -> Rows:
    """Problems, each with its manifestations; without header."""
    return [
        [
            problem,
            CATEGORY,
            AREAS[problem % len(AREAS)],
            f"合同台账第 {problem} 处更新不及时",
            n,
            f"有 {n} 项未在规定时限内完成，共 {problem} 次",
            f"{UNITS[n % 4]}、{UNITS[(n + 1) % 4]}",
        ]
        for problem in range(1, problems + 1)
        for n in range(1, shown + 1)
    ]


def task_table(problems: int = 3, each: int = 2) -> Rows:
    """Tasks for these problems; without header."""
    return [
        [
            problem,
            f"{problem}-{n}",
            f"建立第 {n} 份清单",
            "清单印发",
            "党工委（办事处）副书记",
            UNITS[n % 4],
            UNITS[(n + 1) % 4],
            date(2027, problem, 10 + n),
            "是" if n == 1 else "否",
        ]
        for problem in range(1, problems + 1)
        for n in range(1, each + 1)
    ]


@dataclass(slots=True)
class Layout:
    """How a sheet is laid out around its rows."""

    titles: int = 0
    group: bool = False
    """A row of groups above the column names, merged over them."""
    merged: tuple[str, ...] = ()
    """Columns whose equal neighbours are merged downwards."""
    blank_after: int = 0
    footer: str = ""
    extra: bool = False
    """A column of the office's own, in front."""
    hidden_rows: bool = False

    @property
    def header(self) -> int:
        """The row of the column names, as the spreadsheet counts."""
        return self.titles + self.group + 1


@dataclass(slots=True)
class Office:
    """Both sheets with their layouts, and whatever else is in the file."""

    problems: Rows = field(default_factory=problem_table)
    tasks: Rows = field(default_factory=task_table)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    hidden_sheet: bool = False
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column names as the office writes them."""

    def sheets(self) -> Iterator[tuple[str, tuple[str, ...], Rows, Layout]]:
        """Name, columns, rows, layout of each sheet."""
        given = ((PROBLEMS, PROBLEM_COLUMNS, self.problems), (TASKS, TASK_COLUMNS, self.tasks))
        for name, columns, rows in given:
            yield (
                name,
                self.columns.get(name, columns),
                rows,
                self.layouts.get(name, Layout()),
            )

    def xlsx(self) -> bytes:
        """The file."""
        data = io.BytesIO()
        book = xlsxwriter.Workbook(data, {"default_date_format": "yyyy-mm-dd"})
        for name, columns, rows, layout in self.sheets():
            _write(book, book.add_worksheet(name), columns, rows, layout)
        if self.hidden_sheet:
            sheet = book.add_worksheet("旧表")
            sheet.write(0, 0, "往年的数据")
            sheet.hide()
        book.close()
        return _without_results(data.getvalue())


def delimited(columns: tuple[str, ...], rows: Rows, encoding: str = "utf-8") -> bytes:
    """A table as a CSV."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([columns, *rows])
    return out.getvalue().encode(encoding)


def _write(book: Any, sheet: Any, columns: tuple[str, ...], rows: Rows, layout: Layout) -> None:
    left = 1 if layout.extra else 0
    _write_header(sheet, columns, left, layout)
    for number, cells in enumerate(rows, start=layout.header):
        if layout.extra:
            sheet.write(number, 0, f"备注{number}")
        for column, cell in enumerate(cells, start=left):
            _put(sheet, number, column, cell)
        if layout.hidden_rows and number % 2:
            sheet.set_row(number, options={"hidden": True})
    for name in layout.merged:
        _merge(sheet, rows, (columns.index(name), left, layout.header))
    end = layout.header + len(rows)
    style = book.add_format({"bold": True})
    for number in range(end, end + layout.blank_after):
        sheet.write_blank(number, left, None, style)
    if layout.footer:
        sheet.write(end + layout.blank_after, left, layout.footer)


def _write_header(sheet: Any, columns: tuple[str, ...], left: int, layout: Layout) -> None:
    last = left + len(columns) - 1
    for number in range(layout.titles):
        sheet.merge_range(number, 0, number, last, f"滨河区委巡察反馈清单（{number + 1}）")
    if layout.group:
        sheet.merge_range(layout.header - 2, left, layout.header - 2, left + 1, "编号")
        sheet.merge_range(layout.header - 2, left + 2, layout.header - 2, last, "内容")
    sheet.write_row(layout.header - 1, left, columns)


def _put(sheet: Any, row: int, column: int, cell: Any) -> None:
    if cell is UNREAD:
        sheet.write_formula(row, column, "=ZZ1")
    elif cell is not None and cell != "":
        sheet.write(row, column, cell)


def _merge(sheet: Any, rows: Rows, place: tuple[int, int, int]) -> None:
    """Merge each run of equal cells of a column, within one problem."""
    column, left, header = place
    start = 0
    for end in range(1, len(rows) + 1):
        run = rows[start]
        if end < len(rows) and (rows[end][0], rows[end][column]) == (run[0], run[column]):
            continue
        if end - start > 1:
            top, at = header + start, left + column
            sheet.merge_range(top, at, header + end - 1, at, "")
            _put(sheet, top, at, run[column])
        start = end


def _without_results(data: bytes) -> bytes:
    """The workbook as a program leaves it that writes formulas and does not calculate."""
    for number in (1, 2):
        name = f"xl/worksheets/sheet{number}.xml"
        part = _part(data, name)
        if _DROPPED.search(part):
            data = repacked(data, name, _DROPPED.sub(b"</f>", part))
    return data


def _part(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)
