"""A database of either kind for fixtures that are made once for a file."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of a fresh migrated one; ``request.param`` is ``sqlite`` or ``postgresql``."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "lived.db")
        yield f"sqlite:///{folder / 'lived.db'}"
        return
    databases = request.getfixturevalue("postgresql")
    name = databases.make()
    yield databases.url(name)
    databases.drop(name)
