"""Hash chains: one per branch, its head on the branch row that is locked anyway (rule L).

Construction: ``h = SHA-256("fd-audit-v1" ‖ 0 ‖ stream ‖ 0 ‖ n ‖ prev ‖ len ‖ body)``.
"""

import hashlib
import hmac
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.audit import Audit, AuditHead
from models.base import table

GENESIS = ""
_audit = table(Audit)
_heads = table(AuditHead)
_WRITE = insert(_audit).inline()  # nobody asks for the id: no RETURNING


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("an audit body holds no floats")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for part in value:
        _refuse_floats(part)


def canonical(body: dict[str, Any]) -> str:
    """Canonical JSON: sorted keys, no spaces, NFC, UTC instants; ValueError for NaN."""
    text = json.dumps(
        body,
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
        default=_plain,
        allow_nan=False,
    )
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def commitment(key: str, reason: str, payload: Any, late: bool) -> str:
    """What binds an entry to a decision's text without holding it: HMAC under the request's key.

    The text can go while the chain stays; who has both can show that they belong together.
    """
    text = json.dumps([reason, payload, late], sort_keys=True, ensure_ascii=True)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def entry_hash(stream: str, n: int, prev: str, body: str) -> str:
    """The hex hash of entry ``n`` of ``stream``, chained to ``prev``."""
    data = body.encode()
    head = f"fd-audit-v1\0{stream}\0{n}\0{prev}\0{len(data)}\0".encode()
    return hashlib.sha256(head + data).hexdigest()


def append_branch(
    db: Connection,
    branch_id: int,
    n: int,
    prev: str,
    *,
    command_id: int,
    at: datetime,
    body: dict[str, Any],
) -> tuple[int, str]:
    """Write the next entry of a locked branch; the caller keeps the new head (n, hash)."""
    return _write(db, f"branch/{branch_id}", n, prev, command_id, at, body)


def append_stream(
    db: Connection, stream: str, *, command_id: int, at: datetime, body: dict[str, Any]
) -> None:
    """Write the next entry of a stream of its own (``organisation``, ``login``), head locked."""
    head = lock_stream(db, stream)
    n, digest = _write(db, stream, head.n, head.hash, command_id, at, body)
    db.execute(update(_heads).where(_heads.c.stream == stream).values(n=n, hash=digest))


def lock_stream(db: Connection, stream: str) -> Row[tuple[int, str]]:
    """The head of a stream (n, hash), locked until the transaction ends.

    Also for commands that read a lot before they write: nobody else writes to the stream meanwhile.
    """
    lock = select(_heads.c.n, _heads.c.hash).where(_heads.c.stream == stream).with_for_update()
    head = db.execute(lock).first()
    if head is not None:
        return head
    # two may write a first entry at once: the second waits here for the first
    build: Any = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    first = {"stream": stream, "n": 0, "hash": GENESIS}
    db.execute(build(_heads).on_conflict_do_nothing(index_elements=["stream"]), first)
    return db.execute(lock).one()


def _write(
    db: Connection,
    stream: str,
    n: int,
    prev: str,
    command_id: int,
    at: datetime,
    body: dict[str, Any],
) -> tuple[int, str]:
    _refuse_floats(body)
    text = canonical(body)
    digest = entry_hash(stream, n + 1, prev, text)
    db.execute(
        _WRITE,
        {
            "stream": stream,
            "n": n + 1,
            "prev": prev,
            "hash": digest,
            "body": text,
            "command_id": command_id,
            "at": at,
        },
    )
    return n + 1, digest
