"""The only place that reads a clock. Everything else is handed the time."""

import time
from datetime import UTC, datetime, timedelta

from policy.clock import Looked


def now() -> datetime:
    """The present as an aware UTC datetime."""
    return datetime.now(UTC)


def ticks() -> float:
    """Seconds that only ever go forward, for waiting; they say nothing about the date."""
    return time.monotonic()


_UP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, which is no fault of its clock."""


class Looks:
    """When this process looked at the clock last, and how much time passed since (INV-23)."""

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    def __call__(self, now: datetime) -> Looked | None:
        """The last look, None at the first; ``now`` is what the clock says at this one."""
        last, self._last = self._last, (now, time.clock_gettime(_UP))
        if last is None:
            return None
        return Looked(last[0], timedelta(seconds=self._last[1] - last[1]))
