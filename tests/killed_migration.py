"""Migrates a database again and again, each time killed before another statement.

``python -m tests.killed_migration URL REVISION`` prints, for each statement of the migration and
for its commit, the signal that ended it, and the revision and the tables that are left.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator

from sqlalchemy import inspect

from models.migrations import statements
from services.database import open_engine
from services.migration import migrate, revision

_whole = statements.statements


def killed_before(number: int, doomed: str, url: str) -> int:
    """Migrate in a process that kills itself before this statement; the signal that ended it."""
    child = os.fork()
    if child == 0:
        statements.statements = _until(number, doomed)  # type: ignore[assignment]
        migrate(open_engine(url))
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def _until(number: int, doomed: str) -> object:
    def listed(of: str, dialect: str, way: str) -> Iterator[str]:
        for place, statement in enumerate([*_whole(of, dialect, way), ""]):
            if of == doomed and place == number:
                os.kill(os.getpid(), signal.SIGKILL)
            if statement:
                yield statement

    return listed


def left(url: str) -> tuple[str | None, list[str]]:
    """The revision, and the tables."""
    engine = open_engine(url)
    try:
        return revision(engine), sorted(inspect(engine).get_table_names())
    finally:
        engine.dispose()


if __name__ == "__main__":
    database, doomed = sys.argv[1:]
    dialect = database.partition(":")[0].partition("+")[0]
    places = range(len(_whole(doomed, dialect, "up")) + 1)
    print(json.dumps([[killed_before(n, doomed, database), *left(database)] for n in places]))  # noqa: T201
