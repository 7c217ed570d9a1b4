"""A storage that fails: full, read only or broken, for real where the machine allows it."""

import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import errors
from sqlalchemy import Engine, event

NOBODY = 65534
_CODES = {
    "full": (sqlite3.SQLITE_FULL, errors.DiskFull),
    "read only": (sqlite3.SQLITE_READONLY, errors.ReadOnlySqlTransaction),
    "broken": (sqlite3.SQLITE_IOERR_FSYNC, errors.IoError),
}
SAID = {
    "full": "存储空间不足，本次未保存",
    "read only": "系统现在只能查看，本次未保存",
    "broken": "存储设备读写出错，本次未保存",
}


@contextmanager
def failing(engine: Engine, kind: str, statement: str) -> Iterator[None]:
    """Statements that begin so meet a storage that is ``full``, ``read only`` or ``broken``."""

    def fail(cursor: Any, sent: str, parameters: Any, context: Any) -> None:
        if sent.startswith(statement):
            raise driver_error(engine, kind)

    for moment in ("do_execute", "do_executemany"):
        event.listen(engine, moment, fail)
    try:
        yield
    finally:
        for moment in ("do_execute", "do_executemany"):
            event.remove(engine, moment, fail)


def driver_error(engine: Engine, kind: str) -> Exception:
    """What the driver of this database raises then."""
    code, of_postgresql = _CODES[kind]
    if engine.dialect.name == "postgresql":
        return of_postgresql(kind)
    error = sqlite3.OperationalError(kind)
    error.sqlite_errorcode = code
    return error


@dataclass
class Pages:
    """SQLite's own limit on the pages of a database, for every connection of an engine."""

    engine: Engine
    _most: int = 1 << 30
    _known: set[Any] = field(default_factory=set)

    def __post_init__(self) -> None:
        event.listen(self.engine, "begin", self._limit)

    def fill(self) -> None:
        """No page more."""
        with self.engine.connect().execution_options(read_only=True) as db:
            self._most = db.exec_driver_sql("PRAGMA page_count").scalar_one()

    def free(self) -> None:
        """As many as there are."""
        self._most = 1 << 30

    def _limit(self, connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={self._most}")


@dataclass
class FileSizes:
    """No file grows any more: what a process that is not root can do to itself."""

    folder: Path

    def fill(self) -> None:
        """The largest file of the folder is as large as one may be."""
        most = max(path.stat().st_size for path in self.folder.iterdir())
        self._limit(most)

    def free(self) -> None:
        """The limit is lifted."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, most: int) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))


@dataclass
class SmallDisk:
    """A file system in memory with little room."""

    folder: Path

    def fill(self) -> None:
        """Not a byte is left."""
        filler = (self.folder / "filler").open("wb")
        try:
            while True:
                filler.write(b"\0" * 4096)
                filler.flush()
        except OSError:
            filler.raw.close()

    def free(self) -> None:
        """Somebody tidied up."""
        (self.folder / "filler").unlink(missing_ok=True)


@contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk | None]:
    """A small file system of one's own, or None where this machine mounts nothing."""
    folder = Path(tempfile.mkdtemp(prefix="fourduties-small-"))
    options = ["-o", f"size={megabytes}m,mode=755"]
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0
    try:
        yield SmallDisk(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        shutil.rmtree(folder)


@contextmanager
def sealed(folder: Path) -> Iterator[None]:
    """Nobody may write into a folder, nor into its files; root is not asked, so it steps back."""
    paths = [folder, *folder.iterdir()]
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(NOBODY)
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)
