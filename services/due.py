"""When a step is due, as people read it: the day, the colour, and working days left."""

from dataclasses import dataclass
from datetime import date, datetime

from policy.calendar import Calendar, local_day
from policy.deadline import due_day
from policy.ladder import urgency

PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Due:
    """``left`` counts working days: 0 is today, below 0 is late. ``level`` is a colour or none, or
    ``paused``: the clock stands (暂停), and ``left`` is what was left when it was stopped."""

    on: date
    provisional: bool
    level: str
    left: int


def due_of(
    due_at: datetime | None,
    provisional: bool,
    now: datetime,
    calendar: Calendar,
    paused_at: datetime | None = None,
) -> Due | None:
    """The due date of an undecided step, or None for a step without a deadline.

    ``paused_at``: since when its clock stands; None: it runs.
    """
    if due_at is None:
        return None
    on, at = due_day(due_at), paused_at or now
    left = calendar.working_days_between(local_day(at), on)
    level = urgency(on, at, calendar) if paused_at is None else PAUSED
    return Due(on, provisional, level, min(left, -1) if due_at <= at else left)
