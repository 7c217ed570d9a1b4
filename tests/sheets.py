"""Workbooks for tests: a small right feedback, and ways to make it wrong."""

import io
import re
import zipfile
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from documents.feedback import PROBLEM_COLUMNS, PROBLEMS, TASK_COLUMNS, TASKS

Rows = list[list[Any]]
SHEET = "xl/worksheets/sheet1.xml"
"""The part of the first sheet of a workbook."""


def problem_rows() -> Rows:
    """Two problems, three manifestations, header included."""
    category, text = "履行全面从严治党责任方面", "合同台账更新不及时"
    return [
        list(PROBLEM_COLUMNS),
        [1, category, "政治生态", text, 1, "有 7 项未在规定时限内完成", "梧桐路街道党工委、党建办"],
        [1, category, "政治生态", text, 2, "数据有 3 处不一致", "党政办"],
        [2, category, "整治“四风”", "基层报表存在重复填报", 1, "有 4 张表重复", "居民区党组织"],
    ]


def task_rows() -> Rows:
    """Three tasks for the two problems, header included."""
    day = date(2027, 1, 27)
    return [
        list(TASK_COLUMNS),
        [1, "1-1", "建立清单", "清单印发", "副书记", "党建办", "党政办、居民区党组织", day, "否"],
        [1, "1-2", "组织一次自查", "台账经签字", "组织委员", "党建办", "", day, "否"],
        [2, "2-1", "合并表格", "减少报表 2 张", "办公室主任", "党政办", "财务所", day, "是"],
    ]


def workbook(
    sheets: dict[str, Rows], *, number_format: str = "", hidden: Collection[str] = ()
) -> bytes:
    """An .xlsx of these sheets; dates become date cells, numbers are shown in a format."""
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, {"default_date_format": "yyyy-mm-dd"})
    style = book.add_format({"num_format": number_format}) if number_format else None
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                sheet.write(number, column, cell, style)
        if name in hidden:
            sheet.hide()
    book.close()
    return data.getvalue()


def sheet_part(cells: str, after: str = "") -> bytes:
    """The XML of a sheet with these rows."""
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    text = f'<worksheet xmlns="{namespace}"><sheetData>{cells}</sheetData>{after}</worksheet>'
    return text.encode()


def with_cells(cells: str) -> bytes:
    """A workbook whose first sheet is this XML."""
    return repacked(workbook({"甲": [[1]]}), SHEET, sheet_part(cells))


def feedback(problems: Rows | None = None, tasks: Rows | None = None) -> bytes:
    """A feedback workbook: the right one, or with other rows."""
    sheets = {PROBLEMS: problems or problem_rows(), TASKS: tasks or task_rows()}
    return workbook(sheets)


def filled(data: bytes, sheets: dict[str, Rows]) -> bytes:
    """A template with rows below its headers, as a person fills it in."""
    names = re.findall(r'<sheet name="([^"]+)"', _text_of(data, "xl/workbook.xml"))
    for name, rows in sheets.items():
        part = f"xl/worksheets/sheet{names.index(name) + 1}.xml"
        lines = "".join(
            f'<row r="{number}">{"".join(map(_typed, cells))}</row>'
            for number, cells in enumerate(rows, start=2)
        )
        xml = _text_of(data, part).replace("</sheetData>", f"{lines}</sheetData>")
        data = repacked(data, part, xml.encode())
    return data


def _typed(cell: Any) -> str:
    if isinstance(cell, date):
        return f'<c t="d"><v>{cell.isoformat()}</v></c>'
    if isinstance(cell, int):
        return f"<c><v>{cell}</v></c>"
    return f'<c t="inlineStr"><is><t>{cell}</t></is></c>'


def _text_of(data: bytes, part: str) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(part).decode()


def changed(rows: Rows, *changes: tuple[int, str, Any]) -> Rows:
    """The rows with cells replaced: (row as Excel counts, column, value)."""
    for row, column, value in changes:
        rows[row - 1][rows[0].index(column)] = value
    return rows


def repacked(data: bytes, part: str, content: bytes) -> bytes:
    """The archive with one part replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        new.writestr(part, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def said(faults: Sequence[object]) -> list[str]:
    """The faults as people read them."""
    return [str(fault) for fault in faults]
