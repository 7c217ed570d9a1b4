"""What every request of one web process shares."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from services.database import BUSY_SECONDS
from services.env import Env
from services.errors import Busy
from web.pages import Pages

HASHING_AT_ONCE = 4
"""Log-ins checked side by side: argon2 takes 64 MB for each."""
WAITING = 8
"""Who may wait for a turn; the threads of a process are needed for pages."""


class Turns:
    """So many at once and so many waiting; others, and who waits too long, are told to come again.

    ``seconds`` is how long somebody waits for a turn.
    """

    def __init__(self, at_once: int, waiting: int, seconds: float = BUSY_SECONDS) -> None:
        self._turns, self._places = BoundedSemaphore(at_once), BoundedSemaphore(at_once + waiting)
        self._seconds = seconds

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Have a turn; ``Busy`` without one."""
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            if not self._turns.acquire(timeout=self._seconds):
                raise Busy
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()


@dataclass(frozen=True, slots=True)
class Site:
    """The environment, the templates, and how cookies are set.

    ``alarms`` is what is wrong with the house now, for operators.
    """

    env: Env
    pages: Pages
    secure_cookies: bool = False
    prefect_ui_url: str = ""
    alarms: Callable[[], Collection[str]] = frozenset
    hashing: Turns = field(default_factory=lambda: Turns(HASHING_AT_ONCE, WAITING))

    @property
    def cookie(self) -> str:
        """The session cookie; ``__Host-`` binds it to this host, and asks for HTTPS."""
        return "__Host-fourduties" if self.secure_cookies else "fourduties"
