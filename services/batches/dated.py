"""Rows from a day until another, those of a file beside those that are there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policy.terms import Term, clashes


@dataclass(frozen=True, slots=True)
class Dated:
    """A term of something of which there is one at a time; ``row`` 0: it is there already."""

    term: Term
    row: int
    label: str

    @property
    def place(self) -> str:
        """Where a fault says it stands."""
        return f"第 {self.row} 行" if self.row else "现有"


def overlapping(terms: Sequence[Dated]) -> Iterator[tuple[Dated, Dated]]:
    """(row of the file, the other) that share a day; what was so before is no fault of a file."""
    for one, other in clashes([dated.term for dated in terms]):
        later, earlier = sorted((terms[one], terms[other]), key=lambda d: d.row, reverse=True)
        if later.row:
            yield later, earlier
