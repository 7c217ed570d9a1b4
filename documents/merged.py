"""What is merged, spread over its block: an office writes once what is true of several rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from documents.book import Cell, Merge, Row, Sheet
from documents.xlsx_sheet import MOST_COLUMNS


@dataclass(frozen=True, slots=True)
class Spread:
    """A row with what is merged filled in; ``source`` gives the block of each filled cell."""

    row: Row
    source: Mapping[int, Merge] = field(default_factory=dict)

    def own(self, column: int) -> Cell:
        """What the cell itself holds, None where a block covers it."""
        return None if column in self.source else self.row.cell(column)


def spread(sheet: Sheet) -> Iterator[Spread]:
    """The rows of a sheet that hold something, with the value of each block in all its cells."""
    blocks = iter(sorted(sheet.merges, key=lambda block: block.top))
    following = next(blocks, None)
    active: dict[int, tuple[Merge, Cell]] = {}
    for row in sheet.rows:
        while following is not None and following.top <= row.number:
            value = row.cell(following.left) if following.top == row.number else None
            for column in _columns(following):
                active[column] = (following, value)
            following = next(blocks, None)
        yield _filled(row, active)


def _filled(row: Row, active: dict[int, tuple[Merge, Cell]]) -> Spread:
    source: dict[int, Merge] = {}
    cells = row.cells
    for column, (block, _) in list(active.items()):
        if block.bottom < row.number:
            del active[column]
        elif (row.number, column) != (block.top, block.left):
            source[column] = block
    if not source:
        return Spread(row)
    cells = cells + [None] * (max(source) - len(cells))
    for column in source:
        cells[column - 1] = active[column][1]
    return Spread(Row(row.number, cells), source)


def _columns(block: Merge) -> Iterable[int]:
    return range(block.left, min(block.right, MOST_COLUMNS) + 1)
