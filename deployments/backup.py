"""``fourduties backup``: a copy of everything that is kept, taken while it is used.

Each database is copied as one snapshot: SQLite's by its backup API (in WAL mode nobody waits),
PostgreSQL's by ``pg_dump``. A backup is a folder that appears whole or not at all.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from deployments import postgresql_tools
from deployments.root import database
from deployments.settings import Settings
from services.database import reading
from services.errors import DutiesError
from services.installation import last_command
from services.migration import revision

MANIFEST = "manifest.json"
KEPT_FILES = ("secrets", "files/kept")
"""Folders of the data folder that are neither a database nor made anew: secrets, evidence."""
_OWNERS_FOLDER = 0o700


class Part(StrEnum):
    """What can be saved and brought back by itself."""

    DATABASE = "database"
    PREFECT = "prefect"
    FILES = "files"


class NoBackup(DutiesError):
    """这里没有完整的备份，或者其中的文件与清单不符。"""

    status = 422
    code = "no_backup"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. ``files``: SHA-256 by name; ``last``: the last change it knows of."""

    taken_at: str
    revision: str
    last: str
    files: dict[str, str]


def back_up(settings: Settings, folder: Path, at: datetime, parts: Sequence[Part]) -> Path:
    """Save ``parts`` into a new folder under ``folder``, named by the time; that folder.

    Ours first: Prefect's copy may then know runs of cases ours does not, which are ended after a
    restore, and never the other way round.
    """
    final = folder / f"{at:%Y%m%dT%H%M%SZ}"
    draft = folder / f".{final.name}.partial-{os.getpid()}"
    draft.mkdir(mode=_OWNERS_FOLDER, parents=True)
    try:
        _fill(settings, draft, at, parts)
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # it holds secrets: nothing of it is left about
    _to_disk(folder)
    return final


def _fill(settings: Settings, draft: Path, at: datetime, parts: Sequence[Part]) -> None:
    for part in Part:
        if part in parts:
            _SAVES[part](settings, draft)
    known, last = _known(settings)
    sums = {path.name: _sum(path) for path in sorted(draft.iterdir())}
    manifest = Manifest(at.isoformat(), known, last, sums)
    (draft / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    for path in (*draft.iterdir(), draft):
        _to_disk(path)


def read_manifest(folder: Path) -> Manifest:
    """What a backup says of itself; :class:`NoBackup` unless every file is as it was written."""
    try:
        raw: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**raw)
        whole = all(_sum(folder / name) == known for name, known in manifest.files.items())
    except (OSError, ValueError, TypeError) as error:
        raise NoBackup from error
    if not whole:
        raise NoBackup
    return manifest


def file_of(part: Part, url: URL | None = None) -> str:
    """The name of a part's file in a backup; for a database by its kind."""
    if url is None:
        return f"{part}.tar"
    return f"{part}.{'sqlite' if url.get_backend_name() == 'sqlite' else 'dump'}"


def url_of(settings: Settings, part: Part) -> URL:
    """Where a database is."""
    ours = part is Part.DATABASE
    return make_url(settings.database_url if ours else settings.prefect_database_url)


def _save_database(settings: Settings, folder: Path) -> None:
    _save(url_of(settings, Part.DATABASE), folder, Part.DATABASE)


def _save_prefect(settings: Settings, folder: Path) -> None:
    _save(url_of(settings, Part.PREFECT), folder, Part.PREFECT)


def _save(url: URL, folder: Path, part: Part) -> None:
    to = folder / file_of(part, url)
    if url.get_backend_name() != "sqlite":
        postgresql_tools.dump(url, to)
        return
    source = f"file:{url.database}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as there, closing(sqlite3.connect(to)) as copy:
        there.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file


def _save_files(settings: Settings, folder: Path) -> None:
    """Files that vanish meanwhile had no row: those of the saved database stay."""
    with tarfile.open(folder / file_of(Part.FILES), "w") as tar:
        for name in KEPT_FILES:
            for path in _all_of(settings.data / name):
                with suppress(FileNotFoundError):
                    tar.add(path, arcname=path.relative_to(settings.data), recursive=False)


def _all_of(folder: Path) -> list[Path]:
    return [folder, *sorted(folder.rglob("*"))]


_SAVES = {Part.DATABASE: _save_database, Part.PREFECT: _save_prefect, Part.FILES: _save_files}


def _known(settings: Settings) -> tuple[str, str]:
    """Schema and last change of our database, for who looks for the right backup."""
    engine = database(settings)
    try:
        with reading(engine) as db:
            last = last_command(db)
        return revision(engine) or "", last.isoformat() if last else ""
    except SQLAlchemyError:
        return "", ""  # Prefect's database or the files can be saved without ours
    finally:
        engine.dispose()


def _sum(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
