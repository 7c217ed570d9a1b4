"""Both on-time rates (design §6): by the first date of a task, and by the one that holds now.

An extension moves the second date only, so that neither hides the other. Late work that was done
stays late; work that is not due yet counts in neither.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Dated:
    """A task in force. ``done`` is the day its lead unit reported it, None: it has not."""

    original: date
    due: date
    done: date | None


@dataclass(frozen=True, slots=True)
class OnTime:
    """``by_original`` of ``of_original`` tasks were in time by their first dates; and by today's.

    The two are out of different numbers: a task that was extended may not be due yet by the second.
    """

    by_original: int
    of_original: int
    by_current: int
    of_current: int


def on_time(tasks: Iterable[Dated], today: date) -> OnTime:
    """Of the tasks that are done or whose day is over, how many were done by it."""
    found = list(tasks)
    first = [(task.original, task.done) for task in found]
    present = [(task.due, task.done) for task in found]
    return OnTime(_kept(first), _counted(first, today), _kept(present), _counted(present, today))


def _kept(tasks: Iterable[tuple[date, date | None]]) -> int:
    return sum(done is not None and done <= due for due, done in tasks)


def _counted(tasks: Iterable[tuple[date, date | None]], today: date) -> int:
    return sum(done is not None or due < today for due, done in tasks)
