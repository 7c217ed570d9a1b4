"""An .xlsx as a book: which sheets there are, their common texts, and which cells are dates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import join, normpath

from documents.book import Book, Sheet, Unreadable
from documents.package import MOST_PARTS, Package, parse
from documents.xlsx_sheet import Budget, Source, read_sheet, unescaped

MOST_SHEETS = 100
_WORKBOOK = "xl/workbook.xml"
_MOST_STYLES = 70_000
_DATES = frozenset((*range(14, 18), 22, *range(27, 32), 34, 35, 36, *range(50, 59)))
_TIMES = frozenset((*range(18, 22), 32, 33, 45, 46, 47))
"""Built-in number formats that show dates, and times without a date (ECMA-376 18.8.30)."""
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')


def read_xlsx(data: bytes) -> Book:
    """The visible sheets of an .xlsx with their values; hidden ones by name only.

    Formulas are not calculated: the value that was saved with them is read.
    """
    package = Package(data)
    contents = _Contents()
    if _WORKBOOK not in package.names:
        raise Unreadable("这不是 Excel 工作簿（.xlsx），可能是 Word 或其他文件")
    parse(package.pieces(_WORKBOOK), contents.start, _nothing)
    targets = _targets(package)
    budget = Budget()
    strings = _strings(package, budget)
    styles = _styles(package)
    source = Source(strings, styles, contents.epoch_1904)
    sheets = [_sheet(package, budget, source, entry, targets) for entry in contents.sheets]
    return Book([sheet for sheet in sheets if sheet is not None])


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    relation: str
    hidden: bool


@dataclass(slots=True)
class _Contents:
    """``workbook.xml``: the sheets and the epoch."""

    sheets: list[_Entry] = field(default_factory=list)
    epoch_1904: bool = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sheet":
            if len(self.sheets) == MOST_SHEETS:
                raise Unreadable(f"文件中的工作表超过 {MOST_SHEETS} 张，请删去无关的工作表")
            relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append(_Entry(attributes.get("name", ""), relation, hidden))
        elif tag == "workbookPr":
            self.epoch_1904 = attributes.get("date1904", "0") in ("1", "true")


def _sheet(
    package: Package, budget: Budget, source: Source, entry: _Entry, targets: Mapping[str, str]
) -> Sheet | None:
    """None for what is no sheet of cells (a chart on a page of its own)."""
    part = targets.get(entry.relation)
    if part is None:
        return None
    if entry.hidden:
        return Sheet(entry.name, [], [], hidden=True)
    if part.lower() not in package.names:
        raise Unreadable("文件不完整：缺少工作表的内容，请用 Excel 打开后另存为 .xlsx")
    return read_sheet(entry.name, package.pieces(part), source, budget)


def _targets(package: Package) -> dict[str, str]:
    """The parts of the sheets of cells, by the id that the workbook names them with."""
    found: dict[str, str] = {}

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        kind = attributes.get("Type", "")
        if tag == "Relationship" and kind.endswith("/worksheet") and len(found) < MOST_PARTS:
            target = attributes.get("Target", "")
            part = target.lstrip("/") if target.startswith("/") else join("xl", target)
            found[attributes.get("Id", "")] = normpath(part)

    parse(package.pieces("xl/_rels/workbook.xml.rels"), start, _nothing)
    return found


def _strings(package: Package, budget: Budget) -> list[str]:
    """The shared texts of a workbook, in their order."""
    shared = _Shared(budget)
    parse(package.pieces("xl/sharedStrings.xml"), shared.start, shared.end, shared.text)
    return shared.texts


@dataclass(slots=True)
class _Shared:
    """``sharedStrings.xml``; the readings (拼音、ふりがな) beside a text are left out."""

    budget: Budget
    texts: list[str] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)
    _wanted: bool = False
    _reading: bool = False

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        if tag == "t":
            self._wanted = not self._reading
        elif tag == "rPh":
            self._reading = True

    def text(self, more: str) -> None:
        if self._wanted:
            self.budget.text(more)
            self._pieces.append(more)

    def end(self, tag: str) -> None:
        if tag == "si":
            self.budget.cell()
            self.texts.append(unescaped("".join(self._pieces)))
            self._pieces.clear()
        elif tag == "t":
            self._wanted = False
        elif tag == "rPh":
            self._reading = False


def _styles(package: Package) -> list[bool | None]:
    """For each cell format: True shows a date, False a time of day, None anything else."""
    formats: dict[int, bool | None] = dict.fromkeys(_DATES, True)
    formats.update(dict.fromkeys(_TIMES, False))
    styles: list[bool | None] = []
    inside = {"cellXfs": False}

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag in inside:
            inside[tag] = True
        elif tag == "numFmt" and len(formats) < _MOST_STYLES:
            formats[_whole(attributes.get("numFmtId"))] = _shows(attributes.get("formatCode", ""))
        elif tag == "xf" and inside["cellXfs"] and len(styles) < _MOST_STYLES:
            styles.append(formats.get(_whole(attributes.get("numFmtId"))))

    def end(tag: str) -> None:
        if tag in inside:
            inside[tag] = False

    parse(package.pieces("xl/styles.xml"), start, end)
    return styles


def _shows(code: str) -> bool | None:
    letters = set(_QUOTED.sub("", code.partition(";")[0]).lower())
    if letters & set("yd") or ("m" in letters and not letters & set("hs")):
        return True
    return False if letters & set("hs") else None


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0


def _nothing(_tag: str) -> None:
    """For parts whose elements need no end."""
