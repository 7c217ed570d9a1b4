"""The sealer (rule L): each minute it signs the heads of all audit chains, as one tree.

The heads that changed become leaves of a tree that only grows (RFC 6962), and its root is signed.
Whoever changes what is below a seal must have the key, and every copy of a seal that left the
house. What is above the last seal is held by its chain alone, so pages say up to when it is sealed.

It signs beside the decisions and asks nothing of them: no statement of a command knows of it.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text

from models.audit import Audit, Seal, SealKey, SealLeaf
from models.base import table
from policy.merkle import Digest, Range, leaf_hash
from services.database import reading
from services.env import Env
from services.seal_hash import digest_of
from services.seal_key import SigningKey

MOST = 10_000
"""How many heads a seal takes at most: while it is written, nobody else writes on SQLite."""
WHOLE = 60
"""Every so many turns all heads are compared, not those of new entries only."""
MARGIN = timedelta(minutes=10)
"""A transaction that began before a seal may commit after it, with an entry of a smaller number."""
_LOCK = 0x66645345
_audit, _keys = table(Audit), table(SealKey)
_leaves, _seals = table(SealLeaf), table(Seal)
_NEWEST = select(_seals).order_by(_seals.c.number.desc()).limit(1)
_LAST_AT = select(_seals.c.at).order_by(_seals.c.number.desc()).limit(1)
_UNSEALED = (
    "SELECT h.stream, h.n, h.hash, (SELECT max(id) FROM audit) AS entries FROM ({heads}) h"
    " WHERE NOT EXISTS (SELECT 1 FROM seal_leaf l WHERE l.stream = h.stream AND l.n >= h.n)"
    " ORDER BY h.stream LIMIT :most"
)
_ALL = text(
    _UNSEALED.format(
        heads="SELECT 'branch/' || CAST(id AS VARCHAR(20)) AS stream, audit_n AS n,"
        " audit_hash AS hash FROM branch WHERE audit_n > 0"
        " UNION ALL SELECT stream, n, hash FROM audit_head WHERE n > 0"
    )
)
_CHANGED = text(
    _UNSEALED.format(
        heads="SELECT a.stream, a.n, a.hash FROM audit a JOIN (SELECT stream, max(n) AS n"
        " FROM audit WHERE id > :after GROUP BY stream) c ON c.stream = a.stream AND c.n = a.n"
    )
)


class Unsealable(Exception):
    """The last seal is not what its own tree says: somebody changed it, so nothing is put on it."""


class Sealer:
    """Seals for one process. Any number may: one of them does it, and the others next time."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._turns = 0

    def once(self) -> int:
        """Seal what changed; how many heads. None for a process that does not hold the key."""
        if not self._env.seal_key:
            return 0
        key, sealed = SigningKey(self._env.seal_key), 0
        whole = self._turns % WHOLE == 0
        while found := seal(self._env, key, whole=whole):
            sealed += found
            if found < MOST:
                break
        self._turns += 1
        return sealed


def seal(env: Env, key: SigningKey, *, whole: bool = False) -> int:
    """Sign the heads that are not sealed yet, :data:`MOST` at a time; how many.

    0 also if another process seals now, or another key has followed this one. What is unsealed is
    looked for before the lock is taken. :class:`Unsealable` when the last seal was changed.
    """
    now = env.clock()
    with reading(env.engine) as db:
        last = db.execute(_NEWEST).first()
        given = {"after": _after(db, now), "most": MOST}
        found = db.execute(_ALL if whole else _CHANGED, given).all()
    if not found:
        return 0
    tree = _tree(env, last)
    for row in found:
        tree.append(leaf_hash(leaf(row.stream, row.n, row.hash), tree.digest))
    with env.engine.begin() as db:
        if not _alone(db, last) or not _mine(db, key, now):
            return 0
        _write(db, key, now, last, tree, env.seal_hash, found)
    return len(found)


def leaf(stream: str, n: int, head: str) -> bytes:
    """What a leaf of the tree holds."""
    return f"{stream}|{n}|{head}".encode()


def statement(row: Any) -> str:
    """What a seal signs: a line for each of its fields."""
    at = row.at.astimezone(UTC).isoformat()
    said = (row.number, row.size, row.root, row.previous, at, row.algorithm, row.key_id)
    return "\n".join(["fd-seal-v1", *map(str, said)]) + "\n"


def unsealed_since(db: Connection) -> datetime | None:
    """When the oldest entry was written that no look of the sealer has reached yet."""
    seen = select(func.coalesce(func.max(_seals.c.entries), 0)).scalar_subquery()
    query = select(_audit.c.at).where(_audit.c.id > seen).order_by(_audit.c.id).limit(1)
    at: datetime | None = db.execute(query).scalar()
    return at


def sealed_until(db: Connection) -> datetime | None:
    """When the last seal was made: nobody changes unseen what is older; None before the first."""
    at: datetime | None = db.execute(_LAST_AT).scalar()
    return at


def _after(db: Connection, now: datetime) -> int:
    query = select(func.max(_seals.c.entries)).where(_seals.c.at <= now - MARGIN)
    return db.execute(query).scalar() or 0


def _tree(env: Env, last: Row[Any] | None) -> Range:
    """The tree so far. Where the last seal was made by another hash function, its leaves are taken
    anew by the present one, after they were seen to be those that it signed."""
    digest = digest_of(env.seal_hash)
    if last is None:
        return Range(digest)
    peaks = [bytes.fromhex(peak) for peak in last.peaks.split()]
    tree = Range(digest_of(last.algorithm), last.size, peaks)
    if not tree.fits() or tree.root().hex() != last.root:
        raise Unsealable(f"seal {last.number}")
    return tree if last.algorithm == env.seal_hash else _anew(env, last, digest)


def _anew(env: Env, last: Row[Any], digest: Digest) -> Range:
    old, new = Range(digest_of(last.algorithm)), Range(digest)
    query = select(*(_leaves.c[name] for name in ("stream", "n", "hash"))).order_by(_leaves.c.place)
    with reading(env.engine) as db:
        for row in db.execute(query):
            for tree in (old, new):
                tree.append(leaf_hash(leaf(row.stream, row.n, row.hash), tree.digest))
    if old.root().hex() != last.root:
        raise Unsealable(f"seal {last.number}")
    return new


def _alone(db: Connection, last: Row[Any] | None) -> bool:
    """Whether nobody else seals now or did meanwhile; SQLite has one writer anyway."""
    if db.dialect.name == "postgresql":
        took = db.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not took.scalar():
            return False
    newest = db.execute(select(func.max(_seals.c.number))).scalar()
    return bool(newest == (last.number if last is not None else None))


def _mine(db: Connection, key: SigningKey, now: datetime) -> bool:
    """Whether this is the installation's key; the first one that seals becomes it."""
    kept = db.execute(select(_keys.c.key_id).order_by(_keys.c.id.desc()).limit(1)).scalar()
    if kept is None:
        first = {"key_id": key.id, "public": key.public, "endorsed": "", "at": now}
        db.execute(insert(_keys), first)
    return kept in (None, key.id)


def _write(
    db: Connection,
    key: SigningKey,
    now: datetime,
    last: Row[Any] | None,
    tree: Range,
    algorithm: str,
    found: Any,
) -> None:
    made = Seal(
        number=last.number + 1 if last is not None else 1,
        size=tree.size,
        root=tree.root().hex(),
        peaks=" ".join(peak.hex() for peak in tree.peaks),
        previous=tree.digest(statement(last).encode()).hex() if last is not None else "",
        at=now,
        algorithm=algorithm,
        key_id=key.id,
        signature="",
        entries=found[0].entries if len(found) < MOST else getattr(last, "entries", 0),
    )
    signature = key.sign(statement(made))
    db.execute(insert(_seals), made.model_dump(exclude={"id"}) | {"signature": signature})
    first = tree.size - len(found)
    db.execute(
        insert(_leaves),
        [
            {"place": first + at, "stream": row.stream, "n": row.n, "hash": row.hash}
            for at, row in enumerate(found)
        ],
    )
