"""Writers of one process on SQLite: one after the other, the longest waiting soon.

SQLite lets writers poll with growing pauses. Eight people who decide at once then wait for half a
second where five milliseconds would do, and one of them may meet nobody's pause for five seconds.
Other processes are still waited for by polling.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

_BREATH = 0.05
_PARTS = 10


class Writer(sqlite3.Connection):
    """A connection that has its turn from before BEGIN IMMEDIATE until its transaction ends."""

    _turn: "Lock | None" = None
    _seconds: float | None = None

    def wait_for_others(self, seconds: float) -> None:
        """How long a statement waits while another process writes."""
        if seconds != self._seconds:
            self._seconds = seconds
            self.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")

    @contextmanager
    def taking(self, turns: Lock, seconds: float) -> Iterator[None]:
        """Wait for the turn, then begin inside; OperationalError when it does not come in time.

        Both waits together, for the turn and for other processes, take no longer than ``seconds``.
        """
        if self._turn is None:
            self.wait_for_others(seconds - _waited(turns, seconds))
            self._turn = turns
        try:
            yield
        finally:
            self._pass_on()

    def commit(self) -> None:
        """Commit, and let the next writer begin."""
        try:
            super().commit()
        finally:
            self._pass_on()

    def rollback(self) -> None:
        """Roll back, and let the next writer begin."""
        try:
            super().rollback()
        finally:
            self._pass_on()

    def close(self) -> None:
        """Close, which rolls back what is open."""
        super().close()
        self._pass_on(ended=True)

    def _pass_on(self, *, ended: bool = False) -> None:
        """A transaction that goes on (a COMMIT that failed) keeps its turn."""
        turn = self._turn
        if turn is not None and (ended or not self.in_transaction):
            self._turn = None
            turn.release()


def _waited(turns: Lock, seconds: float) -> float:
    """Take the turn; how much of ``seconds`` that took, in tenths of it (nobody reads a clock)."""
    if turns.acquire(blocking=False):
        return 0.0
    for waited in range(1, _PARTS + 1):
        if turns.acquire(timeout=seconds / _PARTS):
            return seconds * waited / _PARTS
    locked = sqlite3.OperationalError("database is locked")
    raise OperationalError("BEGIN IMMEDIATE", {}, locked)


def breath(engine: Engine) -> float:
    """Seconds that whoever writes in a long row leaves to others after a few transactions.

    On SQLite other processes poll for a free moment, in pauses of up to a tenth of a second: back
    to back there is none, and people are told that the system is busy. PostgreSQL needs none.
    """
    return _BREATH if engine.dialect.name == "sqlite" else 0.0
