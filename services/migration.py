"""Brings a database to the schema this code was written for, whole or not at all.

A migration is one transaction on SQLite as on PostgreSQL, and two processes that start at once
take turns: the second one finds nothing left to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

import models
from services.database import patient
from services.errors import Busy, DutiesError

_FOLDER = Path(models.__file__).parent / "migrations"
_LOCK = 7_408_022_611
"""PostgreSQL advisory lock of migrations: any number nobody else uses."""


class BrokenReferences(DutiesError):
    """数据库升级后有记录指向不存在的数据，升级已撤销。"""

    code = "broken_references"


class OtherSchema(Busy):
    """数据库已由其他版本的程序升级，本次未保存。请系统运维员安装相应版本并重新启动。"""

    code = "other_schema"


def migrate(engine: Engine, revision: str = "head") -> None:
    """Upgrade to ``revision``; a database that is there already is left as it is.

    Raises what the failing statement raised, with nothing changed; :class:`OtherSchema` for one
    that a newer version has upgraded.
    """
    with _alone(engine) as db:
        _require_known(db)
        command.upgrade(_config(db), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to ``revision`` (``base``: no tables at all). What later tables held is gone."""
    with _alone(engine) as db:
        command.downgrade(_config(db), revision)


def revision(engine: Engine) -> str | None:
    """The revision the database is at, or None for an empty one."""
    with engine.connect() as db:
        return MigrationContext.configure(db).get_current_revision()


def require_own(db: Connection) -> None:
    """:class:`OtherSchema` unless the database has this code's schema for all of a transaction.

    For what writes without being a command: commands look by themselves. A migration that another
    version's process wants to make waits for the transaction.
    """
    if db.execute(text("SELECT version_num FROM alembic_version")).scalar() != newest():
        raise OtherSchema


@cache
def newest() -> str | None:
    """The revision this code was written for."""
    return ScriptDirectory(str(_FOLDER)).get_current_head()


def _require_known(db: Connection) -> None:
    found = MigrationContext.configure(db).get_current_revision()
    known = {script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()}
    if found is not None and found not in known:
        raise OtherSchema


def _config(db: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = db
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    if engine.dialect.name == "sqlite":
        with _sqlite(engine) as db:
            yield db
        return
    with engine.begin() as db:
        patient(db)
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if inspect(db).has_table("alembic_version"):
            # whoever saw the old revision is waited for, and nobody sees it any more
            db.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        yield db


@contextmanager
def _sqlite(engine: Engine) -> Iterator[Connection]:
    """A transaction without foreign keys enforced, checked as a whole before the commit.

    Dropping or rebuilding a table would otherwise delete what refers to it. The pragma does
    nothing inside a transaction, so it is set on the driver's connection, before it begins.
    """
    with engine.connect() as db:
        driver = db.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with db.begin():
                yield db
                if db.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise BrokenReferences
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
