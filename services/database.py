"""Engines that keep the promises of ``reliability.md`` §1, on SQLite and PostgreSQL alike."""

import logging
import sqlite3
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from services.errors import ReadOnly, StorageFault
from services.storage import refusal
from services.turns import Writer

AWAY = (OperationalError, InterfaceError, NoConnection)
"""What is raised when the database is not there, locked, or has no connection left for us."""
BUSY_SECONDS = 5.0
"""How long anybody waits for a lock, a connection or a statement before 系统繁忙."""
CROSSED = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialisation failure and of a deadlock: the same again will do."""
_CONNECTION, _SHUT_DOWN = "08", "57P"
"""Classes of SQLSTATE after which nobody knows what became of a COMMIT."""
_log = logging.getLogger(__name__)


def open_engine(url: str, *, pool_size: int = 10, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine for ``url``, on which nobody waits for longer than ``busy_seconds`` at a time.

    SQLite: WAL, ``synchronous=FULL``, foreign keys, and every transaction BEGIN IMMEDIATE, so that
    a reader never turns into a writer half-way; writers of a process take turns. PostgreSQL: READ
    COMMITTED, lock and statement time-outs. An error never quotes what was to be written:
    addresses hold secrets, and texts belong on pages (INV-19).
    """
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 10}
    pool["pool_timeout"] = busy_seconds
    if url.startswith("sqlite"):
        in_memory = make_url(url).database in (None, "", ":memory:")
        engine = _sqlite(url, busy_seconds, {} if in_memory else pool)
    else:
        engine = _postgresql(url, busy_seconds, pool)
    event.listen(engine, "handle_error", _of_the_storage)
    return engine


def _of_the_storage(context: ExceptionContext) -> None:
    """A fault of the storage is the operator's to know of. A connection that was made while nothing
    could be written may say so for ever: new ones are made, and it ends by itself.
    """
    found = refusal(context.sqlalchemy_exception)
    if isinstance(found, StorageFault):
        _log.error("the storage keeps nothing now: %s", found.code)
    if isinstance(found, ReadOnly):
        context.is_disconnect = True


def _postgresql(url: str, busy_seconds: float, pool: dict[str, Any]) -> Engine:
    most = round(busy_seconds * 1000)
    options = f"-c lock_timeout={most} -c statement_timeout={most} -c timezone=UTC"
    return create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": options},
        **pool,
    )


def _sqlite(url: str, busy_seconds: float, pool: dict[str, Any]) -> Engine:
    connect = {"check_same_thread": False, "factory": Writer}
    engine = create_engine(url, hide_parameters=True, connect_args=connect, **pool)
    turns = Lock()

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver opens no transaction of its own
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.wait_for_others(busy_seconds)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        if connection.get_execution_options().get("read_only"):
            connection.exec_driver_sql("BEGIN")
            return
        with connection.connection.driver_connection.taking(turns, busy_seconds):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reading(engine: Engine) -> Any:
    """A connection for queries (``with reading(engine) as db``): no write lock on SQLite.

    On PostgreSQL each stands alone, seeing what others committed as it would in a transaction, and
    two round trips are saved.
    """
    if engine.dialect.name == "sqlite":
        return engine.connect().execution_options(read_only=True)
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def patient(db: Connection) -> None:
    """Let the statements of this transaction take as long as they need: migrations, ``doctor``."""
    if db.dialect.name == "postgresql":
        db.exec_driver_sql("SET LOCAL statement_timeout = 0")


def same_again(error: DBAPIError) -> bool:
    """Whether the whole command may be repeated: it crossed another one, or its connection went."""
    return _state(error) in CROSSED or error.connection_invalidated


def in_doubt(error: DBAPIError) -> bool:
    """Whether a COMMIT that raised this may have been carried out all the same.

    The connection went, or what was written may not have reached the disk. Any other error is a
    plain no: PostgreSQL has rolled back, and SQLite keeps the transaction open until it is.
    """
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return bool(code == sqlite3.SQLITE_IOERR_FSYNC)
    state = _state(error) or _CONNECTION
    return error.connection_invalidated or state.startswith((_CONNECTION, _SHUT_DOWN))


def _state(error: DBAPIError) -> str:
    """The SQLSTATE, or "" when the database said none."""
    return getattr(error.orig, "sqlstate", None) or ""
