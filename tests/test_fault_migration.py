"""A migration that is killed leaves the old database; one of the previous version goes on."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from models.casework import CaseState
from models.migrations.statements import statements
from services.audit_trail import broken_chains
from services.env import Env
from services.invariants import violations
from services.migration import migrate, newest, revision
from tests import rectification_cast, world
from tests.founded import counts
from tests.rectification_cast import MECHANISMS, Rectification
from tests.world import Clock, World

DATA = Path(__file__).parent / "data"
LEFT_AT = datetime(2026, 6, 17, 1, 0, tzinfo=UTC)
"""When the process of the first version was stopped whose database is in ``tests/data``."""
ROWS = {"case": 1, "branch": 7, "decision": 9, "slot": 15, "rung": 10, "audit": 19, "wake": 2}


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def killed_everywhere(engine: Engine, doomed: str) -> list[Any]:
    """What each kill of a migration of this database left."""
    command = [sys.executable, "-m", "tests.killed_migration", url_of(engine), doomed]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return list(json.loads(done.stdout))


def first_version(engine: Engine) -> None:
    """The database of a rectification that was under way in the first version.

    Its plan was returned once, two tasks are late, wakes are due, and a process died in the middle
    of an effect.
    """
    migrate(engine, "0001")
    said = (DATA / f"0001.{engine.dialect.name}.sql").read_text(encoding="utf-8")
    with engine.connect() as db:
        driver = db.connection.driver_connection
        assert driver is not None
        if engine.dialect.name == "sqlite":
            driver.executescript(f"PRAGMA foreign_keys=OFF;\n{said}\nPRAGMA foreign_keys=ON;")
            return
        db.execute(text("SET LOCAL session_replication_role = replica"))
        driver.execute(said)
        db.commit()


def opened(engine: Engine) -> Rectification:
    """The case as the present version meets it, and its cast by the order it was made in."""
    env = Env(engine, Clock(LEFT_AT), MECHANISMS)
    posts = [name for name, *_ in (*world._POSTS, *rectification_cast._POSTS)]
    units = [name for name, *_ in (*world._ORGANISATIONS, *rectification_cast._DEPARTMENTS)]
    made = World(env, numbered(units), numbered(posts), numbered(posts), count(1000))
    return Rectification(made, 1, {1: 1, 2: 2})


def numbered(names: list[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, 1)}


def test_the_first_migration_killed_before_any_statement_leaves_nothing(
    empty_engine: Engine,
) -> None:
    found = killed_everywhere(empty_engine, "0001")
    assert len(found) > 90
    assert {tuple(map(str, kill)) for kill in found} == {(str(int(signal.SIGKILL)), "None", "[]")}
    migrate(empty_engine)
    assert revision(empty_engine) == newest()


def test_an_upgrade_killed_before_any_statement_leaves_the_old_database(
    empty_engine: Engine,
) -> None:
    first_version(empty_engine)
    tables = sorted({*counts_of_old(empty_engine), "alembic_version"})
    before = counts_of_old(empty_engine)
    found = killed_everywhere(empty_engine, "0002")
    assert len(found) == len(statements("0002", empty_engine.dialect.name, "up")) + 1
    for kill in found:
        assert kill == [signal.SIGKILL, "0001", tables]
    assert counts_of_old(empty_engine) == before
    migrate(empty_engine)
    assert revision(empty_engine) == newest()
    assert {name: n for name, n in counts(empty_engine).items() if name in before} == before


def counts_of_old(engine: Engine) -> dict[str, int]:
    """How many rows each table of the first version has."""
    with engine.connect() as db:
        named = db.execute(text(_TABLES[engine.dialect.name])).scalars().all()
        return {
            name: db.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
            for name in named
            if name != "alembic_version"
        }


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


def test_a_case_of_the_first_version_goes_on_to_its_end_after_the_upgrade(
    empty_engine: Engine,
) -> None:
    first_version(empty_engine)
    found = counts_of_old(empty_engine)
    assert {name: found[name] for name in ROWS} == ROWS
    migrate(empty_engine)
    case = opened(empty_engine)
    assert sound(case) == []
    case.settle()
    assert [row.state for row in effects(case)] == ["done"]
    case.answer("confirm-task", "agree")
    case.do_tasks()
    case.close_all()
    case.answer("draft-report")
    case.answer("approve-report", "agree")
    case.settle()
    assert case.state is CaseState.ENDED
    assert sound(case) == []
    with empty_engine.connect() as db:
        assert list(broken_chains(db)) == []


def effects(case: Rectification) -> list[Any]:
    with case.env.engine.connect() as db:
        return list(db.execute(text("SELECT state FROM effect ORDER BY id")))


def sound(case: Rectification) -> list[str]:
    on = case.env.clock().date()
    return [f"{one.invariant} {one}" for one in violations(case.env.engine, on)]
