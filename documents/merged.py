"""What is merged, spread over its block: an office writes once what is true of several rows.

A block may cover a million rows and two hundred columns in a file of a kilobyte. So nothing is
copied into the rows: each knows what covers it, and rows below one block share that knowledge.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from documents.book import Cell, Merge, Row, Sheet
from documents.xlsx_sheet import MOST_COLUMNS

_Covered = Mapping[int, tuple[Merge, Cell]]
"""By column: the block that covers a cell, and the value of the block."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A row under what is merged; ``covered`` leaves out the cell where a block is written."""

    row: Row
    covered: _Covered = field(default_factory=dict)

    def cell(self, column: int) -> Cell:
        """The cell in a column, with the value of its block where one covers it."""
        found = self.covered.get(column)
        return self.row.cell(column) if found is None else found[1]

    def own(self, column: int) -> Cell:
        """What the cell itself holds, None where a block covers it."""
        return None if column in self.covered else self.row.cell(column)

    def block(self, column: int) -> Merge | None:
        """The block that covers the cell."""
        found = self.covered.get(column)
        return None if found is None else found[0]

    def whole(self) -> Row:
        """The row with what is merged copied into it: for the few rows around a header."""
        width = max(len(self.row.cells), *self.covered, 0)
        return Row(self.row.number, [self.cell(column) for column in range(1, width + 1)])


def spread(sheet: Sheet, only: Collection[int] | None = None) -> Iterator[Spread]:
    """The rows of a sheet that hold something, with the value of each block in all its cells.

    ``only`` are the columns that are asked for; by default all.
    """
    blocks = iter(sorted(sheet.merges, key=lambda block: block.top))
    following = next(blocks, None)
    active: dict[int, tuple[Merge, Cell]] = {}
    below: _Covered = {}
    until = 0
    """``below`` is what covers every row up to this one, unless a block begins before it."""
    for row in sheet.rows:
        begins = False
        while following is not None and following.top <= row.number:
            value = row.cell(following.left) if following.top == row.number else None
            for column in _columns(following, only):
                active[column] = (following, value)
                begins = True
            following = next(blocks, None)
        if begins or row.number > until:
            below, covered, until = _cover(row.number, active)
        else:
            covered = below
        yield Spread(row, covered)


def _cover(number: int, active: dict[int, tuple[Merge, Cell]]) -> tuple[_Covered, _Covered, int]:
    """What covers the rows below, what covers this one, and the last row of which that is so."""
    for column in [column for column, (block, _) in active.items() if block.bottom < number]:
        del active[column]
    below = dict(active)
    covered = {
        column: found
        for column, found in active.items()
        if (found[0].top, found[0].left) != (number, column)
    }
    until = min((block.bottom for block, _ in active.values()), default=1 << 30)
    return below, below if len(covered) == len(below) else covered, until


def _columns(block: Merge, only: Collection[int] | None) -> Collection[int]:
    columns = range(block.left, min(block.right, MOST_COLUMNS) + 1)
    return columns if only is None else [column for column in only if column in columns]
