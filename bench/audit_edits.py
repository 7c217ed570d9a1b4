"""``make bench BENCH=audit_edits``: 10,000 random edits of a sealed audit, by who holds the disk.

A line of JSON for each database: how many of each kind, and of those how many were found, and said
where. Each edit is made below the last seal in a transaction that is rolled back; all but the first
kind recompute whatever hash the database holds. ``EDITS`` and ``SEED`` may be set before the
command.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from sqlalchemy import Connection, Engine, text

from bench.audit_history import SECRET, fill
from bench.installation import POSTGRESQL, SQLITE
from bench.org_import import databases
from services.audit import entry_hash
from services.audit_trail import broken_chains
from services.seal_check import unlike_the_seals
from services.seal_key import SigningKey

EDITS = 10_000
ENTRIES, STREAMS, SEALS = 96, 4, 6
"""Of the audit that is edited: each stream has 24 entries, and every fourth is a sealed head."""
LENGTH, APART = ENTRIES // STREAMS, ENTRIES // STREAMS // SEALS
_FORGED = SigningKey("22" * 32).sign("")
Place = dict[str, Any]
"""``stream`` and ``n`` of the first entry that is not what it was, or the ``seal``."""
Rows = list[dict[str, Any]]


def one_entry(db: Connection, random: Random) -> Place:
    """An entry changed, nothing recomputed."""
    where = {"stream": _stream(random), "n": random.randint(1, LENGTH)}
    column, value = random.choice(
        (("body", "{}"), ("prev", "00"), ("hash", "11"), ("at", "2020-01-01 00:00:00+00:00"))
    )
    _run(db, f"UPDATE audit SET {column} = '{value}' WHERE stream = :stream AND n = :n", **where)
    return where


def anew(db: Connection, random: Random) -> Place:
    """A chain written anew from an entry on."""
    return _chain(db, random, LENGTH, lambda rows, n: rows[n - 1].update(body='{"forged":1}'))


def taken_out(db: Connection, random: Random) -> Place:
    """An entry taken out."""
    return _chain(db, random, LENGTH - 1, lambda rows, n: rows.pop(n - 1))


def put_in(db: Connection, random: Random) -> Place:
    """An entry put in."""
    more = {"id": 900_000, "body": '{"forged":1}'}
    return _chain(db, random, LENGTH, lambda rows, n: rows.insert(n - 1, rows[n - 1] | more))


def exchanged(db: Connection, random: Random) -> Place:
    """Two neighbours exchanged."""

    def change(rows: Rows, n: int) -> None:
        rows[n - 1], rows[n] = rows[n], rows[n - 1]

    return _chain(db, random, LENGTH - 1, change)


def cut_off(db: Connection, random: Random) -> Place:
    """A tail cut off together with its head, or a whole stream."""

    def change(rows: Rows, n: int) -> None:
        del rows[n - 1 :]

    return _chain(db, random, LENGTH, change)


def leaf(db: Connection, random: Random) -> Place:
    """A leaf changed or taken out."""
    place = random.randrange(STREAMS * SEALS)
    said = "DELETE FROM seal_leaf WHERE place = :place"
    if random.random() < 0.5:
        said = f"UPDATE seal_leaf SET hash = '{random.randbytes(32).hex()}' WHERE place = :place"
    _run(db, said, place=place)
    return {"seal": place // STREAMS + 1}


def seal(db: Connection, random: Random) -> Place:
    """A seal changed, taken out or signed by another key; the newest one may be changed only."""
    number = random.randint(1, SEALS)
    said = random.choice(
        (
            "UPDATE seal SET root = 'ff' WHERE number = :number",
            "UPDATE seal SET size = size + 1 WHERE number = :number",
            f"UPDATE seal SET signature = '{_FORGED}' WHERE number = :number",
            "UPDATE seal SET key_id = 'other' WHERE number = :number",
            "DELETE FROM seal WHERE number = :number" if number < SEALS else "",
        )
    )
    _run(db, said or "UPDATE seal SET previous = 'ff' WHERE number = :number", number=number)
    return {"seal": number}


KINDS: tuple[Callable[[Connection, Random], Place], ...] = (
    one_entry, anew, taken_out, put_in, exchanged, cut_off, leaf, seal,
)  # fmt: skip


def measured(kind: str, engine: Engine, edits: int, seed: int) -> dict[str, Any]:
    """Fill a fresh database, and edit it so many times."""
    fill(engine, ENTRIES, STREAMS, SEALS)
    random, made, found, placed = Random(seed), Counter[str](), Counter[str](), Counter[str]()
    with engine.connect() as db:
        _disarm(db)
        for _ in range(edits):
            edit = random.choice(KINDS)
            place, said = edit(db, random), _findings(db)
            db.rollback()
            made[edit.__name__] += 1
            found[edit.__name__] += bool(said)
            placed[edit.__name__] += any(_fits(place, one) for one in said)
        whole = not _findings(db)
    engine.dispose()
    line = {"bench": "audit_edits", "db": kind, "edits": edits, "seed": seed, "whole": whole}
    counts = {"kinds": dict(made), "found": found.total(), "placed": placed.total()}
    missed = {name: count - placed[name] for name, count in made.items() if count > placed[name]}
    return line | counts | {"missed": missed}


def _findings(db: Connection) -> list[Place]:
    seen = [*broken_chains(db), *unlike_the_seals(db, SigningKey(SECRET).public)]
    return [dict(one.ids) for one in seen]


def _fits(place: Place, said: Place) -> bool:
    """Whether a finding names the place: the entry or the next one, or what it lies between."""
    if "seal" in place:
        return said.get("seal") in (place["seal"], place["seal"] + 1)
    if said.get("stream") != place["stream"] or "n" not in said:
        return False
    after = said.get("after", said["n"] - 2)
    return bool(after < place["n"] <= said["n"])


def _stream(random: Random) -> str:
    return f"bench/{random.randrange(STREAMS)}"


def _chain(
    db: Connection, random: Random, most: int, change: Callable[[Rows, int], object]
) -> Place:
    """Change a chain at an entry, and recompute the rest of it and its head."""
    stream, start = _stream(random), random.randint(1, most)
    query = text("SELECT * FROM audit WHERE stream = :stream ORDER BY n")
    rows = [dict(row) for row in db.execute(query, {"stream": stream}).mappings()]
    change(rows, start)
    _run(db, "DELETE FROM audit WHERE stream = :stream", stream=stream)
    prev = ""
    for n, row in enumerate(rows, 1):
        row.update(n=n, prev=prev, hash=entry_hash(stream, n, prev, row["body"]))
        prev = row["hash"]
    if rows:
        names = ", ".join(rows[0])
        values = ", ".join(f":{name}" for name in rows[0])
        db.execute(text(f"INSERT INTO audit ({names}) VALUES ({values})"), rows)
    head = "UPDATE audit_head SET n = :n, hash = :hash WHERE stream = :stream"
    _run(db, head if rows else "DELETE FROM audit_head WHERE stream = :stream",
         stream=stream, **({"n": len(rows), "hash": prev} if rows else {}))  # fmt: skip
    return {"stream": stream, "n": start}


def _run(db: Connection, statement: str, **given: Any) -> None:
    db.execute(text(statement), given)


def _disarm(db: Connection) -> None:
    """Go without triggers and foreign keys."""
    if db.dialect.name == "postgresql":
        db.execute(text("SET session_replication_role = replica"))
    else:
        names = db.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for name in list(names.scalars()):
            db.execute(text(f"DROP TRIGGER {name}"))
    db.commit()


def main() -> None:
    """Edit both databases."""
    edits, seed = int(os.environ.get("EDITS", EDITS)), int(os.environ.get("SEED", "1"))
    for kind in (SQLITE, POSTGRESQL):
        with databases(kind) as fresh:
            line = measured(kind, fresh(), edits, seed)
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
