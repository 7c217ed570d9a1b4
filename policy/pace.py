"""So many acts a second, and no more saved up than a second's (rule H)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_SKEW = timedelta(seconds=5)
"""By how much the clocks of two machines may differ."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``per_second`` acts a second (more than 0), evenly; after a rest as many at once."""

    per_second: float

    @property
    def interval(self) -> timedelta:
        """The time between two acts."""
        return timedelta(seconds=1 / self.per_second)

    @property
    def burst(self) -> int:
        """How many acts may be done at once after a rest."""
        return max(1, int(self.per_second))

    def grant(self, free_at: datetime, now: datetime, wanted: int) -> tuple[int, datetime]:
        """How many of ``wanted`` acts may be done now, and when the next one is free then.

        ``free_at`` is what the last grant said. When it is further away than any grant puts it, a
        clock was set back since: then it counts as now, so that nothing waits for days.
        """
        if free_at > now + self.interval + _SKEW:
            free_at = now
        first = max(free_at, now - (self.burst - 1) * self.interval)
        if first > now or wanted < 1:
            return 0, free_at
        granted = min(wanted, 1 + (now - first) // self.interval)
        return granted, first + granted * self.interval
