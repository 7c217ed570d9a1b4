"""Something done again and again for as long as a process lives, whatever fails meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from services.metrics import ERROR, TURNS, turned

_log = logging.getLogger(__name__)
_LAST_BACK_OFF = 5.0


class Loop:
    """Calls ``once`` every ``seconds``, and at once when :meth:`soon` is called.

    An error puts the next call off, longer each time; it is logged when it begins and when it ends.
    """

    def __init__(self, name: str, once: Callable[[], Awaitable[object]], seconds: float) -> None:
        self._name, self._once, self._seconds = name, once, seconds
        self._wanted = asyncio.Event()
        self._failures = 0

    def soon(self) -> None:
        """Do it now; to be called in the event loop."""
        self._wanted.set()

    async def run(self, *, on_recovery: Callable[[], None] = lambda: None) -> None:
        """Go on until cancelled. ``on_recovery`` is called after a success that follows errors."""
        while True:
            if await self.turn() and self._failures:
                _log.warning("%s: works again after %s errors", self._name, self._failures)
                self._failures = 0
                on_recovery()
            await self._pause()

    async def turn(self) -> bool:
        """Call ``once`` now; whether it went well."""
        try:
            await self._once()
        except Exception as error:  # the one place: the loop must outlive any failure of a turn
            self._failures += 1
            if self._failures == 1:
                _log.warning("%s: %s", self._name, type(error).__name__, exc_info=True)
            TURNS.labels(self._name, ERROR).inc()
            return False
        turned(self._name)
        return True

    async def _pause(self) -> None:
        if self._failures:
            await asyncio.sleep(min(0.5 * 2 ** min(self._failures, 10), _LAST_BACK_OFF))
            return
        try:
            await asyncio.wait_for(self._wanted.wait(), self._seconds)
        except TimeoutError:
            return
        finally:
            self._wanted.clear()
