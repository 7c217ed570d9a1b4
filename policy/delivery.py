"""When a person may be told outside our pages, how often, and when to stop (design §7).

A *text* is what goes over a channel at once: one message, or a digest of several. The numbers are
ours (本系统建议值，无上位依据); they keep a person from 430,000 notes overnight (traps 19).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from policy.calendar import Calendar, instant_on, local_day

OPENS, CLOSES = 9, 18
"""Texts leave between these hours of working days in Shanghai; nothing is so urgent as to wake."""
PAUSE = timedelta(minutes=15)
"""Between two texts over one channel: what comes meanwhile is one digest."""
TEXTS_A_DAY = 4
"""Over one channel; what comes after them is in the next working day's digest."""
LINES = 20
"""Messages told in one digest; the others are counted (另有 n 项)."""
TRIES = 16
"""Texts that failed one after another before a channel counts as refused for good: days, not
minutes, because a channel that is down for a day must not be lost."""
UNKNOWNS = 2
"""A message whose outcome is unknown is repeated once (INV-9)."""
LEASE = timedelta(minutes=10)
"""How long a claimed text may be under way; afterwards its outcome is unknown."""
_FIRST_BACK_OFF = timedelta(minutes=1)
_LAST_BACK_OFF = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Past:
    """What went over a channel: ``last`` is when the last text was claimed.

    ``failures``: texts refused or lost since the last that arrived; ``maybe``: whether the last
    one may have arrived; ``today``: texts of this Shanghai day that may have.
    """

    last: datetime | None = None
    failures: int = 0
    maybe: bool = False
    today: int = 0


def in_hours(now: datetime, calendar: Calendar) -> bool:
    """Whether texts may leave now."""
    return from_hours(now, calendar) == now


def from_hours(at: datetime, calendar: Calendar) -> datetime:
    """``at``, or the first later instant at which texts may leave."""
    day = local_day(at)
    if calendar.is_working(day):
        if at < instant_on(day, OPENS):
            return instant_on(day, OPENS)
        if at < instant_on(day, CLOSES):
            return at
    return instant_on(calendar.add_working_days(day, 1), OPENS)


def back_off(failures: int) -> timedelta:
    """The pause after so many failures in a row: doubling, from a minute to four hours."""
    doublings: int = 2 ** max(min(failures, TRIES) - 1, 0)
    return min(_FIRST_BACK_OFF * doublings, _LAST_BACK_OFF)


def opens_at(past: Past, now: datetime, calendar: Calendar) -> datetime:
    """When the next text may go over a channel; ``now`` when it may go at once."""
    earliest = now
    if past.last is not None:
        if past.failures:
            earliest = max(earliest, past.last + back_off(past.failures))
        if past.maybe:
            earliest = max(earliest, past.last + PAUSE)
    if past.today >= TEXTS_A_DAY:
        earliest = max(earliest, instant_on(calendar.add_working_days(local_day(now), 1), OPENS))
    return from_hours(earliest, calendar)


def finished(*, sent: bool, unknown: int) -> bool:
    """Whether a message needs no further attempt over a channel."""
    return sent or unknown >= UNKNOWNS


def worn_out(failures: int) -> bool:
    """Whether a channel failed so often in a row that only its owner can say it works again."""
    return failures >= TRIES
