"""Reading evidence: every look at a file and every copy of it is recorded before it is handed out.

The record is an audit chain for each piece (rule L: a stream of its own for sensitive reads), so
it can be shown and cannot be thinned out. Where it cannot be written, nothing is handed out.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from models.audit import Audit
from models.base import table
from models.evidence import Evidence, EvidenceFile, EvidenceVersion
from models.organisation import Organisation, Post
from policy.calendar import local_day
from policy.evidence import SHOWN, FileKind
from policy.sanitise import blackened
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import NotFound, StorageFault
from services.evidence_intake import store_of
from services.scope import Standing, post_name, standing, visible_case

STREAM = "read/evidence/"
"""What the stream of a piece of evidence begins with; its number follows."""
SHOWN_READS = 50
"""How many of the last reads a page lists."""
_audit = table(Audit)
_evidence = table(Evidence)
_files = table(EvidenceFile)
_organisations = table(Organisation)
_posts = table(Post)
_versions = table(EvidenceVersion)


class Way(StrEnum):
    """How a file is read."""

    SEEN = "seen"
    DOWNLOADED = "downloaded"


class FileLost(StorageFault):
    """这个文件现在读不出来。请告诉系统运维员。"""

    code = "file_lost"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that may be handed out; ``way`` is how: what no browser shows is downloaded."""

    path: Path
    name: str
    kind: FileKind
    way: Way


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody read a version. ``post`` is the one as which they acted."""

    post: str
    number: int
    way: Way
    at: datetime


def open_version(
    env: Env, actor: Actor, version_id: int, way: Way, *, post_id: int | None = None
) -> Opened:
    """A version's file, for somebody who may see its case; the read is recorded.

    ``post_id`` is the post as which they act; None, or one that they hold no more: their first.

    The same again within a minute is one read. Errors: NotFound (missing, or not to be seen),
    :class:`FileLost`, and what refuses any command (then nobody reads).
    """
    with reading(env.engine) as db:
        who = standing(db, actor.person_id or 0, local_day(env.clock()))
        row = _visible(db, who, version_id)
    path = store_of(env).path(row.sha256)
    if not path.is_file():
        raise FileLost
    kind = FileKind(row.kind)
    way = way if kind in SHOWN else Way.DOWNLOADED
    _record(env, actor, row, way, acting_post(who, post_id))
    return Opened(path, blackened(row.name), kind, way)


def reads_of(db: Connection, evidence_id: int) -> tuple[Read, ...]:
    """The last reads of a piece of evidence, the newest first. The caller knows that this person
    may see it.
    """
    stream = _stream(evidence_id)
    last = select(_audit.c.body, _audit.c.at).where(_audit.c.stream == stream)
    rows = db.execute(last.order_by(_audit.c.n.desc()).limit(SHOWN_READS)).all()
    said = [(json.loads(row.body), row.at) for row in rows]
    names = post_names(db, {body["post"] for body, _ in said} - {None})
    return tuple(
        Read(names.get(body["post"], ""), body["number"], Way(body["act"]), at) for body, at in said
    )


def _visible(db: Connection, who: Standing, version_id: int) -> Row[Any]:
    row = db.execute(
        select(
            _versions.c.id,
            _versions.c.evidence_id,
            _versions.c.number,
            _versions.c.name,
            _files.c.sha256,
            _files.c.kind,
            _evidence.c.case_id,
        )
        .join(_evidence, _evidence.c.id == _versions.c.evidence_id)
        .join(_files, _files.c.id == _versions.c.file_id)
        .where(_versions.c.id == version_id)
    ).first()
    if row is None:
        raise NotFound
    visible_case(db, who, row.case_id)
    return row


def acting_post(who: Standing, post_id: int | None) -> int | None:
    """The post as which somebody reads: the one they chose while they hold it, or their first."""
    first = who.post_ids[0] if who.post_ids else None
    return post_id if post_id in who.post_ids else first


def _record(env: Env, actor: Actor, row: Row[Any], way: Way, post: int | None) -> None:
    body = {"act": way.value, "version": row.id, "number": row.number, "post": post}
    minute = f"{env.clock():%Y%m%dT%H%M}"
    key = f"evidence-read-{actor.person_id}-{post}-{row.id}-{way}-{minute}"

    def act(work: Work) -> dict[str, Any]:
        work.audit(_stream(row.evidence_id), body)
        return {}

    execute(env, actor, "evidence.read", key, body, act)


def _stream(evidence_id: int) -> str:
    return f"{STREAM}{evidence_id}"


def post_names(db: Connection, post_ids: set[int]) -> dict[int, str]:
    """What posts are called, by their numbers."""
    query = (
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_posts.c.id.in_(post_ids))
    )
    return {row.id: post_name(row.short_name, row.title) for row in db.execute(query)}
