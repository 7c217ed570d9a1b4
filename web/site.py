"""What every request of one web process shares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from documents.turns import Turns
from services.database import BUSY_SECONDS
from services.env import Env
from services.errors import Busy
from web.pages import Pages

HASHING_AT_ONCE = 4
"""Log-ins checked side by side: argon2 takes 64 MB for each."""
WAITING = 8
"""Who may wait for a turn; the threads of a process are needed for pages."""


READING_AT_ONCE, READERS, READING_SECONDS = 1, 4, 30.0
"""Workbooks read side by side, who may wait for that, and how long: the largest takes 150 MB and
some seconds, and a process is to stay under 300 MB."""


def _hashing() -> Turns:
    return Turns(HASHING_AT_ONCE, WAITING, BUSY_SECONDS, Busy)


def _reading() -> Turns:
    return Turns(READING_AT_ONCE, READERS, READING_SECONDS, TooManyFiles)


class TooManyFiles(Busy):
    """正在处理的文件较多，这一次没有处理，也没有保存。请过一会儿重新提交。"""

    code = "too_many_files"


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
    hashing: Turns = field(default_factory=_hashing)
    reading: Turns = field(default_factory=_reading)

    @property
    def cookie(self) -> str:
        """The session cookie; ``__Host-`` binds it to this host, and asks for HTTPS."""
        return "__Host-fourduties" if self.secure_cookies else "fourduties"
