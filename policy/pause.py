"""暂停: for which reasons, until when at most, and how far it moves a deadline (CK-19).

While a case or a branch is paused its clocks stand. What stood is counted in the unit of each
deadline: working days where it counts these, otherwise calendar days.
"""

from datetime import date, timedelta
from enum import StrEnum

from policy.calendar import Calendar
from policy.duration import DurationKind

LONGEST = timedelta(days=366)
"""From today to the day it is looked at again. 本系统建议值，无上位依据."""
ASKED_AGAIN = timedelta(days=7)
"""Who paused is asked once more after so long without an answer. 本系统建议值，无上位依据."""
_ROLLED = {DurationKind.DAYS, DurationKind.MONTHS}
"""Such deadlines end on a working day, also after they were moved."""


class PauseKind(StrEnum):
    """Why the clocks of a case may stand (CK-19). An appeal suspends no decision that was made: it
    is a person who pauses, for what that decision still needs."""

    APPEAL = "appeal"
    """申诉."""
    REORGANISATION = "reorganisation"
    """机构调整."""


def may_pause_until(review_on: date, today: date) -> bool:
    """Whether this day may be set for looking at a pause again."""
    return today < review_on <= today + LONGEST


def stood_days(kind: DurationKind, since: date, until: date, calendar: Calendar) -> int:
    """How many days of its own unit a deadline of this kind stood, from a day to another one."""
    if kind is DurationKind.WORKING_DAYS:
        return calendar.working_days_between(since, until)
    return (until - since).days


def moved_by(kind: DurationKind, due_on: date, stood: int, calendar: Calendar) -> date:
    """The day a deadline ends on that stood so many days of its unit; ``due_on`` without a pause.

    ``stood`` is all that stood under ``due_on``, not only the last pause: rolled onto a working
    day once, a date gains nothing by being paused in many short pauses.
    """
    if not stood:
        return due_on
    if kind is DurationKind.WORKING_DAYS:
        return calendar.add_working_days(due_on, stood)
    moved = due_on + timedelta(days=stood)
    return calendar.working_on_or_after(moved) if kind in _ROLLED else moved
