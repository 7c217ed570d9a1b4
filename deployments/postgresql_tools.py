"""PostgreSQL's own programs for saving a database and bringing it back."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from services.errors import DutiesError


class NoTools(DutiesError):
    """没有 PostgreSQL 的备份程序，请安装：apt-get install postgresql-client。"""

    status = 503
    code = "no_postgresql_tools"


class ToolFailed(DutiesError):
    """PostgreSQL 的备份程序没有成功，什么也没有改动。"""

    status = 503
    code = "postgresql_tool_failed"


_EMPTY = (
    "DROP SCHEMA public CASCADE",
    "CREATE SCHEMA public AUTHORIZATION pg_database_owner",
    "GRANT USAGE ON SCHEMA public TO PUBLIC",
)
"""Leaves the schema as a new database has it, so that the next dump does not speak of it."""


def dump(url: URL, to: Path) -> None:
    """Save a database as one snapshot, while it is used."""
    _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={to}")


def bring_back(url: URL, dumped: Path, last: str = "") -> None:
    """Put a saved database in the place of what is there, in one transaction.

    ``last`` is a statement that ends it.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        plain = ["--no-owner", "--no-privileges", f"--file={script}", str(dumped)]
        _run(None, "pg_restore", *plain)
        quiet = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        first = [word for statement in _EMPTY for word in ("--command", statement)]
        end = ["--command", last] if last else []
        _run(url, "psql", *quiet, *first, "--file", str(script), *end)


def by_psycopg(url: URL) -> URL:
    """The same database for psycopg and for PostgreSQL's programs, by whichever driver we use it:
    asyncpg has another word for the mode of TLS.
    """
    names = {"ssl": "sslmode"}
    query = {names.get(name, name): value for name, value in url.query.items()}
    return url.set(drivername="postgresql+psycopg", query=query)


def _run(url: URL | None, name: str, *words: str) -> None:
    """Run one of them; the password goes by the environment, which other users do not see.

    All else that the address says goes with it: a program that is not told the server asks another.
    """
    env, where = dict(os.environ), []
    if url is not None:
        same = by_psycopg(url)
        told = same.get_dialect()().create_connect_args(same)[1]
        password = told.pop("password", "")
        env |= {"PGPASSWORD": password} if password else {}
        where = [f"--dbname={make_conninfo(**told)}"]
    done = subprocess.run(
        [_program(name), *where, *words], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[:1]
        raise ToolFailed(f"{ToolFailed.__doc__} {name}: {' '.join(said)}")


def _program(name: str) -> str:
    """The newest that Debian has, which also saves older servers; else what is on the PATH."""
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    by_version = sorted(debian, key=lambda path: int(path.parent.parent.name))
    found = str(by_version[-1]) if by_version else shutil.which(name)
    if found is None:
        raise NoTools
    return found
