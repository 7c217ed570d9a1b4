"""Proofs of what is sealed, for whoever has a seal only: they show one thing, and nothing else.

Seals keep the peaks of their tree, so a proof reads the leaves that came after a seal, never all.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from models.base import Instant
from policy.merkle import Grown, Range, leaf_hash
from services.errors import Invalid, NotFound
from services.seal_check import kept_keys, outside
from services.seal_hash import digest_of
from services.sealing import leaf

_BOUND = text(
    "SELECT place, stream, n, hash FROM seal_leaf"
    " WHERE stream = :stream AND n >= :n ORDER BY n LIMIT 1"
)
_ABOVE = text("SELECT * FROM seal WHERE size > :place ORDER BY size LIMIT 1").columns(at=Instant)
_BY_NUMBER = text("SELECT * FROM seal WHERE number = :number").columns(at=Instant)
_LEAVES = text(
    "SELECT stream, n, hash FROM seal_leaf WHERE place >= :low AND place < :high ORDER BY place"
)


class OtherHash(Invalid):
    """两次封存之间换过散列算法，没有相接的证明：请以换算法后的一次封存重新开始。"""

    code = "other_hash"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry is sealed as or below the entry ``n`` of its stream, the leaf at ``place``."""

    place: int
    n: int
    hash: str
    path: tuple[str, ...]
    seal: dict[str, Any]
    """The seal as it leaves the house."""


def sealed_under(db: Connection, stream: str, n: int) -> Sealed | None:
    """Under which seal entry ``n`` of a stream stands, with the proof; None until it is sealed."""
    bound = db.execute(_BOUND, {"stream": stream, "n": n}).first()
    if bound is None:
        return None
    seal = db.execute(_ABOVE, {"place": bound.place}).one()
    before = db.execute(_BY_NUMBER, {"number": seal.number - 1}).first()
    path = _grown(db, before, seal).inclusion(bound.place)
    said = outside(seal, kept_keys(db))
    return Sealed(bound.place, bound.n, bound.hash, tuple(node.hex() for node in path), said)


def consistency(db: Connection, since: int, upto: int) -> tuple[str, ...]:
    """The proof that the tree of seal ``upto`` begins with that of seal ``since``.

    NotFound for a seal that is not here; :class:`OtherHash` where there is no such proof.
    """
    old, new = (db.execute(_BY_NUMBER, {"number": number}).first() for number in (since, upto))
    if old is None or new is None or old.size > new.size:
        raise NotFound("库中没有所指的封存。")
    if old.algorithm != new.algorithm:
        raise OtherHash
    return tuple(node.hex() for node in _grown(db, old, new).consistency())


def _grown(db: Connection, old: Row[Any] | None, new: Row[Any]) -> Grown:
    digest = digest_of(new.algorithm)
    before = Range(digest)
    if old is not None and old.algorithm == new.algorithm:
        before.size, before.peaks = old.size, [bytes.fromhex(one) for one in old.peaks.split()]
    rows = db.execute(_LEAVES, {"low": before.size, "high": new.size})
    return Grown(before, [leaf_hash(leaf(row.stream, row.n, row.hash), digest) for row in rows])
