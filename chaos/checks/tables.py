"""Reads a database as it lies there, by SQL and the plain drivers: nothing of the house's own code.

Both kinds give the same: instants aware in UTC, dates, JSON as Python values, booleans.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
_JSON = {"answers", "apart_from", "turns", "payload", "value", "result", "passed_over", "context"}
_JSON |= {"policy"}
_FLAGS = {"voided", "ended", "late", "provisional", "working", "long_term"}
_DATES = {"starts_on", "ends_on", "due_on", "original_due_on", "horizon", "day"}


class Tables:
    """One snapshot of a database: every query sees the same moment."""

    def __init__(self, ask: Callable[[str], Iterator[Row]]) -> None:
        self._ask = ask

    def rows(self, sql: str) -> Iterator[Row]:
        """What a query finds, a row at a time."""
        return self._ask(sql)

    def all(self, sql: str) -> list[Row]:
        """What a query finds."""
        return list(self._ask(sql))


@contextmanager
def tables(url: str) -> Iterator[Tables]:
    """The tables of ``sqlite:///PATH`` or ``postgresql[+driver]://…``."""
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as lite:
            lite.execute("PRAGMA query_only=ON")
            lite.execute("BEGIN")
            yield over_sqlite(lite)
            lite.execute("ROLLBACK")
        return
    address = "postgresql" + url[url.index("://") :]
    with psycopg.connect(address, options="-c timezone=UTC") as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        db.read_only = True
        yield over_psycopg(db)
        db.rollback()


def over_sqlite(db: sqlite3.Connection) -> Tables:
    """The tables as an open connection sees them."""

    def ask(sql: str) -> Iterator[Row]:
        cursor = db.execute(sql)
        names = [column[0] for column in cursor.description]
        for values in cursor:
            yield {n: _value(n, value) for n, value in zip(names, values, strict=True)}

    return Tables(ask)


def over_psycopg(db: psycopg.Connection[Any]) -> Tables:
    """The tables as an open transaction sees them."""
    numbers = count()

    def ask(sql: str) -> Iterator[Row]:
        with db.cursor(name=f"look{next(numbers)}", row_factory=dict_row) as cursor:
            cursor.itersize = 2000
            yield from cursor.execute(sql.encode())

    return Tables(ask)


def _value(name: str, value: Any) -> Any:
    """SQLite keeps JSON, instants and booleans as texts and numbers."""
    if value is None:
        return None
    if name in _JSON:  # SQLite keeps a number as such, whatever its text was
        return json.loads(value) if isinstance(value, str) else value
    if name in _FLAGS:
        return bool(value)
    if name in _DATES:
        return date.fromisoformat(value)
    if name == "at" or name.endswith("_at"):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value
