"""Where the table of a sheet begins: its header of one row or two, below whatever titles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from documents.book import Cell, Row
from documents.cells import same, written
from documents.column import Column

SCANNED = 30
"""How many rows that hold something may stand above the header, and it still be found."""
_NEAR = 0.4
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Header:
    """The rows of a header, and where each column stands, counted from 1.

    ``titles`` gives the text of each column of the header as the sheet has it.
    """

    top: int
    bottom: int
    places: Mapping[str, int]
    doubled: tuple[str, ...]
    titles: Mapping[int, str]

    def nearest(self, column: Column) -> str:
        """``“牵头单位”（F 列）``: of the titles no column was found for the nearest; or ``""``."""
        free = {n: t for n, t in self.titles.items() if n not in self.places.values()}
        wanted = same(column.name)
        scored = [
            (SequenceMatcher(None, wanted, same(title), autojunk=False).ratio(), -place, title)
            for place, title in free.items()
        ]
        score, place, title = max(scored, default=(0.0, 0, ""))
        return f"“{title}”（{letters(-place)} 列）" if score >= _NEAR else ""


def find_header(rows: Sequence[Row], columns: Sequence[Column]) -> Header | None:
    """The row, or two rows, that have the most of the columns; None when none has any.

    ``rows`` are those of the sheet with what is merged spread over them.
    """
    needed = {column.name for column in columns if column.needed}

    def rank(header: Header) -> tuple[int, int, int, int]:
        lines = header.bottom - header.top
        known = len(needed & header.places.keys())
        return known, len(header.places), -lines, -header.top

    found = [header for header in _candidates(rows, columns) if header.places or header.doubled]
    return max(found, key=rank, default=None)


def _candidates(rows: Sequence[Row], columns: Sequence[Column]) -> Iterator[Header]:
    for place, row in enumerate(rows):
        yield _header(row, row, columns)
        if place + 1 < len(rows) and rows[place + 1].number == row.number + 1:
            yield _header(row, rows[place + 1], columns)


def _header(top: Row, bottom: Row, columns: Sequence[Column]) -> Header:
    width = max(len(top.cells), len(bottom.cells))
    titles: dict[int, str] = {}
    keys: list[tuple[int, tuple[str, ...]]] = []
    for place in range(1, width + 1):
        above, below = _title(top.cell(place)), _title(bottom.cell(place))
        title = below or above
        if title:
            titles[place] = title
            keys.append((place, (same(title), same(above) if not below else same(above + below))))
    places: dict[str, int] = {}
    doubled = []
    for column in columns:
        at = _places(column, keys)
        if len(at) == 1:
            places[column.name] = at[0]
        elif at:
            doubled.append(column.name)
    return Header(top.number, bottom.number, places, tuple(doubled), titles)


def _title(cell: Cell) -> str:
    """The text of a cell that may name a column; a long one is none."""
    text = written(cell).strip()
    return text if len(text) <= _LONGEST else ""


def _places(column: Column, keys: Sequence[tuple[int, tuple[str, ...]]]) -> list[int]:
    """Where the header has the column's own name, or, if nowhere, another name of it."""
    for name in (column.name, *column.also):
        wanted = same(name)
        for which in (0, 1):
            at = [place for place, known in keys if known[which] == wanted]
            if at:
                return at
    return []


def letters(column: int) -> str:
    """A column as the spreadsheet names it: 1 is A, 27 is AA."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
