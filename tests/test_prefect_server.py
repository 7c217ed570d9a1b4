"""Prefect's server collects garbage where nobody waits for it, and counts where nobody disturbs."""

import asyncio
import gc
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings
from sqlalchemy import text

from deployments import prefect_server
from deployments.prefect_server import collect_beside, counting_session


class Circle:
    """Garbage that only the collector frees; says by which thread it was freed."""

    freed_by: list[str]

    def __init__(self, freed_by: list[str]) -> None:
        self.freed_by, self.me = freed_by, self

    def __del__(self) -> None:
        self.freed_by.append(threading.current_thread().name)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(prefect_server, "EVERY_SECONDS", 0.01)
    stop = threading.Event()
    thread = collect_beside(stop)
    yield
    stop.set()
    thread.join()
    gc.unfreeze()
    gc.enable()


def test_garbage_is_collected_by_a_thread_of_its_own_and_by_no_other(beside: None) -> None:
    freed_by: list[str] = []
    seen = weakref.ref(Circle(freed_by))
    kept = [[] for _ in range(100_000)]  # type: ignore[var-annotated]
    never = threading.Event()
    assert any(freed_by or never.wait(0.01) for _ in range(1000))
    assert seen() is None
    assert freed_by == ["garbage"]
    assert len(kept) == 100_000


def test_who_counts_what_an_automation_waits_for_is_not_overtaken(tmp_path: Path) -> None:
    """Else SQLite refuses what is written after it was read, at once, and the event is lost."""
    database = tmp_path / "prefect.db"
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE bucket (count INTEGER)")
        db.execute("INSERT INTO bucket VALUES (0)")
    other = sqlite3.connect(database, timeout=0)

    async def count() -> None:
        async with counting_session(begin_transaction=True) as session:
            assert (await session.execute(text("SELECT count FROM bucket"))).scalar_one() == 0
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("UPDATE bucket SET count = 7")
            await session.execute(text("UPDATE bucket SET count = 1"))

    with temporary_settings(
        {PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{database}"}
    ):
        asyncio.run(count())
    assert other.execute("SELECT count FROM bucket").fetchall() == [(1,)]
    other.close()
