"""Ladders: when, to whom and how an undecided step is raised (rule N, domain §1.9).

A ladder is data. Which rung is next follows from the due date, the calendar and the number of the
last rung that was fired; nothing is queued. A rung adds a duty and never removes the owner.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from policy.calendar import Calendar, instant_on, local_day
from policy.duration import DEFAULT_FROM, DurationKind

OFFICE_OPENS = 9
"""The hour in Shanghai at which rungs fire, on working days only."""
BLUE_DAYS, YELLOW_DAYS, RED_AFTER = 15, 3, 5
"""``warning.*`` of §1.9: calendar days before the due day, working days after it."""


class RungKind(StrEnum):
    """What a rung does. The four letters are drafted for a signature; none goes out by itself."""

    REMIND = "remind"
    DUE = "due"
    SUPERIOR = "superior"
    SUPERIOR2 = "superior2"
    LETTER_SUPERVISE = "letter_supervise"
    LETTER_GUIDE = "letter_guide"
    LETTER_REMIND = "letter_remind"
    LETTER_WARN = "letter_warn"
    DELIBERATE = "deliberate"


class Route(StrEnum):
    """Whose a rung is: the holder's, the next post up, or the case's committee's organ."""

    HOLDER = "holder"
    SUPERIOR = "superior"
    INSPECTION = "inspection"
    DISCIPLINE = "discipline"


LETTERS = {
    RungKind.LETTER_SUPERVISE,
    RungKind.LETTER_GUIDE,
    RungKind.LETTER_REMIND,
    RungKind.LETTER_WARN,
}


@dataclass(frozen=True)
class Rung:
    """One rung. ``offset`` < 0: calendar days before the due day; otherwise working days after it.

    ``undated_only``: not for a step that is due at its row's date (a task has the short reminder).
    """

    number: int
    kind: RungKind
    offset: int
    route: Route
    undated_only: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, which :meth:`from_json` reads back equal."""
        return {
            "number": self.number,
            "kind": self.kind.value,
            "offset": self.offset,
            "route": self.route.value,
            "undated_only": self.undated_only,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Rung":
        """The rung that :meth:`as_json` wrote; KeyError or ValueError for anything else."""
        kind, route = RungKind(data["kind"]), Route(data["route"])
        return Rung(data["number"], kind, data["offset"], route, data["undated_only"])


@dataclass(frozen=True)
class Ladder:
    """Rungs in the order of their numbers. ``label`` and ``legal_basis`` are for the rules page."""

    key: str
    rungs: tuple[Rung, ...]
    legal_basis: str
    label: str
    effective_from: date = DEFAULT_FROM

    def __post_init__(self) -> None:
        numbers = [rung.number for rung in self.rungs]
        if numbers != sorted(set(numbers)) or (numbers and numbers[0] < 1):
            raise ValueError(f"the rungs of {self.key} are not numbered upwards from 1: {numbers}")

    def for_due(self, kind: DurationKind) -> "Ladder":
        """The ladder as it applies to a step whose deadline is of this kind."""
        if kind is not DurationKind.ROW:
            return self
        return replace(self, rungs=tuple(r for r in self.rungs if not r.undated_only))

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, which :meth:`from_json` reads back equal."""
        return {
            "key": self.key,
            "rungs": [rung.as_json() for rung in self.rungs],
            "legal_basis": self.legal_basis,
            "label": self.label,
            "effective_from": self.effective_from.isoformat(),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Ladder":
        """The ladder that :meth:`as_json` wrote; KeyError or ValueError for anything else."""
        rungs = tuple(Rung.from_json(rung) for rung in data["rungs"])
        since = date.fromisoformat(data["effective_from"])
        return Ladder(data["key"], rungs, data["legal_basis"], data["label"], since)


def rung_at(
    rung: Rung, due_on: date, calendar: Calendar, opened_on: date | None = None
) -> datetime:
    """The UTC instant of a rung: nine o'clock of a working day in Shanghai.

    A reminder: on the day so many calendar days before ``due_on``, or the working day before it.
    Later rungs: once so many whole working days were late, that is on the ``offset + 1``-th
    working day after ``due_on``; after ``opened_on`` for a step that opened when it was late
    already, so that nobody is raised for what they could not yet do.
    """
    if rung.offset < 0:
        day = calendar.working_on_or_before(due_on + timedelta(days=rung.offset))
    else:
        day = calendar.add_working_days(max(due_on, opened_on or due_on), rung.offset + 1)
    return instant_on(day, OFFICE_OPENS)


def rungs_from(
    ladder: Ladder, due_on: date, calendar: Calendar, fired: int, opened_at: datetime
) -> Iterator[tuple[Rung, datetime]]:
    """The rungs numbered above ``fired`` with their instants, in order.

    A step is reminded once: by the first reminder that lies after the day it opened; the others
    are left out (−15 days of a step of five working days).
    """
    opened_on, reminded = local_day(opened_at), False
    for rung in ladder.rungs:
        at = rung_at(rung, due_on, calendar, opened_on)
        if rung.kind is RungKind.REMIND:
            if reminded or local_day(at) <= opened_on:
                continue
            reminded = True
        if rung.number > fired:
            yield rung, at


def next_rung(
    ladder: Ladder, due_on: date, calendar: Calendar, fired: int, opened_at: datetime
) -> tuple[Rung, datetime] | None:
    """The next rung and its instant, which may lie in the past; None after the last one.

    ``fired`` is the number of the last rung that was fired under this deadline, 0 for none.
    """
    return next(rungs_from(ladder, due_on, calendar, fired, opened_at), None)


@dataclass(frozen=True, slots=True)
class Climb:
    """What is to be done with an undecided step now.

    ``acting`` is the one rung that acts, None if none is due; ``overtaken`` were due as well but
    missed (an outage): they are recorded and stay silent. ``next_at`` is when to look again.
    """

    overtaken: tuple[Rung, ...]
    acting: Rung | None
    next_at: datetime | None


def climb(
    ladder: Ladder,
    due_on: date,
    calendar: Calendar,
    fired: int,
    opened_at: datetime,
    *,
    now: datetime,
) -> Climb:
    """Which rung acts at ``now``: of all that are due, the last one, so that no storm follows."""
    coming = list(rungs_from(ladder, due_on, calendar, fired, opened_at))
    due = [rung for rung, at in coming if at <= now]
    next_at = coming[len(due)][1] if len(due) < len(coming) else None
    return Climb(tuple(due[:-1]), due[-1] if due else None, next_at)


def urgency(due_on: date, now: datetime, calendar: Calendar) -> str:
    """The colour of an undecided step: ``none``, ``blue``, ``yellow`` or ``red`` (warning.*)."""
    today = local_day(now)
    if today > due_on:
        late = calendar.working_days_between(due_on, today)
        return "red" if late > RED_AFTER else "yellow"
    left = (due_on - today).days
    if left <= YELLOW_DAYS:
        return "yellow"
    return "blue" if left <= BLUE_DAYS else "none"
