"""INV-20: whether every row about a file has that file, and every file its row; and the reaper.

Read from the disk, byte by byte: what rots there is found here.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, text

from models.base import table
from models.evidence import EvidenceFile
from services.database import reading
from services.env import Env
from services.file_store import FileStore, Reaper
from services.installation import standing_of
from services.violation import Violation

_files = table(EvidenceFile)
_ROWS = text("SELECT id, sha256, size FROM evidence_file ORDER BY id")
_UNUSED = text(
    "SELECT id FROM evidence_file f WHERE NOT EXISTS"
    " (SELECT 1 FROM evidence_version v WHERE v.file_id = f.id) AND NOT EXISTS"
    " (SELECT 1 FROM signed_paper p WHERE p.file_id = f.id) ORDER BY id"
)
_EMPTY = text(
    "SELECT id FROM evidence e WHERE NOT EXISTS"
    " (SELECT 1 FROM evidence_version v WHERE v.evidence_id = e.id) ORDER BY id"
)
_KEPT = text(
    "SELECT v.id, v.number, v.evidence_id, v.slot_id, f.sha256, f.size FROM evidence_version v"
    " JOIN evidence_file f ON f.id = v.file_id"
)
_TOLD = text("SELECT body FROM audit WHERE stream LIKE 'branch/%' AND body LIKE '%\"evidence\"%'")
_WITHDRAWN = text("SELECT version_id FROM evidence_withdrawal")
_TOLD_WITHDRAWN = text(
    "SELECT body FROM audit WHERE stream LIKE 'branch/%' AND body LIKE '%\"evidence_withdrawn\"%'"
)
_CHUNK = 500


def unlike_the_files(db: Connection, store: FileStore, before: datetime) -> Iterator[Violation]:
    """Rows whose file is missing or another, and files of no row that were there ``before``: what
    came later may belong to an upload under way, or wait for the reaper.
    """
    known = set()
    for row in db.execute(_ROWS):
        known.add(row.sha256)
        path, kept = store.path(row.sha256), {"file": row.id, **_content(row.sha256, row.size)}
        if not path.is_file():
            yield Violation("INV-20", "佐证的文件不在存储中", kept)
        elif (found := (_sum(path), path.stat().st_size)) != (row.sha256, row.size):
            there = {f"found_{name}": value for name, value in _content(*found).items()}
            yield Violation("INV-20", "佐证的文件与其记录不符", kept | there)
    for name in store.names():
        if name not in known and _is_older(store.path(name), before):
            yield Violation("INV-20", "存储中的文件没有记录", {"sha256": name[:12]})
    for row in db.execute(_UNUSED):
        yield Violation("INV-20", "文件的记录没有佐证使用", {"file": row.id})


def unlike_the_audit(db: Connection) -> Iterator[Violation]:
    """Evidence without a version, and versions or withdrawals that the branch's chain does not
    tell of (INV-6).
    """
    for row in db.execute(_EMPTY):
        yield Violation("INV-6", "佐证没有任何版本", {"evidence": row.id})
    kept = {version.id: tuple(version) for version in db.execute(_KEPT)}
    told = {version[0]: version for version in _told(db)}
    for id_ in sorted(kept.keys() | told.keys()):
        if kept.get(id_) != told.get(id_):
            about = {"version": id_, **_of("", kept.get(id_)), **_of("told_", told.get(id_))}
            yield Violation("INV-6", "佐证与审计记录不符", about)
    withdrawn = {row.version_id for row in db.execute(_WITHDRAWN)}
    for one in sorted(withdrawn ^ set(_told_withdrawn(db))):
        yield Violation("INV-6", "佐证的撤回与审计记录不符", {"version": one})


class Reaping:
    """A :class:`Reaper` over our rows. After a restore it waits until the operator has looked:
    files of what was done since the backup are not to be lost before.
    """

    def __init__(self, env: Env, store: FileStore) -> None:
        self._env = env
        self._reaper = Reaper(store, self._known)

    def once(self) -> int:
        """Look; how many files were taken away."""
        with reading(self._env.engine) as db:
            holding = standing_of(db).holding
        return 0 if holding else self._reaper.look()

    def _known(self, names: Collection[str]) -> set[str]:
        listed = sorted(names)
        found: set[str] = set()
        with reading(self._env.engine) as db:
            for at in range(0, len(listed), _CHUNK):
                mine = _files.c.sha256.in_(listed[at : at + _CHUNK])
                found |= set(db.execute(select(_files.c.sha256).where(mine)).scalars())
        return found


def _of(prefix: str, version: tuple[Any, ...] | None) -> dict[str, Any]:
    content = _content(*version[-2:]) if version else {"sha256": None}
    return {f"{prefix}{name}": value for name, value in content.items()}


def _content(sha256: str, size: int) -> dict[str, Any]:
    """What tells one content from another, short enough to be read."""
    return {"sha256": sha256[:12], "size": size}


def _told(db: Connection) -> Iterator[tuple[int, int, int, int, str, int]]:
    for row in db.execute(_TOLD):
        for note in json.loads(row.body).get("changes", ()):
            if note["act"] == "evidence":
                for one in note["versions"]:
                    yield (
                        one["version"],
                        one["number"],
                        one["evidence"],
                        note["slot"],
                        one["sha256"],
                        one["size"],
                    )


def _told_withdrawn(db: Connection) -> Iterator[int]:
    for row in db.execute(_TOLD_WITHDRAWN):
        for note in json.loads(row.body).get("changes", ()):
            if note["act"] == "evidence_withdrawn":
                yield note["version"]


def _sum(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_older(path: Path, before: datetime) -> bool:
    return path.exists() and path.stat().st_mtime < before.timestamp()
