"""The whole audit as lines of JSON, for a verifier that knows nothing of ours.

Keys first; then the leaves of each seal and the seal; then every entry in the order of its chain,
and the heads. The texts of entries are those that were hashed.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, text

from models.base import Instant
from services.seal_check import FIELDS

_IN_PARTS = {"yield_per": 1000}
_KEYS = text("SELECT key_id, public, endorsed FROM seal_key ORDER BY id")
_SEALS = text("SELECT * FROM seal ORDER BY number, id").columns(at=Instant)
_LEAVES = text("SELECT place, stream, n, hash FROM seal_leaf ORDER BY place, id")
_ENTRIES = text("SELECT stream, n, prev, hash, body, at FROM audit ORDER BY stream, n, id").columns(
    at=Instant
)
_HEADS = text(
    "SELECT 'branch/' || CAST(id AS VARCHAR(20)) AS stream, audit_n AS n, audit_hash AS hash"
    " FROM branch WHERE audit_n > 0 UNION ALL SELECT stream, n, hash FROM audit_head"
)


def exported(db: Connection) -> Iterator[dict[str, Any]]:
    """Every line, from one snapshot; ``kind`` says what it is."""
    for row in db.execute(_KEYS):
        yield {"kind": "key", **row._mapping}
    yield from _sealed(db)
    for row in db.execute(_ENTRIES, execution_options=_IN_PARTS):
        yield {"kind": "entry", **row._mapping, "at": row.at.astimezone(UTC).isoformat()}
    for row in db.execute(_HEADS, execution_options=_IN_PARTS):
        yield {"kind": "head", **row._mapping}


def _sealed(db: Connection) -> Iterator[dict[str, Any]]:
    leaves = iter(db.execute(_LEAVES, execution_options=_IN_PARTS))
    taken = 0
    for seal in db.execute(_SEALS, execution_options=_IN_PARTS):
        while taken < seal.size and (row := next(leaves, None)) is not None:
            taken += 1
            yield {"kind": "leaf", **row._mapping}
        said = {name: getattr(seal, name) for name in FIELDS}
        yield {"kind": "seal", **said, "at": seal.at.astimezone(UTC).isoformat()}
    for row in leaves:
        yield {"kind": "leaf", **row._mapping}
