"""An .xls (Excel 97–2003) as a book, read by a process of its own with little memory.

The reader is handed the file as it is, and a small file may name a cell far out; so it runs where
neither its memory nor its time can hurt anybody. It answers a line of JSON for each row. A formula
whose result is an error reads as an empty cell: the reader does not tell one from the other.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Any

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from documents.book import Book, Cell, Merge, Row, Sheet, Unreadable
from documents.xlsx_sheet import MOST_COLUMNS, MOST_ROWS, Budget

MEMORY_BYTES = 256 * 1024 * 1024
SECONDS = 30
_SECRET = "EncryptedPackage".encode("utf-16-le")
_REFUSED = "这个 .xls 文件不能读取（已损坏、有密码，或者太大），请用 Excel 另存为 .xlsx，不设密码"


def read_old_excel(data: bytes) -> Book:
    """The visible sheets of an .xls; hidden ones by name only."""
    if _SECRET in data[: 1 << 20] or _SECRET in data[-(1 << 20) :]:
        raise Unreadable("文件设了打开密码，请在 Excel 中去掉密码后再上传")
    command = (sys.executable, "-I", "-m", __name__)
    with TemporaryFile() as answer:
        try:
            subprocess.run(
                command,
                input=data,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=2 * SECONDS,
                check=True,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            raise Unreadable(_REFUSED) from error
        answer.seek(0)
        return Book(list(_sheets(answer)))


def _sheets(answer: IO[bytes]) -> Iterator[Sheet]:
    budget = Budget()
    sheet: Sheet | None = None
    for line in answer:
        said = json.loads(line)
        if isinstance(said, dict):
            if sheet is not None:
                yield sheet
            merges = [Merge(*block) for block in said["merges"]]
            sheet = Sheet(said["name"], [], merges, hidden=said["hidden"])
        elif sheet is not None:
            number, cells = said
            budget.cell(len(cells))
            sheet.rows.append(Row(number, [_read(cell) for cell in cells]))
    if sheet is not None:
        yield sheet


def _read(cell: Any) -> Cell:
    """A value, or a list of what JSON has no type for and its text."""
    if not isinstance(cell, list):
        return cell  # type: ignore[no-any-return]
    kind, text = cell
    if kind == "date":
        return date.fromisoformat(text)
    return time.fromisoformat(text) if kind == "time" else datetime.fromisoformat(text)


def _main() -> None:
    """Read an .xls from standard input, within bounds that the kernel keeps."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    budget = Budget()
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(sys.stdin.buffer.read()))
        for about in book.sheets_metadata:
            hidden = about.visible is not SheetVisibleEnum.Visible
            for line in _told(book.get_sheet_by_name(about.name), budget, hidden=hidden):
                sys.stdout.write(json.dumps(line) + "\n")
    except (CalamineError, ValueError, OverflowError, MemoryError):
        sys.exit(1)


def _told(sheet: CalamineSheet, budget: Budget, *, hidden: bool) -> Iterator[Any]:
    blocks = () if hidden else sheet.merged_cell_ranges or ()
    merges = [[top + 1, left + 1, bottom + 1, right + 1] for (top, left), (bottom, right) in blocks]
    yield {"name": sheet.name, "hidden": hidden, "merges": merges}
    if hidden or sheet.start is None or sheet.end is None:
        return
    if sheet.end[1] >= MOST_COLUMNS:
        raise ValueError("too many columns")
    kept, left = 0, [None] * sheet.start[1]
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        row = [*left, *(_tell(cell) for cell in cells)]
        while row and row[-1] is None:
            row.pop()
        if row and (kept := kept + 1) > MOST_ROWS:
            raise ValueError("too many rows")
        if row:
            budget.cell(len(row))
            for cell in row:
                budget.text(cell if isinstance(cell, str) else "")
            yield [number, row]


def _tell(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e18:
        return int(cell)
    if isinstance(cell, datetime):
        return ["datetime", cell.isoformat()] if cell.time() != time() else _day(cell.date())
    if isinstance(cell, date):
        return _day(cell)
    if isinstance(cell, time | timedelta):
        return ["time", cell.isoformat()] if isinstance(cell, time) else str(cell)
    return cell


def _day(day: date) -> list[str]:
    return ["date", day.isoformat()]


if __name__ == "__main__":
    _main()
