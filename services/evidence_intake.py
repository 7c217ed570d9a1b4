"""Taking files in: each is received, looked at and kept, or all are refused with what is wrong.

Done before any transaction (rule K). What is kept and then has no row is taken away by the reaper.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from documents.book import Unreadable
from documents.fault import Fault
from documents.inspecting import Crowded, inspect
from policy.evidence import FileKind, kind_by_name, name_refusal, tidy_name
from services.env import Env
from services.errors import Busy, DutiesError
from services.faulty import refuse
from services.file_store import Draft, FileStore, FileTooLarge
from services.sanitising import refused_name


class NoFiles(DutiesError):
    """这里没有存放文件的地方，没有保存。请告诉系统运维员。"""

    status = 503
    code = "no_files"


class TooManyUploads(Busy):
    """同时上传的文件太多，这次没有保存，请稍后再上传。"""

    code = "too_many_uploads"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file somebody sends: what it is called, and where its content is read from."""

    name: str
    source: BinaryIO


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was kept, under its tidy name."""

    name: str
    kind: FileKind
    draft: Draft


def store_of(env: Env) -> FileStore:
    """Where files are kept; :class:`NoFiles` in a process that was given no place."""
    if env.files is None:
        raise NoFiles
    return env.files


def keep(store: FileStore, uploads: Sequence[Upload]) -> list[Kept]:
    """Keep all of them, or none: :class:`~services.faulty.Faulty` names each that is refused.
    :class:`TooManyUploads` where they could not be looked at now.
    """
    faults: list[Fault] = []
    received: list[Kept] = []
    with ExitStack() as drafts:
        for upload in uploads:
            name = tidy_name(upload.name)
            wrong = name_refusal(upload.name.strip()) or name_refusal(name) or _said_by(name)
            kind = kind_by_name(name)
            if wrong is None and kind is not None:
                draft, wrong = _received(store, upload, kind)
                if draft is not None:
                    drafts.callback(store.drop, draft)
                    received.append(Kept(name, kind, draft))
            faults += [Fault("", 0, name, wrong.rstrip("。"))] if wrong else []
        refuse([*faults, *_twice(received)])
        for one in received:
            store.keep(one.draft)
    return received


def _said_by(name: str) -> str | None:
    wrong = refused_name("evidence.add", "uploads", name)
    return f"文件名{wrong}" if wrong else None


def _received(store: FileStore, upload: Upload, kind: FileKind) -> tuple[Draft | None, str | None]:
    """The draft, and what is wrong with it; no draft of one that is too large."""
    try:
        draft = store.receive(upload.source)
    except FileTooLarge as error:
        return None, error.message
    try:
        inspect(draft.path, kind)
    except Unreadable as error:
        return draft, str(error)
    except Crowded as error:
        store.drop(draft)
        raise TooManyUploads from error
    except BaseException:
        store.drop(draft)
        raise
    return draft, None


def _twice(received: Sequence[Kept]) -> Iterator[Fault]:
    seen: set[str] = set()
    for one in received:
        if one.draft.sha256 in seen:
            yield Fault("", 0, one.name, "与这次所选的另一个文件内容相同")
        seen.add(one.draft.sha256)
