"""What every request of one web process shares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from services.crowding import Turns, hashing, reading
from services.env import Env
from web.pages import Pages


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
    hashing: Turns = field(default_factory=hashing)
    reading: Turns = field(default_factory=reading)

    @property
    def cookie(self) -> str:
        """The session cookie; ``__Host-`` binds it to this host, and asks for HTTPS."""
        return "__Host-fourduties" if self.secure_cookies else "fourduties"
