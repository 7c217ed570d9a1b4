"""A folder of files under their SHA-256: each is there whole or not at all (INV-20).

A file is written beside the others, brought to the disk and then given its name, before the row
that speaks of it is committed. So a row always has its file. A process that is killed in between
leaves a file that no row speaks of; :class:`Reaper` takes such files away.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from services.errors import DutiesError

LARGEST = 20 << 20
"""Bytes of one file, unless the installation says otherwise."""
_PIECE = 1 << 18
_FOLDER, _FILE = 0o700, 0o600
_TAKEN = "taken-"
"""How a file is called that no row speaks of, while it is looked at a last time."""


class FileTooLarge(DutiesError):
    """文件太大，没有保存。"""

    status = 413
    code = "file_too_large"


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that was received and has no name yet."""

    path: Path
    sha256: str
    size: int


class FileStore:
    """The files of an installation. ``largest``: the most bytes of one.

    Processes on several machines need one folder that they share.
    """

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self.largest = largest
        self.kept, self.incoming = folder / "kept", folder / "incoming"

    def receive(self, source: BinaryIO) -> Draft:
        """Copy what somebody sends beside the files; :class:`FileTooLarge` beyond the most."""
        _make(self.incoming)
        path = self.incoming / secrets.token_hex(16)
        try:
            return self._copy(source, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _copy(self, source: BinaryIO, path: Path) -> Draft:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE), "wb") as to:
            while piece := source.read(_PIECE):
                size += len(piece)
                if size > self.largest:
                    raise FileTooLarge(f"文件超过 {self.largest >> 20} MB，没有保存。")
                digest.update(piece)
                to.write(piece)
        return Draft(path, digest.hexdigest(), size)

    def keep(self, draft: Draft) -> None:
        """Bring a draft to the disk and give it its name. One that is there already is replaced by
        the same content: whoever holds it for forgotten finds another file in its place.
        """
        final = self.path(draft.sha256)
        _make(final.parent)
        to_disk(draft.path)
        draft.path.replace(final)
        to_disk(final.parent)

    def drop(self, draft: Draft) -> None:
        """Forget a draft that was not kept."""
        draft.path.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the file of this content lies, if it is there."""
        return self.kept / sha256[:2] / sha256

    def names(self) -> Iterator[str]:
        """The SHA-256 of every file that is there."""
        for folder in sorted(_listed(self.kept)):
            yield from sorted(path.name for path in _listed(folder))


class Reaper:
    """Takes away what killed uploads left: files of no row, and drafts that nobody finishes.

    It needs two looks, with longer between them than an upload takes, and believes no clock: what
    is the same file at both and has no row is taken. ``known`` says which of some SHA-256 have one.
    """

    def __init__(
        self, store: FileStore, known: Callable[[Collection[str]], Collection[str]]
    ) -> None:
        self._store, self._known = store, known
        self._seen: dict[Path, tuple[int, int]] = {}

    def look(self) -> int:
        """Look once more; how many files were taken away."""
        self._bring_back()
        left = {path: is_ for path in self._forgotten() if (is_ := _which(path)) is not None}
        old = [path for path, is_ in left.items() if self._seen.get(path) == is_]
        self._seen = left
        return sum(self._take(path, left[path]) for path in old)

    def _forgotten(self) -> list[Path]:
        names = list(self._store.names())
        orphans = set(names) - set(self._known(names))
        drafts = [path for path in _listed(self._store.incoming) if not _is_taken(path)]
        return [*(self._store.path(name) for name in sorted(orphans)), *drafts]

    def _take(self, path: Path, seen: tuple[int, int]) -> bool:
        """Set it aside first: whoever keeps the same content meanwhile puts a new file there."""
        aside = self._store.incoming / f"{_TAKEN}{path.name}"
        with suppress(FileNotFoundError):
            path.replace(aside)
            if _which(aside) == seen:
                aside.unlink()
                return True
            self._put_back(aside)
        return False

    def _bring_back(self) -> None:
        """What was set aside by a reaper that was killed: perhaps a row speaks of it by now."""
        for aside in _listed(self._store.incoming):
            if _is_taken(aside):
                self._put_back(aside)

    def _put_back(self, aside: Path) -> None:
        final = self._store.path(aside.name.removeprefix(_TAKEN))
        with suppress(FileNotFoundError, FileExistsError):
            final.hardlink_to(aside)
        aside.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Have what was written reach the disk: a file's content, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    """Make a folder, so that it is there after a crash too."""
    if folder.is_dir():
        return
    folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    for above in (folder.parent, folder.parent.parent):
        to_disk(above)


def _listed(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return list(folder.iterdir())
    return []


def _is_taken(path: Path) -> bool:
    return path.name.startswith(_TAKEN)


def _which(path: Path) -> tuple[int, int] | None:
    """Which file this is: another one of the same name differs."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns
    return None
