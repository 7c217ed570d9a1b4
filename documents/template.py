"""Empty workbooks to fill in: a sheet for each table, drop-downs, and a page that explains."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from documents.cells import EARLIEST, LATEST
from documents.column import Column, Kind
from documents.header import letters
from documents.sheet_table import GUIDE, OPTIONS

_LAST_ROW = 5_000
"""Down to here cells are checked while they are filled in; below they are checked when read."""
_WIDTHS = {Kind.TEXT: 36, Kind.NAMES: 30, Kind.NAME: 22, Kind.CODE: 18, Kind.DAY: 14}
_MADE = datetime(2026, 1, 1, tzinfo=UTC)
"""A template is the same file whenever it is made."""
_GUIDE_HEAD = ("工作表", "列", "是否必填", "填什么")
_NOTES = (
    "各表第 1 行是列名，请不要改动；从第 2 行起填写，一行一项。",
    "只写单位、部门和职务的名称。不得含涉密内容、信访件、问题线索、身份证号和电话号码。",
    "标题行、合并单元格、全角数字、文字写的日期也能读入，读入后逐处列出，请核对。",
)


def template(sheets: Mapping[str, Sequence[Column]]) -> bytes:
    """An .xlsx with these tables, empty; it reads back without a fault or a change."""
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, {"in_memory": True})
    book.set_properties({"created": _MADE})
    formats = {
        "head": book.add_format(
            {"bold": True, "bg_color": "#F3F1EC", "border": 1, "text_wrap": True, "valign": "top"}
        ),
        "text": book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd", "valign": "top"}),
        "number": book.add_format({"num_format": "0", "valign": "top"}),
    }
    made = {name: book.add_worksheet(name) for name in sheets}
    options = _Options(book, formats)
    for name, columns in sheets.items():
        _fill(made[name], columns, formats, options)
    _explain(book.add_worksheet(GUIDE), sheets, formats)
    options.hide()
    book.close()
    return data.getvalue()


class _Options:
    """The hidden sheet that drop-downs take their entries from, a column for each list."""

    def __init__(self, book: Any, formats: Mapping[str, Any]) -> None:
        self._sheet = book.add_worksheet(OPTIONS)
        self._text = formats["text"]
        self._ranges: dict[tuple[str, ...], str] = {}

    def range(self, choices: tuple[str, ...]) -> str:
        """Where the entries of a drop-down stand; the same list stands once."""
        if choices not in self._ranges:
            place = len(self._ranges)
            self._sheet.write_column(0, place, choices, self._text)
            letter = letters(place + 1)
            self._ranges[choices] = f"='{OPTIONS}'!${letter}$1:${letter}${len(choices)}"
        return self._ranges[choices]

    def hide(self) -> None:
        """Out of sight."""
        self._sheet.hide()


def _fill(
    sheet: Any, columns: Sequence[Column], formats: Mapping[str, Any], options: _Options
) -> None:
    sheet.freeze_panes(1, 0)
    sheet.set_row(0, 32)
    for place, column in enumerate(columns):
        kind = {Kind.DAY: "day", Kind.NUMBER: "number"}.get(column.kind, "text")
        sheet.set_column(place, place, _WIDTHS.get(column.kind, 14), formats[kind])
        sheet.write_string(0, place, column.name, formats["head"])
        sheet.data_validation(1, place, _LAST_ROW, place, _checks(column, options))


def _checks(column: Column, options: _Options) -> dict[str, Any]:
    """What Excel checks while a cell is filled in, and what it says then."""
    checks: dict[str, Any] = {"validate": "any"}
    if column.kind is Kind.CHOICE:
        checks = {"validate": "list", "source": options.range(column.choices)}
    elif column.kind is Kind.DAY:
        first, last = date(EARLIEST, 1, 1), date(LATEST, 12, 31)
        checks = {"validate": "date", "criteria": "between", "minimum": first, "maximum": last}
    elif column.kind is Kind.NUMBER:
        checks = {"validate": "integer", "criteria": "between", "minimum": 1, "maximum": 99_999}
    says = column.says or column.name
    return checks | {
        "input_title": column.name[:32],
        "input_message": says[:255],
        "error_title": "请核对",
        "error_message": says[:255],
    }


def _explain(
    sheet: Any, sheets: Mapping[str, Sequence[Column]], formats: Mapping[str, Any]
) -> None:
    for number, width in enumerate((14, 20, 10, 60)):
        sheet.set_column(number, number, width, formats["text"])
    for number, note in enumerate(_NOTES):
        sheet.merge_range(number, 0, number, len(_GUIDE_HEAD) - 1, note, formats["text"])
    start = len(_NOTES) + 1
    sheet.write_row(start, 0, _GUIDE_HEAD, formats["head"])
    for number, cells in enumerate(_guide(sheets), start=start + 1):
        sheet.write_row(number, 0, cells, formats["text"])


def _guide(sheets: Mapping[str, Sequence[Column]]) -> Iterator[tuple[str, ...]]:
    for name, columns in sheets.items():
        for column in columns:
            needed = "可以不填" if column.blank else "必填"
            yield name, column.name, needed, column.says
