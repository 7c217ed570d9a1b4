"""The migrated schema is that of the models, goes up and down with data, and keeps history."""

import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Enum,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import AutoString

import models
from models.append_only import APPEND_ONLY, FROZEN, REFUSED
from models.base import Instant, metadata, table
from models.casework import Branch, Decision
from models.message import Delivery, DeliveryState
from models.migrations import statements
from models.migrations.render import declared
from models.organisation import Appointment
from services.migration import BrokenReferences, downgrade, migrate, newest, revision

AT = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
BETWEEN = {"substitution": {"substitute_id": 2, "ends_on": AT.date() + timedelta(days=1)}}
"""Values that a CHECK asks to differ from those of another column; who stands in is person 2."""


def _fill(db: Connection) -> None:
    """One row in every table, each value made from its column's type, each reference to row 1."""
    filled = {"installation"}  # its one row is there
    while left := [found for found in metadata.tables.values() if found.name not in filled]:
        ready = [found for found in left if _needs(found) <= filled]
        assert ready, f"required references in a circle: {[found.name for found in left]}"
        for found in ready:
            values = {c.name: _value(c) for c in found.columns if _own(c)}
            db.execute(insert(found).values(values | BETWEEN.get(found.name, {})))
            if found.name == "person":
                db.execute(insert(found).values(name="another"))
        filled |= {found.name for found in ready}
    db.execute(update(table(Branch)).values(fanout_id=1))


def _needs(found: Table) -> set[str]:
    columns = [c for c in found.columns if not c.nullable and c.name != "id"]
    return {key.column.table.name for c in columns for key in c.foreign_keys}


def _own(column: Column[Any]) -> bool:
    return column.name != "id" and not (column.nullable and column.foreign_keys)


def _value(column: Column[Any]) -> Any:
    if column.foreign_keys:
        return 1
    if isinstance(column.type, Enum):
        return column.type.enums[0]
    if isinstance(column.type, Instant):
        return AT
    made: dict[type, Any] = {str: str(column), int: 1, bool: False, date: AT.date(), dict: {}}
    made[bytes] = b""
    kind = str if isinstance(column.type, AutoString) else column.type.python_type
    return made[kind]


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """A database with a row in every table."""
    with engine.begin() as db:
        _fill(db)
    return engine


def test_every_module_of_models_is_known_to_the_migrations() -> None:
    folder = Path(models.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "append_only"}
    assert modules == set(models.__all__)


def _described(db: Connection) -> dict[str, Any]:
    """The schema as the database itself tells it, without the order things were added in."""
    found = inspect(db)
    told: dict[str, Any] = {}
    for name in set(found.get_table_names()) - {"alembic_version"}:
        told[name] = [
            sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in found.get_columns(name)
            ),
            found.get_pk_constraint(name),
            # SQLAlchemy reads no name of one that was added with its column to SQLite
            sorted(str(key | {"name": None}) for key in found.get_foreign_keys(name)),
            sorted(map(str, found.get_unique_constraints(name))),
            sorted(map(str, found.get_check_constraints(name))),
        ]
    told[""] = sorted(db.execute(text(_INDEXES_AND_TRIGGERS[db.dialect.name])).scalars())
    return told


_INDEXES_AND_TRIGGERS = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql <> ''",
    "postgresql": (
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename <> 'alembic_version'"
    ),
}


def test_the_migrations_together_make_the_schema_of_the_models(engine: Engine) -> None:
    with engine.connect() as db:
        migrated = _described(db)
    downgrade(engine, "base")
    with engine.begin() as db:
        for statement in declared(engine.dialect.name):
            db.exec_driver_sql(statement)
        assert _described(db) == migrated, "models changed: write a migration"


def test_alembic_finds_no_difference_between_models_and_database(engine: Engine) -> None:
    with engine.connect() as db:
        assert compare_metadata(MigrationContext.configure(db), metadata) == []


def test_every_table_is_there(engine: Engine) -> None:
    assert set(inspect(engine).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_a_migrated_database_goes_down_with_its_data_and_up_again(filled: Engine) -> None:
    downgrade(filled, "base")
    assert set(inspect(filled).get_table_names()) == {"alembic_version"}
    assert revision(filled) is None
    migrate(filled)
    assert revision(filled) == newest()
    with filled.connect() as db:
        assert db.execute(select(table(Decision))).all() == []


def test_going_down_leaves_nothing_behind_in_postgresql(postgresql_engine: Engine) -> None:
    downgrade(postgresql_engine, "base")
    with postgresql_engine.connect() as db:
        found = db.execute(text("SELECT count(*) FROM pg_proc WHERE proname LIKE 'fourduties%'"))
        assert found.scalar_one() == 0


def test_migrating_again_changes_nothing(filled: Engine) -> None:
    migrate(filled)
    with filled.connect() as db:
        assert len(db.execute(select(table(Decision))).all()) == 1


def test_foreign_keys_are_enforced_again_after_a_migration(empty_engine: Engine) -> None:
    migrate(empty_engine)
    with pytest.raises(IntegrityError), empty_engine.begin() as db:
        db.execute(insert(table(Appointment)).values(post_id=9, person_id=9, starts_on=AT.date()))


@pytest.mark.parametrize("broken", ["0001", "0002"])
@pytest.mark.parametrize("at", [0, 1, 4, -1])
def test_a_migration_that_fails_at_any_statement_leaves_nothing(
    empty_engine: Engine, at: int, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = statements.statements

    def one_fails(revision: str, dialect: str, way: str) -> list[str]:
        found = whole(revision, dialect, way)
        place = at % len(found)
        wrong = ["CREATE TABLE nowhere ("] if revision == broken else []
        return [*found[:place], *wrong, *found[place:]]

    monkeypatch.setattr(statements, "statements", one_fails)
    with pytest.raises(DatabaseError):
        migrate(empty_engine)
    assert inspect(empty_engine).get_table_names() == []
    monkeypatch.undo()
    migrate(empty_engine)
    assert revision(empty_engine) == newest()


def test_references_broken_by_a_migration_take_it_back(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as db:
        driver = db.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("INSERT INTO appointment (post_id, person_id, starts_on) VALUES (9, 9, '')")
        driver.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(BrokenReferences):
        migrate(sqlite_engine)


@pytest.mark.parametrize("name", [rule.table for rule in APPEND_ONLY if not rule.open_while])
def test_history_is_not_updated_or_deleted(filled: Engine, name: str) -> None:
    for change in (f"UPDATE {name} SET id = id", f"DELETE FROM {name}"):
        with pytest.raises(IntegrityError, match=f"{REFUSED}: {name}"), filled.begin() as db:
            db.exec_driver_sql(change)


@pytest.mark.parametrize("name", [rule.table for rule in APPEND_ONLY])
def test_history_is_not_truncated(postgresql_engine: Engine, name: str) -> None:
    with pytest.raises(IntegrityError, match=REFUSED), postgresql_engine.begin() as db:
        db.exec_driver_sql(f"TRUNCATE {name} CASCADE")


@pytest.mark.parametrize("rule", APPEND_ONLY, ids=lambda rule: rule.table)
def test_sqlite_does_not_replace_history(sqlite_engine: Engine, rule: Any) -> None:
    with sqlite_engine.begin() as db:
        _fill(db)
        columns = [c.name for c in metadata.tables[rule.table].columns if c.name != "id"]
    for key in rule.keys:
        wanted = ", ".join(["id", *columns])
        given = ", ".join(["id" if key == ("id",) else "id + 100", *columns])
        replace = f"INSERT OR REPLACE INTO {rule.table} ({wanted}) SELECT {given} FROM {rule.table}"
        with pytest.raises(IntegrityError, match=REFUSED), sqlite_engine.begin() as db:
            db.exec_driver_sql(replace)


def test_an_attempt_to_deliver_is_closed_once(filled: Engine) -> None:
    deliveries = table(Delivery)
    with filled.begin() as db:
        db.execute(update(deliveries).values(state=DeliveryState.SENT, ended_at=AT))
    for change in ({"state": DeliveryState.REFUSED}, {"detail": "other"}, {"attempt": 2}):
        with pytest.raises(IntegrityError, match=REFUSED), filled.begin() as db:
            db.execute(update(deliveries).values(**change))
    with pytest.raises(IntegrityError, match=REFUSED), filled.begin() as db:
        db.exec_driver_sql("DELETE FROM delivery")


def test_an_open_attempt_keeps_what_it_is_about(filled: Engine) -> None:
    with pytest.raises(IntegrityError, match=REFUSED), filled.begin() as db:
        db.execute(update(table(Delivery)).values(attempt=2))


@pytest.mark.parametrize("rule", FROZEN, ids=lambda rule: f"{rule.table}.{rule.column}")
def test_the_first_value_of_a_frozen_column_stays(filled: Engine, rule: Any) -> None:
    same = f"UPDATE {rule.table} SET {rule.column} = {rule.column}"
    with filled.begin() as db:
        db.exec_driver_sql(same)
    other = "NULL" if rule.column.startswith("original_due") else "'other'"
    with pytest.raises(IntegrityError, match=REFUSED), filled.begin() as db:
        db.exec_driver_sql(f"UPDATE {rule.table} SET {rule.column} = {other}")
