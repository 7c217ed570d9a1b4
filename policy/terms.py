"""Terms from a day until the day before another: whether they are right, and which overlap."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

FURTHEST = timedelta(days=366)
"""How far ahead a term may begin: what is typed further ahead is a mistyped year."""


@dataclass(frozen=True, slots=True)
class Term:
    """From ``starts_on`` until the day before ``ends_on``; None: until further notice."""

    starts_on: date
    ends_on: date | None = None

    @property
    def reversed(self) -> bool:
        """Whether it ends before it has begun, or on the day it begins."""
        return self.ends_on is not None and self.ends_on <= self.starts_on

    def ends_after(self, day: date) -> bool:
        """Whether it has not ended on that day."""
        return self.ends_on is None or self.ends_on > day


def clashes(terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Places (earlier, later) of terms that share a day: each later term at most once.

    The earlier of a pair is the one that lasts longest of those begun before; of two that begin on
    one day the first in the sequence is the earlier. A reversed term shares no day.
    """
    lasting: int | None = None
    for place in sorted(range(len(terms)), key=lambda n: (terms[n].starts_on, n)):
        term = terms[place]
        if term.reversed:
            continue
        if lasting is not None and terms[lasting].ends_after(term.starts_on):
            yield lasting, place
        if lasting is None or _outlasts(term, terms[lasting]):
            lasting = place


def _outlasts(one: Term, other: Term) -> bool:
    if other.ends_on is None:
        return False
    return one.ends_on is None or one.ends_on > other.ends_on
