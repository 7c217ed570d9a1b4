"""A file as it was read: sheets of cells, before anybody asks what they mean."""

from dataclasses import dataclass
from datetime import date, datetime, time


class Unreadable(ValueError):
    """The file is none that we read; the message is Chinese and says what to do instead."""


@dataclass(frozen=True, slots=True)
class NoValue:
    """A cell that holds something of which no value can be read; ``why`` is Chinese.

    A formula that was saved without its result, or one whose result is an error.
    """

    why: str


Cell = str | int | float | bool | date | datetime | time | NoValue | None
"""A cell's value; None where nothing is in it."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged block: first and last row and column, both counted from 1, ends included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row that holds something; ``number`` as the spreadsheet shows it, cells from column A."""

    number: int
    cells: list[Cell]

    def cell(self, column: int) -> Cell:
        """The cell in a column, counted from 1; None where the row ends before."""
        return self.cells[column - 1] if column <= len(self.cells) else None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: the rows that hold something, and what is merged.

    ``name`` is empty for the one sheet of a CSV. The rows of a hidden sheet are not read.
    """

    name: str
    rows: list[Row]
    merges: list[Merge]
    hidden: bool = False
    hidden_rows: int = 0
    """How many of ``rows`` the sheet hides (by a filter, say). They are read like the others."""
    epoch_1904: bool = False
    """Day numbers count from 1904 (old Macintosh files), not from 1900."""


@dataclass(frozen=True, slots=True)
class Book:
    """A file: its sheets in their order; a CSV has one."""

    sheets: list[Sheet]
