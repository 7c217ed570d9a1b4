"""Who cannot have a lock, a connection or an answer is told soon, and nothing of theirs is kept.

Limits are short here; that of the house is five seconds (``services.database.BUSY_SECONDS``).
"""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select, text

from models.base import table
from models.casework import Branch, Decision
from services.command import SYSTEM, Work, execute
from services.database import BUSY_SECONDS, open_engine
from services.env import Env
from services.errors import Busy
from tests.rectification_cast import begin
from tests.web_house import House, open_house
from tests.world import Clock

SHORT = 0.3
_branches, _decisions = table(Branch), table(Decision)


@pytest.fixture
def hasty(database_url: str) -> Iterator[Engine]:
    """An engine on which nobody waits for long."""
    engine = open_engine(database_url, busy_seconds=SHORT)
    yield engine
    engine.dispose()


@pytest.fixture
def house(hasty: Engine) -> House:
    return open_house(begin(hasty, Clock()))


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another process writes, and does not end: all of SQLite, each branch of PostgreSQL."""
    if url.startswith("sqlite"):
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
        return
    engine = create_engine(url)
    with engine.begin() as db:
        db.execute(select(_branches.c.id).with_for_update())
        yield
    engine.dispose()


def count(engine: Engine) -> int:
    with engine.connect().execution_options(read_only=True) as db:
        return len(db.execute(select(_decisions.c.id)).all())


def test_who_meets_a_lock_that_is_held_for_long_is_told_and_may_send_it_again(
    house: House, database_url: str
) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    form = {"answer": "done", "key": "k" * 20}
    with locked(database_url):
        refused = secretary.post(f"/steps/{slot}", form)
    assert refused.status_code == 503
    assert "系统繁忙，本次未保存" in refused.text
    assert count(house.case.env.engine) == 0
    assert secretary.post(f"/steps/{slot}", form).status_code == 303
    assert count(house.case.env.engine) == 1


def test_the_limits_of_the_house_are_five_seconds(database_url: str) -> None:
    assert BUSY_SECONDS == 5
    engine = open_engine(database_url)
    assert engine.pool._timeout == 5  # type: ignore[attr-defined]
    with engine.connect() as db:
        if db.dialect.name == "sqlite":
            assert db.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
        else:
            for name in ("lock_timeout", "statement_timeout"):
                assert db.exec_driver_sql(f"SHOW {name}").scalar() == "5s"
    engine.dispose()


def test_the_wait_for_the_turn_and_for_another_process_is_one(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the turn took is not waited for again, and the next writer has all of its time."""
    engine = open_engine(sqlite_url, busy_seconds=10)
    taken = threading.Event()

    def wait() -> int:
        taken.set()
        with engine.begin() as db:
            return int(db.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    with ThreadPoolExecutor(1) as pool:
        with engine.begin():
            later = pool.submit(wait)
            taken.wait()
            threading.Event().wait(0.1)
        assert later.result() == 9000
    assert wait() == 10000
    engine.dispose()


def test_who_gets_no_connection_is_told_that_the_system_is_busy(database_url: str) -> None:
    engine = open_engine(database_url, pool_size=1, busy_seconds=0.05)
    env = Env(engine, Clock())
    with ExitStack() as stack:
        for _ in range(11):
            stack.enter_context(engine.connect())
        with pytest.raises(Busy):
            execute(env, SYSTEM, "test", "key", {}, lambda work: {})
    assert execute(env, SYSTEM, "test", "key", {}, lambda work: {"n": 1}) == {"n": 1}
    engine.dispose()


def test_a_statement_that_takes_too_long_is_given_up(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url, busy_seconds=0.2)
    env = Env(engine, Clock())

    def slow(work: Work) -> dict[str, Any]:
        work.db.execute(text("SELECT pg_sleep(60)"))
        return {}

    with pytest.raises(Busy):
        execute(env, SYSTEM, "test", "key", {}, slow)
    assert execute(env, SYSTEM, "test", "key", {}, lambda work: {"n": 1}) == {"n": 1}
    engine.dispose()
