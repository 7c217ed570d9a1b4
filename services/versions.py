"""Rows never changed (calendar and policy versions): loaded once per process and database."""

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

T = TypeVar("T")


class Versions(Generic[T]):
    """A cache of immutable versions by (engine, id); ``load`` reads one that is not there yet."""

    def __init__(self, load: Callable[[Connection, int], T]) -> None:
        self._load = load
        self._kept: WeakKeyDictionary[Engine, dict[int, T]] = WeakKeyDictionary()

    def __call__(self, db: Connection, version_id: int) -> T:
        """The version; what ``load`` raises if there is none."""
        kept = self._kept.setdefault(db.engine, {})
        if version_id not in kept:
            kept[version_id] = self._load(db, version_id)
        return kept[version_id]

    def forget(self, db: Connection, version_id: int) -> None:
        """Call it after inserting a version: SQLite gives a rolled-back row's id again."""
        self._kept.setdefault(db.engine, {}).pop(version_id, None)
