"""One sheet of an .xlsx, read as a stream: what is only formatted costs no memory."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from math import isfinite

from documents.book import Cell, Merge, NoValue, Row, Sheet, Unreadable
from documents.package import broken, parse

MOST_ROWS = 100_000
MOST_COLUMNS = 200
MOST_CELLS = 1_000_000
MOST_TEXT = 24_000_000
MOST_MERGES = 100_000
LAST_ROW = 1_048_576
"""The last row a spreadsheet has."""
NO_RESULT = "公式没有保存计算结果，请用 Excel 打开文件、保存后再上传，或者改为直接填写的值"
_PIECE = 16
_KEPT_ONCE = 50_000
"""Of how many texts of cells is known that they were there before."""
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_BLANK_CELL = re.compile(rb'<c r="[A-Z]{1,3}[0-9]{1,7}"(?: [a-z]{1,2}="[0-9a-z]*")* ?/>')
_BLANK_ROW = re.compile(rb'<row r="[0-9]{1,7}"[^<>]*(?:/>|></row>)')
_EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001
"""Day numbers carry no zone. 1899-12-30: Excel counts a 29 February 1900 that never was."""
_LAST_DAY = 2_958_465
_MIDNIGHT = time()


@dataclass(slots=True)
class Budget:
    """What a whole file may still keep in memory."""

    cells: int = MOST_CELLS
    letters: int = MOST_TEXT
    merges: int = MOST_MERGES

    def cell(self, count: int = 1) -> None:
        """Count a cell with the empty ones before it, or a common text."""
        self.cells -= count
        if self.cells < 0:
            raise Unreadable(f"文件超过 {MOST_CELLS // 10_000} 万个有内容的单元格，请分成几个文件")

    def text(self, text: str) -> None:
        """Count the letters of a piece of text, and what the piece itself takes."""
        self.letters -= len(text) + _PIECE
        if self.letters < 0:
            raise Unreadable(f"文件中的文字超过 {MOST_TEXT // 10_000} 万字，请分成几个文件")

    def merge(self) -> None:
        """Count a merged block."""
        self.merges -= 1
        if self.merges < 0:
            raise Unreadable(f"文件中合并的单元格超过 {MOST_MERGES // 10_000} 万处，请取消合并")


@dataclass(frozen=True, slots=True)
class Source:
    """What the cells of all sheets refer to."""

    strings: list[str]
    styles: list[bool | None]
    epoch_1904: bool
    texts: dict[str, str] = field(default_factory=dict)
    """Texts that stand in cells themselves (some programs write no common ones), each kept once."""


def read_sheet(name: str, pieces: Iterator[bytes], source: Source, budget: Budget) -> Sheet:
    """The rows of a sheet that hold something. :class:`Unreadable` beyond the bounds."""
    reader = _Reader(source, budget)
    parse(_without_blanks(pieces), reader.start, reader.end, reader.text)
    return Sheet(
        name, reader.rows, reader.merges, hidden_rows=reader.hidden, epoch_1904=source.epoch_1904
    )


def _without_blanks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The XML without what is only formatted: ten million such cells cost seconds, not a minute.

    Where cells or rows do not say their place, their number counts, and all are left.
    """
    for piece in pieces:
        placed = piece.count(b"<c ") == piece.count(b'<c r="') and b"<c>" not in piece
        if placed and b"<c/" not in piece and b"<!" not in piece:
            piece = _BLANK_CELL.sub(b"", piece)
            if b"<row>" not in piece and b"<row/" not in piece:
                piece = _BLANK_ROW.sub(b"", piece)
        yield piece


@dataclass(slots=True)
class _Reader:
    source: Source
    budget: Budget
    rows: list[Row] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    hidden: int = 0
    _row: int = 0
    _column: int = 0
    _row_hidden: bool = False
    _cells: list[Cell] = field(default_factory=list)
    _kind: str = "n"
    _style: str = "0"
    _part: str = ""
    """The element whose text belongs to the cell: v, t (of an inline text) or f; else empty."""
    _value: list[str] = field(default_factory=list)
    _formula: bool = False
    _valued: bool = False
    """A ``v`` was there, be it empty: a formula may well give an empty text."""
    _reading: bool = False
    """Inside ``rPh``, whose text is a reading and no value."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "c":
            self._open_cell(attributes)
        elif tag == "row":
            self._open_row(attributes)
        elif tag in ("v", "t"):
            self._part, self._valued = tag, True
        elif tag == "f":
            self._part, self._formula = tag, True
        elif tag == "rPh":
            self._reading = True
        elif tag == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def text(self, text: str) -> None:
        if self._part in ("v", "t") and not self._reading:
            self.budget.text(text)
            self._value.append(text)

    def end(self, tag: str) -> None:
        if tag == "c":
            if self._value or self._formula:
                self._close_cell()
        elif tag == "row":
            self._close_row()
        elif tag in ("v", "t", "f"):
            self._part = ""
        elif tag == "rPh":
            self._reading = False

    def _open_row(self, attributes: Mapping[str, str]) -> None:
        said = attributes.get("r")
        number = self._row + 1 if said is None else _whole(said)
        if not self._row < number <= LAST_ROW:
            raise broken()
        self._row = number
        self._column = 0
        self._row_hidden = attributes.get("hidden", "0") in ("1", "true")
        self._cells = []

    def _open_cell(self, attributes: Mapping[str, str]) -> None:
        said = attributes.get("r")
        self._column = self._column + 1 if said is None else place(said)[1]
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "0")
        if self._value:
            self._value = []
        self._formula = self._valued = False

    def _close_cell(self) -> None:
        value = self._cell("".join(self._value))
        self._value = []
        if value is None or value == "":
            return
        if self._column > MOST_COLUMNS:
            raise Unreadable(f"工作表超过 {MOST_COLUMNS} 列，请删去无关内容")
        missing = self._column - len(self._cells)
        if missing < 1:  # a cell twice, or out of order
            raise broken()
        self.budget.cell(missing)
        self._cells.extend([None] * missing)
        self._cells[-1] = value

    def _close_row(self) -> None:
        if not self._cells:
            return
        if len(self.rows) >= MOST_ROWS:
            raise Unreadable(f"工作表有内容的行超过 {MOST_ROWS // 10_000} 万行，请分成几个文件")
        self.rows.append(Row(self._row, self._cells))
        self.hidden += self._row_hidden
        self._cells = []

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        self.budget.merge()
        top, left = place(first)
        bottom, right = place(last or first)
        self.merges.append(Merge(top, left, bottom, right))

    def _cell(self, text: str) -> Cell:
        kind = self._kind
        if kind == "s":
            return self._shared(text)
        if kind in ("str", "inlineStr"):
            if self._formula and not self._valued:
                return NoValue(NO_RESULT)
            return self._once(unescaped(text))
        if not text.strip():
            return NoValue(NO_RESULT) if self._formula else None
        if kind == "e":
            return NoValue(f"公式的结果是错误（{text[:10]}），请改正公式，或者改为直接填写的值")
        if kind == "b":
            return text.strip() == "1"
        if kind == "d":
            return _iso(text)
        return self._number(text)

    def _once(self, text: str) -> str:
        texts = self.source.texts
        return texts.setdefault(text, text) if len(texts) < _KEPT_ONCE else texts.get(text, text)

    def _shared(self, text: str) -> str:
        place = _whole(text.strip())
        if place >= len(self.source.strings):
            raise broken()
        return self.source.strings[place]

    def _number(self, text: str) -> Cell:
        try:
            number = float(text)
        except ValueError:
            raise broken() from None
        if not isfinite(number):
            raise broken()
        style = _whole(self._style)
        styles = self.source.styles
        shows = styles[style] if style < len(styles) else None
        if shows is None:
            return int(number) if number.is_integer() and abs(number) < 1e18 else number
        moment = moment_of(number, epoch_1904=self.source.epoch_1904)
        if moment is None:
            return number
        if not shows:
            return moment.time() if number < 1 else moment
        return moment.date() if moment.time() == _MIDNIGHT else moment


def unescaped(text: str) -> str:
    """A text with Excel's ``_x000D_`` turned into the characters they stand for."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def moment_of(number: float, *, epoch_1904: bool) -> datetime | None:
    """What a day number means, to the second; None beyond what spreadsheets show."""
    if not 0 <= number <= _LAST_DAY:
        return None
    seconds = round(number * 86_400)
    return _EPOCHS[epoch_1904] + timedelta(seconds=seconds)


def place(reference: str) -> tuple[int, int]:
    """Row and column of a reference like ``B7``, counted from 1."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise broken()
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    row = int(found[2])
    if not 1 <= row <= LAST_ROW:
        raise broken()
    return row, column


def _iso(text: str) -> Cell:
    """A date as ISO 8601 writes it (``t="d"``)."""
    try:
        moment = datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise broken() from None
    whole: date = moment.date()
    return whole if moment.time() == _MIDNIGHT else moment


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise broken()
    return int(text)
