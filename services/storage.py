"""Why something could not be kept, as a person is told it: no room, read only, broken, busy."""

import errno
import sqlite3
from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from services.errors import Busy, DutiesError, NoRoom, ReadOnly, StorageFault

_OF_FILES: Mapping[int | None, type[DutiesError]] = {
    errno.ENOSPC: NoRoom,
    errno.EDQUOT: NoRoom,
    errno.EFBIG: NoRoom,
    errno.EROFS: ReadOnly,
    errno.EIO: StorageFault,
}
_OF_SQLITE: Mapping[int, type[DutiesError]] = {
    sqlite3.SQLITE_FULL: NoRoom,
    # SQLite says FULL for ENOSPC only: a quota and a limit on files come as these
    sqlite3.SQLITE_IOERR_WRITE: NoRoom,
    sqlite3.SQLITE_IOERR_SHMSIZE: NoRoom,
    sqlite3.SQLITE_READONLY: ReadOnly,
    sqlite3.SQLITE_IOERR: StorageFault,
    sqlite3.SQLITE_CANTOPEN: StorageFault,
    sqlite3.SQLITE_CORRUPT: StorageFault,
    sqlite3.SQLITE_NOTADB: StorageFault,
}
_OF_POSTGRESQL: Mapping[str | None, type[DutiesError]] = {
    "53100": NoRoom,
    "25006": ReadOnly,
    "58030": StorageFault,
    "XX001": StorageFault,
    "XX002": StorageFault,
}
_TOO_MUCH = "54"
"""PostgreSQL's class of statements that ask for too much; its driver counts them as operational."""
_PRIMARY = 0xFF
"""SQLite's extended codes carry the general one in their lowest byte."""


def refusal(error: BaseException | None) -> DutiesError | None:
    """What an error of the database or of a file means for whoever asked.

    None: it says nothing about the storage; a statement or a program is wrong.
    """
    found: type[DutiesError] | None = None
    if isinstance(error, DBAPIError):
        found = _of_driver(error)
    elif isinstance(error, NoConnection):
        found = Busy
    elif isinstance(error, OSError):
        found = _OF_FILES.get(error.errno)
    return found() if found else None


def _of_driver(error: DBAPIError) -> type[DutiesError] | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    state = getattr(error.orig, "sqlstate", None)
    if code is not None:
        named = _OF_SQLITE.get(code) or _OF_SQLITE.get(code & _PRIMARY)
    else:
        named = _OF_POSTGRESQL.get(state)
    of_program = code == sqlite3.SQLITE_ERROR or str(state).startswith(_TOO_MUCH)
    if named is not None or of_program:
        return named
    return Busy if isinstance(error, OperationalError | InterfaceError) else None
