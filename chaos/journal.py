"""What the clients were told, a line each, written around every request and read at the end.

A line is JSON: ``t`` (UTC), ``client``, ``event`` (``sent``, ``answered``, ``unknown``), ``key``
(of the request, the same for all its tries), ``kind`` (``decide``, ``terminate``, ``make``,
``revoke``), ``step``, ``slot`` (or null), ``person`` (a log-in), ``answer``, ``status`` (HTTP, or
null), ``body`` (the parsed answer, or null), ``try``, ``about`` (the case that is terminated, the
post that a substitution is made for, or the substitution that is revoked).
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SENT, ANSWERED, UNKNOWN = "sent", "answered", "unknown"
DECIDE, TERMINATE, MAKE, REVOKE = "decide", "terminate", "make", "revoke"
REFUSALS = frozenset({403, 404, 409, 422})
"""Statuses that say: this was not done, and will not be under this key."""

UNSETTLED = "unsettled"
"""The code of an answer that says that nobody knows what became of the COMMIT."""
_NOT_SAVED = 503


@dataclass(frozen=True, slots=True)
class Line:
    """What a client sent, or was told, or was not told (the connection ended before the answer)."""

    t: str
    client: int
    event: str
    key: str
    kind: str
    step: int | None
    slot: int | None
    person: str
    answer: str
    status: int | None = None
    body: Any = None
    tries: int = 1
    about: int | None = None

    @property
    def acknowledged(self) -> bool:
        """The person was told that it was done (200, or the redirect of a form)."""
        return self.event == ANSWERED and self.status is not None and self.status < 400

    @property
    def refused(self) -> bool:
        """The person was told that it was not done."""
        return self.event == ANSWERED and self.status in REFUSALS

    @property
    def denied(self) -> bool:
        """The person read that nothing was saved this time, and may send it again."""
        return self._not_saved and self._error not in ("", UNSETTLED)

    @property
    def failed(self) -> bool:
        """No answer, or a server's error."""
        broken = self.event == ANSWERED and (self.status is None or self.status >= 500)
        return self.event == UNKNOWN or broken

    @property
    def unknown(self) -> bool:
        """Nobody could tell what became of it: a repetition has to."""
        return self.failed and (not self._not_saved or self._error == UNSETTLED)

    @property
    def _not_saved(self) -> bool:
        return self.event == ANSWERED and self.status == _NOT_SAVED

    @property
    def _error(self) -> str:
        """The code of the error, where the answer was JSON."""
        return str(self.body.get("error", "")) if isinstance(self.body, dict) else ""


class Journal:
    """Appends lines, each on the disk before the client goes on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, line: Line) -> None:
        """Keep a line for good."""
        values = asdict(line)
        values["try"] = values.pop("tries")
        self._file.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """End the file."""
        self._file.close()


def now() -> str:
    """The present as lines hold it."""
    return datetime.now(UTC).isoformat()


def read(paths: Iterable[Path]) -> Iterator[Line]:
    """Every line of every journal; what a killed client had begun to write was told to nobody."""
    for path in paths:
        for data in path.read_bytes().split(b"\n")[:-1]:
            values = json.loads(data)
            yield Line(tries=values.pop("try", 1), **values)
