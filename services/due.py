"""When a step is due, as people read it: the day, the colour, and working days left."""

from dataclasses import dataclass
from datetime import date, datetime

from policy.calendar import Calendar, local_day
from policy.deadline import due_day
from policy.ladder import urgency


@dataclass(frozen=True, slots=True)
class Due:
    """``left`` counts working days: 0 is today, below 0 is late. ``level`` is a colour or none."""

    on: date
    provisional: bool
    level: str
    left: int


def due_of(
    due_at: datetime | None, provisional: bool, now: datetime, calendar: Calendar
) -> Due | None:
    """The due date of an undecided step, or None for a step without a deadline."""
    if due_at is None:
        return None
    on = due_day(due_at)
    left = calendar.working_days_between(local_day(now), on)
    return Due(
        on, provisional, urgency(on, now, calendar), min(left, -1) if due_at <= now else left
    )
