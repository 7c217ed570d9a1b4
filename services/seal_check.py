"""Whether what is sealed is still what was sealed (INV-10), and where it is not.

Eight kinds of edit below the last seal are found, also by who recomputes every hash that the
database holds: an entry changed; taken out; put in; two exchanged; a chain written anew from an
entry on; a tail cut off together with its head; a leaf changed or taken out; a seal changed, taken
out or signed by somebody else's key. That the newest seals were taken off with all they seal shows
against a seal that left the house only (``against``).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from models.base import Instant
from policy.merkle import Range, leaf_hash
from services.errors import Invalid
from services.seal_hash import ALGORITHMS, digest_of
from services.seal_key import endorsement, key_id, signed
from services.sealing import leaf, statement
from services.violation import Violation

FIELDS = ("number", "size", "root", "previous", "at", "algorithm", "key_id", "signature")
"""What a seal is outside the house; ``public`` is the key beside it."""
_IN_PARTS = {"yield_per": 1000}
_SEALS = text("SELECT * FROM seal ORDER BY number, id").columns(at=Instant)
_ONE = text("SELECT * FROM seal WHERE number = :number").columns(at=Instant)
_LAST = text("SELECT * FROM seal ORDER BY number DESC LIMIT 1").columns(at=Instant)
_LEAVES = text(
    "SELECT l.place, l.stream, l.n, l.hash, a.hash AS kept FROM seal_leaf l"
    " LEFT JOIN audit a ON a.stream = l.stream AND a.n = l.n ORDER BY l.place, l.id"
)
_BEFORE = text("SELECT max(n) FROM seal_leaf WHERE stream = :stream AND n < :n")
_ALGORITHMS = text("SELECT DISTINCT algorithm FROM seal")
_KEYS = text("SELECT key_id, public, endorsed FROM seal_key ORDER BY id")


def unlike_the_seals(db: Connection, public: str = "") -> Iterator[Violation]:
    """What was changed below the last seal. ``public`` is the key that must be ours."""
    keys = {row.key_id: row.public for row in db.execute(_KEYS)}
    yield from _strange_keys(db, public)
    trees, before, number = _trees(db), None, 0
    leaves = iter(db.execute(_LEAVES, execution_options=_IN_PARTS))
    whole = True
    for seal in db.execute(_SEALS, execution_options=_IN_PARTS):
        for row in _until(leaves, trees, seal.size):
            yield from _leaf(db, row)
        tree = trees.get(seal.algorithm, Range())
        if whole and (tree.size, tree.root().hex()) != (seal.size, seal.root):
            whole = False  # each later root differs as well: the first one says where
            yield _found("封存的叶与其签名的根不符", seal=seal.number)
        yield from _seal(seal, keys, number, _hash(before, tree))
        number, before = seal.number, seal
    for row in leaves:
        yield _found("叶不在任何封存之下", stream=row.stream, n=row.n)


def against(db: Connection, told: Mapping[str, Any]) -> Iterator[Violation]:
    """Whether a seal that left the house is still here as it was; Invalid for what is no seal."""
    if not authentic(told):
        raise Invalid("文件不是有效的封存回执：内容与签名不符。")
    seal = db.execute(_ONE, {"number": told["number"]}).first()
    here = outside(seal, kept_keys(db)) if seal is not None else {}
    if any(here.get(name) != told[name] for name in (*FIELDS, "public")):
        yield _found("送出的封存与库中不符", seal=told["number"])


def newest(db: Connection) -> dict[str, Any] | None:
    """The last seal as it leaves the house; None before the first."""
    seal = db.execute(_LAST).first()
    if seal is None:
        return None
    return outside(seal, kept_keys(db))


def kept_keys(db: Connection) -> list[Row[Any]]:
    """The keys that sealed here, the first one first."""
    return list(db.execute(_KEYS))


def outside(seal: Row[Any], keys: Sequence[Row[Any]]) -> dict[str, Any]:
    """A seal as plain JSON, with the keys from the first one to its own: each endorses the next."""
    said = {name: getattr(seal, name) for name in FIELDS}
    upto = next((n for n, one in enumerate(keys, 1) if one.key_id == seal.key_id), 0)
    chain = [{"public": one.public, "endorsed": one.endorsed} for one in keys[:upto]]
    public = chain[-1]["public"] if chain else ""
    return said | {"at": seal.at.astimezone(UTC).isoformat(), "public": public, "keys": chain}


class Told:
    """A seal from outside, as the signer saw it."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        vars(self).update({name: told[name] for name in FIELDS})
        self.at = datetime.fromisoformat(told["at"])


def authentic(told: Mapping[str, Any]) -> bool:
    """Whether a seal from outside is signed by the key that stands with it."""
    try:
        said = statement(Told(told))
        named = key_id(told["public"]) == told["key_id"]
        return named and signed(told["public"], told["signature"], said)
    except (KeyError, TypeError, ValueError):
        return False


def _trees(db: Connection) -> dict[str, Range]:
    """A tree for each hash function that sealed here: all have all leaves."""
    said = set(db.execute(_ALGORITHMS).scalars())
    return {name: Range(digest_of(name)) for name in ALGORITHMS if name in said}


def _until(leaves: Iterator[Row[Any]], trees: Mapping[str, Range], size: int) -> Iterator[Row[Any]]:
    """Take leaves into the trees until they are that large, or none is left."""
    while any(tree.size < size for tree in trees.values()):
        if (row := next(leaves, None)) is None:
            return
        for tree in trees.values():
            tree.append(leaf_hash(leaf(row.stream, row.n, row.hash), tree.digest))
        yield row


def _leaf(db: Connection, row: Row[Any]) -> Iterator[Violation]:
    if row.kept == row.hash:
        return
    what = "已封存的记录缺失" if row.kept is None else "已封存的记录被改动"
    before = db.execute(_BEFORE, {"stream": row.stream, "n": row.n}).scalar() or 0
    yield _found(what, stream=row.stream, after=before, n=row.n)


def _seal(
    seal: Row[Any], keys: Mapping[str, str], number: int, previous: str
) -> Iterator[Violation]:
    if seal.number != number + 1:
        yield _found("封存记录缺失", seal=number + 1)
    elif seal.previous != previous:
        yield _found("封存与前一次封存不相接", seal=seal.number)
    if not signed(keys.get(seal.key_id, ""), seal.signature, statement(seal)):
        yield _found("封存的签名不符", seal=seal.number)


def _strange_keys(db: Connection, public: str) -> Iterator[Violation]:
    """Each key is named by what it is, and endorsed by the one before; the last one is ours."""
    before = ""
    for row in db.execute(_KEYS):
        fits = row.key_id == key_id(row.public)
        known = not before or signed(before, row.endorsed, endorsement(row.public))
        if not fits or not known:
            yield _found("封存密钥来历不明", key=row.key_id)
        before = row.public
    if public and before not in ("", public):
        yield _found("封存密钥不是本安装的密钥", key=key_id(before))


def _hash(seal: Row[Any] | None, after: Range) -> str:
    """As the seal after it names it, by the hash function of that one."""
    return after.digest(statement(seal).encode()).hex() if seal is not None else ""


def _found(what: str, **ids: Any) -> Violation:
    return Violation("INV-10", what, ids)
