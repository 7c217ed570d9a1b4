"""What every request of one web process shares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from services.env import Env
from web.pages import Pages

HASHING_AT_ONCE = 4
"""Log-ins checked side by side: argon2 takes 64 MB for each."""


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
    hashing: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(HASHING_AT_ONCE))

    @property
    def cookie(self) -> str:
        """The session cookie; ``__Host-`` binds it to this host, and asks for HTTPS."""
        return "__Host-fourduties" if self.secure_cookies else "fourduties"
