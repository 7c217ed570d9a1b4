"""How processes log: one JSON object a line, for machines and people alike.

Modules log by the standard library. What a process is about just now (request, command, case) is
bound by ``structlog.contextvars`` and added here. No text of anybody's gets in (INV-19): of an
error only its class and where it was raised are said, never what it says itself, and of what
other people's libraries say only the first line.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from structlog.contextvars import get_contextvars

OURS = frozenset(
    {"deployments", "documents", "flows", "models", "notifications", "policy", "services", "web"}
)
"""Our loggers by their first name. What others log may go on to quote what they were given."""
_FRAMES = 30
"""The innermost frames of an error that are said."""


class JsonLines(logging.Formatter):
    """A record as a line. ``process`` is what our processes are called: web, worker, prefect."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """time (UTC), level, logger, message, process, pid, what is bound, and the error."""
        message = record.getMessage()
        if record.name.partition(".")[0] not in OURS:
            message = message.partition("\n")[0]
        said = {
            "time": _iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
            "process": self._process,
            "pid": record.process,
            **{name: value for name, value in get_contextvars().items() if value is not None},
        }
        if record.exc_info and record.exc_info[1] is not None:
            said["errors"] = list(_errors(record.exc_info[1]))
        return as_line(said)


def as_line(said: dict[str, Any]) -> str:
    """One object on one line; what JSON does not know is said by its text."""
    return json.dumps(said, ensure_ascii=False, default=str)


def raw_line(line: str, *, at: datetime, process: str, pid: int) -> str:
    """What a process printed: a line of :class:`JsonLines` as it is, anything else made one."""
    if line.startswith('{"time"'):
        return line
    head = {"time": at.isoformat(timespec="milliseconds"), "level": "info", "logger": "output"}
    return as_line({**head, "message": line, "process": process, "pid": pid})


def configure(process: str) -> None:
    """Have everything this process logs from WARNING on written to its error output so.

    Also what nobody caught: the interpreter would print its text.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(process))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("ended by an error", exc_info=(kind, error, trace))


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        _uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def _errors(error: BaseException) -> Iterator[dict[str, Any]]:
    """The error and what it came from: class, code of the database if any, and frames."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = traceback.extract_tb(at.__traceback__)[-_FRAMES:]
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        code = getattr(at, "sqlstate", None) or getattr(at, "sqlite_errorname", None)
        yield {"class": type(at).__name__, **({"code": code} if code else {}), "where": where}
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
