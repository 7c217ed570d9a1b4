"""From a duration and an opening to the one due date of a step (CK-19)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from policy.calendar import Calendar, instant_on, local_day
from policy.duration import Duration, DurationKind


@dataclass(frozen=True)
class Deadline:
    """``on`` is the last day in time; ``due_at`` the instant it ends in Shanghai, in UTC.

    ``provisional``: working days beyond the calendar's horizon were counted, so that publishing
    the next year's calendar may move it. A row's date and a fixed date are never provisional.
    """

    due_at: datetime
    on: date
    provisional: bool


def deadline(
    duration: Duration, opened_at: datetime, calendar: Calendar, row_date: date | None = None
) -> Deadline:
    """When a step opened at ``opened_at`` is due; the day of opening is not counted.

    Days and months that end on a day off end on the next working day; 31 January + 1 month is
    the last day of February. ValueError for a ``row`` duration without its ``row_date``.
    """
    return _at(_due_on(duration, local_day(opened_at), calendar, row_date), duration, calendar)


def due_day(due_at: datetime) -> date:
    """The last day in time of a step whose ``due_at`` was stored."""
    return local_day(due_at - timedelta(seconds=1))


def _at(on: date, duration: Duration, calendar: Calendar) -> Deadline:
    dated = duration.kind in {DurationKind.ROW, DurationKind.FIXED}
    return Deadline(
        due_at=instant_on(on + timedelta(days=1)),
        on=on,
        provisional=not dated and calendar.is_provisional(on),
    )


def _due_on(duration: Duration, opened: date, calendar: Calendar, row_date: date | None) -> date:
    match duration.kind:
        case DurationKind.WORKING_DAYS:
            return calendar.add_working_days(opened, duration.amount)
        case DurationKind.DAYS:
            return calendar.working_on_or_after(opened + timedelta(days=duration.amount))
        case DurationKind.MONTHS:
            return calendar.working_on_or_after(opened + relativedelta(months=duration.amount))
        case DurationKind.FIXED:
            return _next(duration.day, opened)
        case DurationKind.ROW:
            if row_date is None:
                raise ValueError("a deadline by the row's date needs that date")
            return row_date


def _next(day: str, opened: date) -> date:
    month, of_month = (int(part) for part in day.split("-"))
    this_year = opened + relativedelta(month=month, day=of_month)
    return this_year if this_year >= opened else this_year + relativedelta(years=1, day=of_month)
