"""A sheet as a table of known columns: what is forgiven is forgiven and told, the rest is a fault.

    book = read_book(data, filename)
    found = table(book, "职务", COLUMNS)
    for row in found.rows:
        row.text("名称"), row.day("起始日期"), row.names("分管单位")
        row.fault("名称", "没有这个单位，相近的有：…")
    refuse(found.faults)

``found.changes`` and ``left_out(book, …)`` are shown to the user.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

from documents.book import Book, Cell, Merge, Row, Sheet
from documents.cells import Reading, Value, is_blank, read_cell, same, shown, written
from documents.column import Column
from documents.fault import Change, Fault
from documents.footer import without_footers
from documents.header import SCANNED, Header, find_header
from documents.merged import Spread, spread

OPTIONS, GUIDE = "选项", "填表说明"
"""Sheets of our own templates, of which nobody needs to be told that they are not read."""
MOST_TOLD = 5_000
"""How many faults, and changes, of one sheet are told."""
_LONGEST_SHOWN = 120
_NOWHERE: Mapping[str, int] = {}


@dataclass(slots=True)
class Table:
    """The rows below the header of one sheet; faults and changes gather here.

    ``header`` is the row of its column names (the lower of two), 0 when it was not found: then
    ``rows`` is empty and ``faults`` says why. A column that is missing is a fault, and its cells
    read as empty without a fault of their own, so that what else is wrong is told at once.
    """

    sheet: str
    header: int = 0
    rows: list["TableRow"] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    """Prose in which the gate for texts noticed what people are to confirm."""
    _told: set[Fault | Change] = field(default_factory=set)

    def fault(self, row: int, column: str, message: str) -> None:
        """Note a fault of a cell, once; row 0 for one of the whole sheet."""
        found = Fault(self.sheet, row, column, message)
        if len(self.faults) == MOST_TOLD:
            self.faults.append(Fault(self.sheet, 0, "", "问题太多，其余的没有列出"))
        if len(self.faults) < MOST_TOLD and found not in self._told:
            self._told.add(found)
            self.faults.append(found)

    def change(self, row: int, column: str, *, before: str, after: str, why: str) -> None:
        """Note what was read otherwise than it is written, once; ``after`` empty: left out."""
        found = Change(self.sheet, row, column, _short(before), _short(after), why)
        if len(self.changes) == MOST_TOLD:
            self.changes.append(Change(self.sheet, 0, "", "更多", "", "其余的改写没有列出"))
        if len(self.changes) < MOST_TOLD and found not in self._told:
            self._told.add(found)
            self.changes.append(found)


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row. A cell with a fault, and one that may be empty and is, reads as an empty value."""

    table: Table
    number: int
    values: Mapping[str, Value]
    written_at: Mapping[str, int]
    """For columns whose value comes from a merged block: the row where it is written."""

    def text(self, column: str) -> str:
        """A text; ``""`` for none."""
        value = self.values[column]
        return value if isinstance(value, str) else ""

    def number_in(self, column: str) -> int:
        """A whole number; 0 for none."""
        value = self.values[column]
        return value if isinstance(value, int) else 0

    def day(self, column: str) -> date | None:
        """A date; None for none."""
        value = self.values[column]
        return value if isinstance(value, date) else None

    def names(self, column: str) -> tuple[str, ...]:
        """Names, each once; empty for none."""
        value = self.values[column]
        return value if isinstance(value, tuple) else ()

    def place(self, column: str) -> int:
        """The row where the value of a column is written: this one, or the first of its block."""
        return self.written_at.get(column, self.number)

    def fault(self, column: str, message: str) -> None:
        """Note a fault of one of this row's cells, where its value is written."""
        self.table.fault(self.place(column), column, message)


def table(book: Book, name: str, columns: Sequence[Column]) -> Table:
    """The table of ``columns`` in the sheet ``name`` of a book.

    The sheet is found by its name, or, in a book with one sheet (a CSV), by its header. Title rows
    above the header, a header of two rows, merged cells and the rest of what
    ``docs/tables.md`` lists are read and told in ``changes``; everything else is in ``faults``,
    each with its place, what is wrong and what is expected. Never raises for what a file holds.
    """
    sheet = sheet_of(book, name, columns)
    if sheet is None:
        return Table(name, faults=[Fault("", 0, "", _no_sheet(book, name))])
    found = Table(sheet.name)
    if sheet.name and sheet.name != name:
        found.changes.append(Change(sheet.name, 0, "", sheet.name, name, "工作表的名称"))
    top = _top(sheet)
    header = find_header(top, columns)
    if header is None:
        expected = "、".join(column.name for column in columns if column.needed)
        found.fault(0, "", f"没有找到表头，应有这些列：{expected}")
        return found
    found.header = header.bottom
    _tell_header(found, top, header, columns)
    _read_rows(found, sheet, header, columns)
    return found


def sheet_of(book: Book, name: str, columns: Sequence[Column]) -> Sheet | None:
    """The visible sheet of that name; else the only one, if it is a CSV or its header fits."""
    seen = [sheet for sheet in book.sheets if not sheet.hidden]
    wanted = same(name)
    exact = [sheet for sheet in seen if same(sheet.name) == wanted]
    loose = [sheet for sheet in seen if wanted in same(sheet.name)]
    for named in (exact, loose):
        if len(named) == 1:
            return named[0]
    filled = [sheet for sheet in seen if sheet.rows]
    if len(filled) != 1:
        return None
    header = find_header(_top(filled[0]), columns)
    needed = sum(column.needed for column in columns)
    fits = header is not None and 2 * len(header.places) >= needed
    return filled[0] if fits else None


def _top(sheet: Sheet) -> list[Row]:
    """The rows among which the header is looked for, with what is merged in all its cells."""
    return [line.whole() for line in islice(spread(sheet), SCANNED)]


def left_out(book: Book, names: Collection[str]) -> list[Change]:
    """What of a book was not read, for the user: hidden sheets, and sheets of another name.

    ``names`` are the sheets that were read, as the file calls them.
    """
    told = []
    for sheet in book.sheets:
        if sheet.name in names or sheet.name in (OPTIONS, GUIDE):
            continue
        if sheet.hidden:
            told.append(
                Change(sheet.name, 0, "", "隐藏的工作表", "", "没有读取；要读取请先取消隐藏")
            )
        elif sheet.rows:
            told.append(Change(sheet.name, 0, "", "其他工作表", "", "不在要读的表中，没有读取"))
    return told


def _no_sheet(book: Book, name: str) -> str:
    if any(sheet.hidden and same(sheet.name) == same(name) for sheet in book.sheets):
        return f"工作表“{name}”是隐藏的，请取消隐藏后再上传"
    there = "、".join(f"“{sheet.name}”" for sheet in book.sheets[:5] if sheet.name)
    more = f"（现有{there}）" if there else ""
    return f"文件中没有名为“{name}”的工作表{more}"


def _tell_header(
    found: Table, rows: Sequence[Row], header: Header, columns: Sequence[Column]
) -> None:
    for row in rows:
        if row.number >= header.top:
            break
        title = next((written(c).strip() for c in row.cells if not is_blank(c)), "")
        if title:
            why = "表头以上的行，不是数据"
            found.change(row.number, "", before=title, after="", why=why)
    if header.top != header.bottom:
        both = f"第 {header.top}、{header.bottom} 行"
        found.change(header.top, "", before=both, after="表头", why="两行表头合为一行")
    for column in columns:
        _tell_column(found, header, column)


def _tell_column(found: Table, header: Header, column: Column) -> None:
    place = header.places.get(column.name)
    if column.name in header.doubled:
        found.fault(header.bottom, column.name, "表头有两个这一列，请留一个")
    elif place is None and column.needed:
        near = header.nearest(column)
        mend = f"；最接近的是{near}，是同一列时请改名" if near else "，请按模板补上"
        found.fault(header.bottom, column.name, f"表头缺少这一列{mend}")
    elif place is not None and header.titles[place] != column.name:
        said = header.titles[place]
        found.change(header.bottom, column.name, before=said, after=column.name, why="列名")


def _read_rows(found: Table, sheet: Sheet, header: Header, columns: Sequence[Column]) -> None:
    asked = [(column, header.places.get(column.name, 0)) for column in columns]
    places = [place for _, place in asked if place]
    below = (line for line in spread(sheet, places) if line.row.number > header.bottom)
    footers: list[tuple[int, str]] = []
    blocks: dict[tuple[Merge, str], Reading] = {}
    for line in without_footers(below, places, footers):
        if all(is_blank(line.own(place)) for place in places):
            _tell_empty(found, line)
            continue
        found.rows.append(_row(found, sheet, line, asked, blocks))
    _tell_blocks(found, blocks)
    for number, text in footers:
        found.change(number, "", before=text, after="", why="表下的说明，不是数据")
    if sheet.hidden_rows:
        found.change(
            0, "", before=f"{sheet.hidden_rows} 个隐藏的行", after="数据", why="隐藏的行同样读取"
        )


def _tell_empty(found: Table, line: Spread) -> None:
    """A row that has something, but nowhere a column was asked for."""
    text = next((written(c).strip() for n, c in _own_cells(line) if not is_blank(c)), "")
    if text:
        found.change(line.row.number, "", before=text, after="", why="所需各列都是空的，没有读取")


def _own_cells(line: Spread) -> Iterator[tuple[int, Cell]]:
    return ((n, line.own(n)) for n in range(1, len(line.row.cells) + 1))


def _row(
    found: Table,
    sheet: Sheet,
    line: Spread,
    asked: Sequence[tuple[Column, int]],
    blocks: dict[tuple[Merge, str], Reading],
) -> TableRow:
    """``blocks`` keeps what was read of each block: its text is read, and kept, once."""
    values: dict[str, Value] = {}
    written_at: dict[str, int] = {}
    number = line.row.number
    for column, place in asked:
        cell = line.cell(place) if place else None
        block = line.block(place)
        read = blocks.get((block, column.name)) if block is not None else None
        if read is None:
            read = read_cell(cell, column, epoch_1904=sheet.epoch_1904) if place else Reading()
            if block is None or not is_blank(cell):
                at = number if block is None else block.top
                _note(found, at, column.name, written(cell), read)
        values[column.name] = read.value
        if block is not None:
            blocks[block, column.name] = read
            if block.top != number:
                written_at[column.name] = block.top
    return TableRow(found, number, values, written_at or _NOWHERE)


def _note(found: Table, number: int, column: str, cell: str, read: Reading) -> None:
    if read.wrong:
        found.fault(number, column, read.wrong)
        return
    if read.notice and len(found.notices) < MOST_TOLD:
        found.notices.append(Fault(found.sheet, number, column, read.notice))
    if read.why:
        found.change(number, column, before=cell, after=shown(read.value), why=read.why)


def _tell_blocks(found: Table, blocks: Mapping[tuple[Merge, str], Reading]) -> None:
    why = "合并的单元格，每格按同一内容读取"
    for (block, column), read in blocks.items():
        if read.value is None:
            continue
        rows = f"第 {block.top} 至 {block.bottom} 行合并"
        over = rows if block.bottom > block.top else "各列合并"
        found.change(block.top, column, before=over, after=shown(read.value), why=why)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
