"""Spans of days, from a first day until the day before ``ends_on`` (None: without an end)."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple


class Days(NamedTuple):
    """``starts_on ≤ day < ends_on``."""

    starts_on: date
    ends_on: date | None = None


def uncovered(wanted: Days, taken: Iterable[Days]) -> list[Days]:
    """The parts of a span, in order, that none of the others covers; empty spans cover nothing."""
    left: list[Days] = []
    start = wanted.starts_on
    for other in sorted(
        (one for one in taken if not _ended(one, one.starts_on)), key=lambda one: one.starts_on
    ):
        if _ended(wanted, start) or not _before(other.starts_on, wanted.ends_on):
            break
        if other.starts_on > start:
            left.append(Days(start, other.starts_on))
        if other.ends_on is None:
            return left
        start = max(start, other.ends_on)
    if not _ended(wanted, start):
        left.append(Days(start, wanted.ends_on))
    return left


def _ended(span: Days, day: date) -> bool:
    return span.ends_on is not None and span.ends_on <= day


def _before(day: date, end: date | None) -> bool:
    return end is None or day < end
