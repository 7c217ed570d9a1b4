"""The working-day calendar as a value: holidays, make-up days (调休), and how far it was published.

Days are dates in Asia/Shanghai. A calendar only lists the days that differ from Monday–Friday.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
_DAY = timedelta(days=1)
_SATURDAY = 5


def local_day(at: datetime) -> date:
    """The date in Shanghai of an aware instant; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {at!r}")
    return at.astimezone(SHANGHAI).date()


def instant_on(day: date, hour: int = 0) -> datetime:
    """The UTC instant at which ``hour`` o'clock of ``day`` begins in Shanghai."""
    return datetime.combine(day, time(hour), SHANGHAI).astimezone(UTC)


def last_day(ends_on: date) -> date:
    """The last day of something that is stored with the day after it, as people say it."""
    return ends_on - _DAY


@dataclass(frozen=True)
class Calendar:
    """One version of the calendar: never changed, only followed by the next version.

    Beyond ``horizon`` (the last day that the State Council's notices cover) a day is counted by
    Monday–Friday alone, and whatever was counted over it is provisional.
    """

    id: int
    horizon: date
    working_exceptions: Mapping[date, bool]

    def is_working(self, day: date) -> bool:
        """Whether ``day`` is a working day; make-up Saturdays and Sundays are."""
        return self.working_exceptions.get(day, day.weekday() < _SATURDAY)

    def is_provisional(self, day: date) -> bool:
        """Whether ``day`` lies beyond what has been published."""
        return day > self.horizon

    def add_working_days(self, start: date, n: int) -> date:
        """The ``n``-th working day after ``start``, which is itself not counted.

        ``n = 0`` is ``start``, working or not; a negative ``n`` counts backwards.
        """
        step = _DAY if n > 0 else -_DAY
        left, day = abs(n), start
        while left:
            day += step
            left -= self.is_working(day)
        return day

    def working_days_between(self, a: date, b: date) -> int:
        """How many working days lie in ``(a, b]``; negative when ``b`` is before ``a``."""
        if b < a:
            return -self.working_days_between(b, a)
        return sum(self.is_working(a + _DAY * n) for n in range(1, (b - a).days + 1))

    def working_on_or_after(self, day: date) -> date:
        """``day``, or the first working day after it."""
        while not self.is_working(day):
            day += _DAY
        return day

    def working_on_or_before(self, day: date) -> date:
        """``day``, or the last working day before it."""
        while not self.is_working(day):
            day -= _DAY
        return day
