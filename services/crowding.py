"""What one web process does a few at a time: look at passwords, and read workbooks."""

from documents.turns import Turns
from services.database import BUSY_SECONDS
from services.errors import Busy

HASHING_AT_ONCE = 4
"""Log-ins checked side by side: argon2 takes 64 MB for each."""
WAITING = 8
"""Who may wait for a turn; the threads of a process are needed for pages."""
READING_AT_ONCE, READERS, READING_SECONDS = 1, 4, 30.0
"""Workbooks read side by side, who may wait for that, and how long: the largest takes 150 MB and
some seconds, and a process is to stay under 300 MB."""
__all__ = ["TooManyFiles", "Turns", "hashing", "reading"]


class TooManyFiles(Busy):
    """正在处理的文件较多，这一次没有处理，也没有保存。请过一会儿重新提交。"""

    code = "too_many_files"


def hashing() -> Turns:
    """Of those whose password or code is looked at; ``Busy`` for who gets none."""
    return Turns(HASHING_AT_ONCE, WAITING, BUSY_SECONDS, Busy)


def reading() -> Turns:
    """Of those whose workbook is read or written; :class:`TooManyFiles` for who gets none."""
    return Turns(READING_AT_ONCE, READERS, READING_SECONDS, TooManyFiles)
