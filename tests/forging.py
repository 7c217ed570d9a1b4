"""What a forger with the disk could do to the tables: past triggers, keys and foreign keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

Act = Callable[[Connection], None]


def disarm(db: Connection) -> None:
    """Let a database go without triggers and foreign keys, as for who holds its disk."""
    if db.dialect.name == "postgresql":
        db.execute(text("SET session_replication_role = replica"))
        db.commit()
        return
    driver: Any = db.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        driver.execute(f"DROP TRIGGER {name}")


def loosen(name: str) -> Act:
    """Let a table go without its unique keys."""

    def act(db: Connection) -> None:
        cascade = " CASCADE" if db.dialect.name == "postgresql" else ""
        db.execute(text(f'CREATE TABLE loose AS SELECT * FROM "{name}"'))
        db.execute(text(f'DROP TABLE "{name}"{cascade}'))
        db.execute(text(f'ALTER TABLE loose RENAME TO "{name}"'))

    return act


def copy(name: str, where: str, **changes: Any) -> Act:
    """Insert the first row that fits once more, changed."""

    def act(db: Connection) -> None:
        query = text(f'SELECT * FROM "{name}" WHERE {where} ORDER BY id LIMIT 1')
        found = db.execute(query).mappings().one()
        columns = [column for column in found if column not in changes]
        names = ", ".join([*columns, *changes])
        values = ", ".join([*columns, *(f":{column}" for column in changes)])
        db.execute(
            text(
                f'INSERT INTO "{name}" ({names}) SELECT {values} FROM "{name}"'
                f' WHERE id = (SELECT min(id) FROM "{name}" WHERE {where})'
            ),
            changes,
        )

    return act


def shift(name: str, column: str, where: str, by: timedelta) -> Act:
    """Move an instant of the first row that fits."""

    def act(db: Connection) -> None:
        seconds = int(by.total_seconds())
        moved = (
            f"strftime('%Y-%m-%d %H:%M:%S.000000', {column}, '{seconds} seconds')"
            if db.dialect.name == "sqlite"
            else f"{column} + interval '{seconds} seconds'"
        )
        chosen = f"(SELECT min(id) FROM {name} WHERE {where})"
        db.execute(text(f"UPDATE {name} SET {column} = {moved} WHERE id = {chosen}"))

    return act


def recorded_by_its_signer(db: Connection) -> None:
    """The first decision is one that its decider recorded from a paper of their own (代录)."""
    by = "person_id, post_id, appointment_id, at"
    of = "case_id, branch_id, step_id, slot_id"
    db.execute(
        text(
            'INSERT INTO act (id, "key", act, relation, deadline_version, reason, given,'
            f" {of}, {by}) SELECT 99, key, 'record', 'recorder', 1, '', '{{}}', {of}, {by}"
            " FROM decision WHERE id = (SELECT min(id) FROM decision)"
        )
    )
    db.execute(
        text(
            "INSERT INTO signed_paper (id, decision_id, act_id, file_id, name, signed_on)"
            " SELECT 99, min(id), 99, 1, 'paper.pdf', '2026-03-02' FROM decision"
        )
    )
