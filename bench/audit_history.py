"""A sealed audit of any length, written as the product writes it but many entries at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import Engine, insert, text

from models.audit import Audit, AuditHead, Command
from models.base import table
from services.audit import canonical, entry_hash
from services.env import Env
from services.sealing import Sealer

SECRET = "11" * 32
"""Of the bench only: the key that seals its databases."""
START = datetime(2026, 11, 30, 1, tzinfo=UTC)
_PART = 5_000
_audit, _commands, _heads = table(Audit), table(Command), table(AuditHead)


def fill(engine: Engine, entries: int, streams: int, seals: int) -> None:
    """So many entries, taking turns over the streams, with a seal after each equal part."""
    heads = {f"bench/{number}": (0, "") for number in range(streams)}
    at = START
    sealer = Sealer(Env(engine, lambda: at, seal_key=SECRET))
    with engine.begin() as db:
        row = {"key": "bench", "name": "bench", "body_hash": "", "result": {}, "at": START}
        db.execute(insert(_commands), row)
        command = int(db.execute(text("SELECT max(id) FROM command")).scalar_one())
        for name in heads:
            db.execute(insert(_heads), {"stream": name, "n": 0, "hash": ""})
    rows = _rows(heads, command)
    for part in range(seals):
        size = entries * (part + 1) // seals - entries * part // seals
        while taken := list(islice(rows, min(size, _PART))):
            size -= len(taken)
            with engine.begin() as db:
                db.execute(insert(_audit), taken)
                for name in {str(row["stream"]) for row in taken}:
                    n, digest = heads[name]
                    move = "UPDATE audit_head SET n = :n, hash = :hash WHERE stream = :stream"
                    db.execute(text(move), {"n": n, "hash": digest, "stream": name})
        at += timedelta(minutes=1)
        sealer.once()


def _rows(heads: dict[str, tuple[int, str]], command: int) -> Iterator[dict[str, object]]:
    number = 0
    while True:
        for name, (n, prev) in list(heads.items()):
            number += 1
            changes = [{"act": "opened", "step": number, "slots": [number], "posts": [number % 99]}]
            body = canonical({"by": number % 997, "via": "web", "at": START, "changes": changes})
            digest = entry_hash(name, n + 1, prev, body)
            heads[name] = n + 1, digest
            yield {
                "stream": name, "n": n + 1, "prev": prev, "hash": digest, "body": body,
                "command_id": command, "at": START,
            }  # fmt: skip
