"""Work that takes much memory or time, a few at a time in one process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore


class Turns:
    """So many at once and so many waiting; others, and who waits too long, are refused.

    ``seconds`` is how long somebody waits for a turn: who waits holds a thread that answers others.
    ``without`` makes the error of who gets none.
    """

    def __init__(
        self, at_once: int, waiting: int, seconds: float, without: Callable[[], Exception]
    ) -> None:
        self._turns, self._places = BoundedSemaphore(at_once), BoundedSemaphore(at_once + waiting)
        self._seconds, self._without = seconds, without

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Have a turn; the error without one."""
        if not self._places.acquire(blocking=False):
            raise self._without()
        try:
            if not self._turns.acquire(timeout=self._seconds):
                raise self._without()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()
