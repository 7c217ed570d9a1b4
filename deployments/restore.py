"""``fourduties restore``: puts a backup in the place of what is there, and says what that means.

Nothing may run meanwhile. What was there is kept beside it (SQLite) or comes back by itself if
anything fails (PostgreSQL, one transaction). The database then begins a new epoch, and nothing
leaves the house until an operator has looked (``services.installation``).
"""

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from deployments import postgresql_tools
from deployments.backup import Manifest, NoBackup, Part, file_of, read_manifest, url_of
from deployments.clock import now
from deployments.preparing import upgrade
from deployments.root import database
from deployments.settings import Settings
from deployments.supervisor import AlreadyRunning, only_one
from services.command import Actor
from services.database import open_engine, reading
from services.env import Env
from services.errors import DutiesError
from services.installation import Held, Standing, held, restored, standing_of

RESTORER = Actor(None, "restore")


class InUse(DutiesError):
    """还有进程在使用数据，请先全部停止，再恢复备份。"""

    status = 409
    code = "in_use"


@dataclass(frozen=True, slots=True)
class Report:
    """``held`` waits to be sent. What was sent after ``manifest.last`` nobody here knows."""

    manifest: Manifest
    standing: Standing | None
    held: tuple[Held, ...]


def restore(settings: Settings, folder: Path, parts: Sequence[Part]) -> Report:
    """Bring ``parts`` of a backup back. NoBackup, InUse: nothing was changed."""
    manifest = read_manifest(folder)
    chosen = [part for part in Part if part in parts]
    missing = [part for part in chosen if _name(settings, part) not in manifest.files]
    if missing:
        raise NoBackup(f"备份中没有：{'、'.join(missing)}（数据库的种类也要相同）。")
    with _stopped(settings):
        report = Report(manifest, None, ())
        for part in chosen:
            if part is Part.DATABASE:
                report = Report(manifest, *_database(settings, folder))
            else:
                _other(settings, folder, part)
        return report


def _database(settings: Settings, folder: Path) -> tuple[Standing, tuple[Held, ...]]:
    """Ours. On SQLite the new epoch has begun before the file takes its place."""
    url, before = url_of(settings, Part.DATABASE), _epoch(settings)
    saved = folder / file_of(Part.DATABASE, url)
    if url.get_backend_name() != "sqlite":
        _require_alone(url)
        postgresql_tools.bring_back(url, saved, last=_HOLD)
        return _begin(settings.database_url, folder.name, before)
    there = Path(url.database or "")
    draft = _copied(there, saved)
    begun = _begin(f"sqlite:///{draft}", folder.name, before)
    _replace(there, draft)
    return begun


def _other(settings: Settings, folder: Path, part: Part) -> None:
    saved = folder / _name(settings, part)
    if part is Part.FILES:
        with tarfile.open(saved) as tar:
            tar.extractall(settings.data, filter="data")
        return
    url = url_of(settings, part)
    if url.get_backend_name() == "sqlite":
        there = Path(url.database or "")
        _replace(there, _copied(there, saved))
    else:
        _require_alone(url)
        postgresql_tools.bring_back(url, saved)


_HOLD = """DO $$ BEGIN
  IF to_regclass('public.installation') IS NOT NULL THEN
    UPDATE public.installation SET holding = true;
  END IF;
END $$"""
"""In the transaction that brings the database back: if this process dies next, nothing is sent."""


def _begin(url: str, backup: str, before: int) -> tuple[Standing, tuple[Held, ...]]:
    """The restored database, brought to this code's schema, begins its epoch."""
    engine = open_engine(url)
    try:
        upgrade(engine)
        key = f"restored-{now():%Y%m%dT%H%M%S%f}"
        standing = restored(Env(engine, now), RESTORER, key=key, backup=backup, after=before)
        with reading(engine) as db:
            return standing, tuple(held(db))
    finally:
        engine.dispose()


def _name(settings: Settings, part: Part) -> str:
    return file_of(part, None if part is Part.FILES else url_of(settings, part))


@contextmanager
def _stopped(settings: Settings) -> Iterator[None]:
    try:
        with only_one(settings.data / "run"):
            yield
    except AlreadyRunning as error:
        raise InUse from error


def _epoch(settings: Settings) -> int:
    """The epoch of what is there; a database that is lost or broken has none to come after."""
    url = url_of(settings, Part.DATABASE)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return 1  # asking would make an empty one
    engine = database(settings)
    try:
        with reading(engine) as db:
            return standing_of(db).epoch
    except SQLAlchemyError:
        return 1
    finally:
        engine.dispose()


def _copied(there: Path, saved: Path) -> Path:
    """The saved database beside the one it is to replace; NoBackup when it is damaged."""
    draft = there.with_name(f".{there.name}.restoring")
    for suffix in ("", "-wal", "-shm"):  # of a restore that was killed
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(saved, draft)
    with closing(sqlite3.connect(draft)) as db:
        if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise NoBackup
    return draft


def _replace(there: Path, draft: Path) -> None:
    """One rename: at every moment there is the old database, whole, or the new one."""
    with draft.open("rb") as copied:
        os.fsync(copied.fileno())
    kept = there.with_name(f"{there.name}.before-{now():%Y%m%dT%H%M%S%f}")
    if there.exists():
        _close(there)
        kept.hardlink_to(there)
    _set_aside(there, kept)
    draft.replace(there)


def _close(there: Path) -> None:
    """Fold the write-ahead log in. Others must be gone."""
    try:
        with closing(sqlite3.connect(there, timeout=0)) as db:
            db.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise InUse from error
    except sqlite3.DatabaseError:
        return  # broken: that is why it is restored


def _set_aside(there: Path, kept: Path) -> None:
    """A log that is left, of a database that is lost or broken: it must not meet another one."""
    for suffix in ("-wal", "-shm"):
        left = there.with_name(there.name + suffix)
        if left.exists():
            left.replace(kept.with_name(kept.name + suffix))


def _require_alone(url: URL) -> None:
    engine = create_engine(postgresql_tools.by_psycopg(url), poolclass=NullPool)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    with engine.connect() as db:
        if db.execute(text(f"{others}pg_backend_pid()")).scalar_one():
            raise InUse
