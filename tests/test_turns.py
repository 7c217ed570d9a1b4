"""On SQLite the writers of a process take turns, and whatever happens the next one gets its."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from services.database import open_engine, reading
from services.turns import Writer


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with one number in it."""
    engine = open_engine(f"sqlite:///{tmp_path / 'numbers.db'}")
    with engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE number (n INTEGER NOT NULL CHECK (n < 1000))")
        db.exec_driver_sql("INSERT INTO number VALUES (0)")
    yield engine
    engine.dispose()


@pytest.fixture
def turns() -> Lock:
    return Lock()


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[tuple[Writer, Writer]]:
    """Two connections of one process."""
    first, second = (
        sqlite3.connect(tmp_path / "two.db", isolation_level=None, factory=Writer) for _ in range(2)
    )
    yield first, second
    first.close()
    second.close()


def begin(writer: Writer, turns: Lock) -> None:
    with writer.taking(turns, 0):
        writer.execute("BEGIN IMMEDIATE")


def add(engine: Engine, by: int) -> None:
    with engine.begin() as db:
        n = db.exec_driver_sql("SELECT n FROM number").scalar_one()
        db.exec_driver_sql("UPDATE number SET n = ?", (n + by,))


def number(engine: Engine) -> int:
    with reading(engine) as db:
        return int(db.exec_driver_sql("SELECT n FROM number").scalar_one())


def test_who_writes_keeps_the_others_waiting_until_the_commit(
    writers: tuple[Writer, Writer], turns: Lock
) -> None:
    first, second = writers
    begin(first, turns)
    with pytest.raises(OperationalError):
        begin(second, turns)
    first.commit()
    begin(second, turns)


def test_a_rollback_passes_the_turn_on(writers: tuple[Writer, Writer], turns: Lock) -> None:
    first, second = writers
    begin(first, turns)
    first.rollback()
    begin(second, turns)


def test_a_connection_that_is_closed_passes_the_turn_on(
    writers: tuple[Writer, Writer], turns: Lock
) -> None:
    first, second = writers
    begin(first, turns)
    first.close()
    begin(second, turns)


def test_who_cannot_begin_passes_the_turn_on(writers: tuple[Writer, Writer], turns: Lock) -> None:
    first, second = writers
    with pytest.raises(sqlite3.OperationalError), first.taking(turns, 0):
        first.execute("BEGIN SOMEHOW")
    begin(second, turns)


def test_readers_wait_for_nobody(engine: Engine) -> None:
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE number SET n = 7")
        assert number(engine) == 0
    assert number(engine) == 7


def test_a_statement_that_fails_keeps_nobody_waiting(engine: Engine) -> None:
    with pytest.raises(Exception, match="CHECK"):
        add(engine, 1000)
    add(engine, 1)
    assert number(engine) == 1


def test_of_eight_who_write_at_once_each_has_its_turn(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(add, engine, 1) for _ in range(160)]:
            done.result()
    assert number(engine) == 160
