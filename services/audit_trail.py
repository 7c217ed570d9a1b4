"""Reads every audit chain from its first entry: whether it is whole, and what it says happened.

Written against the construction (``reliability.md`` §4), not against ``services.audit``, so that
a mistake there is found here.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Connection, Date, Row, text

from models.base import Instant, Json
from policy.clock import STEP
from services.violation import Violation

_ENTRIES = text(
    "SELECT id, stream, n, prev, hash, body, command_id, at FROM audit ORDER BY stream, n, id"
).columns(at=Instant)
_HEADS = text(
    "SELECT 'branch/' || CAST(id AS VARCHAR(20)) AS stream, audit_n AS n, audit_hash AS hash"
    " FROM branch WHERE audit_n > 0 UNION ALL SELECT stream, n, hash FROM audit_head"
)
_FALLS = text(
    "SELECT a.stream, a.n, a.at AS after, b.at AS before FROM audit a"
    " JOIN audit b ON b.stream = a.stream AND b.n = a.n - 1 WHERE a.at < b.at"
    " ORDER BY a.stream, a.n"
).columns(after=Instant, before=Instant)
_MOVED = text("SELECT body FROM audit WHERE stream = 'clock' ORDER BY n")
_IN_PARTS = {"yield_per": 1000}
"""A chain may be long: it is never held in memory as a whole."""
_STEP_ENDS = frozenset({"decided", "closed", "voided"})
_SLOT_MOVES = {"unseated": "unreached", "held": "held", "resumed": "open", "removed": "removed"}
_SLOT_ENDS = {"decided": "unreached", "closed": "unreached", "voided": "voided"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as its audit entry tells it."""

    stream: str
    command_id: int
    person_id: int | None
    slot_id: int
    answer: str
    back_to: str | None
    basis: tuple[int, int, int | None]
    """The post that was asked, the appointment, and the substitution if there was one."""
    content: str
    """What binds it to reason, form and lateness."""
    paper: tuple[int, int, str, str, int] | None
    """Of what was recorded from a paper (代录): whose it is, the act, the day on it, SHA-256 and
    size of its scan; ``person_id`` is then who recorded it."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """A termination as its audit entry tells it; ``content`` binds it to the reason."""

    command_id: int
    person_id: int | None
    post_id: int
    content: str


@dataclass(slots=True)
class Trail:
    """The states that follow from the audit entries alone."""

    slots: dict[int, str] = field(default_factory=dict)
    seats: dict[int, int] = field(default_factory=dict)
    """The post that each slot asks."""
    steps: dict[int, str] = field(default_factory=dict)
    effects: set[int] = field(default_factory=set)
    decisions: dict[int, Entry] = field(default_factory=dict)
    terminated: dict[int, _Stop] = field(default_factory=dict)
    _gaps: set[tuple[int, int]] = field(default_factory=set)

    @property
    def gaps(self) -> frozenset[tuple[int, int]]:
        """(step, post) of every step that met a post without a holder: it hangs on a vacancy."""
        return frozenset(self._gaps)

    def take(self, row: Row[Any], body: Mapping[str, Any]) -> None:
        """Fold one entry of a branch in."""
        for note in body.get("changes", ()):
            if "decision" in note:
                self._decided(row, body, note)
            elif note["act"] == "opened":
                self._opened(note)
            elif note["act"] in _STEP_ENDS and "step" in note:
                self._ended(note)
            elif note["act"] == "queued":
                self.effects.add(note["effect"])
            elif note["act"] == "terminated":
                told = _Stop(row.command_id, body.get("by"), note["post"], note["content"])
                self.terminated[body["case"]] = told
            else:
                self._moved(note)

    def _moved(self, note: Mapping[str, Any]) -> None:
        """What became of a slot whose post has no holder, or is no more."""
        if note["act"] == "gap":
            self._gaps.add((note["step"], note["post"]))
        elif note["act"] == "seated":
            self.slots[note["slot"]], self.seats[note["slot"]] = "open", note["post"]
        elif note["act"] == "rerouted":
            self.seats[note["slot"]] = note["post"]
        elif note["act"] in _SLOT_MOVES:
            self._set(self.slots, (note["slot"],), _SLOT_MOVES[note["act"]])

    def _decided(self, row: Row[Any], body: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        told = Entry(
            row.stream,
            row.command_id,
            body.get("by"),
            note["slot"],
            note["answer"],
            note["to"],
            (note["post"], note["appointment"], note.get("substitution")),
            note["content"],
            _paper(note.get("paper")),
        )
        self.decisions[note["decision"]] = told
        self._set(self.slots, (note["slot"],), "answered")

    def _opened(self, note: Mapping[str, Any]) -> None:
        self.steps[note["step"]] = "open"
        self.slots.update(dict.fromkeys(note["slots"], "open"))
        self.seats.update(zip(note["slots"], note["posts"], strict=True))

    def _ended(self, note: Mapping[str, Any]) -> None:
        self._set(self.steps, (note["step"],), note["act"])
        self._set(self.slots, note["slots"], _SLOT_ENDS[note["act"]])

    def _set(self, states: dict[int, str], ids: Iterable[int], state: str) -> None:
        """What was never opened stays unknown: its opening is missing, and that is the finding."""
        states.update(dict.fromkeys(states.keys() & set(ids), state))


def _paper(told: Mapping[str, Any] | None) -> tuple[int, int, str, str, int] | None:
    if told is None:
        return None
    return told["person"], told["record"], told["signed_on"], told["sha256"], told["size"]


def read_trail(db: Connection) -> Trail:
    """Fold all branches' entries in the order of their chains."""
    trail = Trail()
    for row in db.execute(_ENTRIES, execution_options=_IN_PARTS):
        if row.stream.startswith("branch/"):
            trail.take(row, json.loads(row.body))
    return trail


def broken_chains(db: Connection) -> Iterator[Violation]:
    """Entries that were changed, left out or put in, and heads that do not fit (INV-10)."""
    ends: dict[str, tuple[int, str]] = {}
    for row in db.execute(_ENTRIES, execution_options=_IN_PARTS):
        n, prev = ends.get(row.stream, (0, ""))
        if (row.n, row.prev) != (n + 1, prev) or row.hash != _hash(row):
            yield Violation("INV-10", "审计链断裂", {"stream": row.stream, "n": row.n})
        elif _dated(row.body) not in (None, row.at):
            ids = {"stream": row.stream, "n": row.n}
            yield Violation("INV-10", "审计记录的时间与其内容不符", ids)
        ends[row.stream] = (row.n, row.hash)
    heads = {row.stream: (row.n, row.hash) for row in db.execute(_HEADS)}
    for stream in sorted(ends.keys() | heads.keys()):
        if ends.get(stream) != heads.get(stream):
            yield Violation("INV-10", "审计链与其链头不符", {"stream": stream})


def _dated(body: str) -> datetime | None:
    """When the entry says that it was written; no hash covers the column beside it."""
    at = json.loads(body).get("at")
    return datetime.fromisoformat(at) if isinstance(at, str) else None


def backwards(db: Connection) -> Iterator[Violation]:
    """Entries that are older than the one before them, though nobody saw the clock move (INV-23).

    Up to five minutes are no finding: clocks are set right, and who waits for a lock writes later
    what began earlier.
    """
    moves = [sorted(_moved(json.loads(row.body))) for row in db.execute(_MOVED)]
    for row in db.execute(_FALLS):
        seen = any(low - STEP <= row.after and row.before <= high + STEP for low, high in moves)
        if row.before - row.after > STEP and not seen:
            ids = {"stream": row.stream, "n": row.n}
            yield Violation("INV-23", "审计记录的时间早于前一条，而没有时钟变动的记录", ids)


def _moved(body: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(body["last"]), datetime.fromisoformat(body["now"])


def unlike_the_tables(db: Connection, trail: Trail) -> Iterator[Violation]:
    """Where the tables are not what the entries say (INV-3), or have no entry at all (INV-6)."""
    yield from _states(db, "slot", trail.slots)
    yield from _states(db, "step", trail.steps)
    yield from _seats(db, trail.seats)
    kept = {row.id for row in db.execute(text("SELECT id FROM effect"))}
    for effect in sorted(kept ^ trail.effects):
        yield Violation("INV-6", "自动事项与审计记录不符", {"effect": effect})
    yield from _decisions(db, trail)
    yield from _terminations(db, trail)


def _states(db: Connection, table: str, told: Mapping[int, str]) -> Iterator[Violation]:
    kept = {row.id: row.state for row in db.execute(text(f"SELECT id, state FROM {table}"))}
    for id_ in sorted(kept.keys() ^ told.keys()):
        yield Violation("INV-6", "记录与审计只有其一", {table: id_})
    for id_ in sorted(kept.keys() & told.keys()):
        if kept[id_] != told[id_]:
            ids = {table: id_, "state": kept[id_], "audit": told[id_]}
            yield Violation("INV-3", "状态与审计记录不符", ids)


def _seats(db: Connection, told: Mapping[int, int]) -> Iterator[Violation]:
    """Who is asked changes by an entry only (改派)."""
    for row in db.execute(text("SELECT id, post_id FROM slot ORDER BY id")):
        if row.id in told and told[row.id] != row.post_id:
            ids = {"slot": row.id, "post": row.post_id, "audit": told[row.id]}
            yield Violation("INV-3", "待办的职务与审计记录不符", ids)


def _content(row: Row[Any]) -> str:
    return _bound(row.key, row.reason, row.payload, row.late)


def _bound(key: str, reason: str, payload: Any, late: bool) -> str:
    told = json.dumps([reason, payload, late], sort_keys=True)
    return hmac.new(key.encode(), told.encode(), "sha256").hexdigest()


def _terminations(db: Connection, trail: Trail) -> Iterator[Violation]:
    """A case that somebody ended has the entry and the request that say so, and only such a one."""
    ended = text(
        "SELECT id, ended_by, ended_as, end_reason FROM \"case\" WHERE state = 'terminated'"
    )
    asked = text("SELECT id, key FROM command WHERE name = 'case.terminate'")
    keys = {row.id: row.key for row in db.execute(asked)}
    kept = {row.id: row for row in db.execute(ended)}
    for case in sorted(kept.keys() | trail.terminated.keys()):
        row, told = kept.get(case), trail.terminated.get(case)
        if (
            row is None
            or told is None
            or told
            != _Stop(
                told.command_id,
                row.ended_by,
                row.ended_as,
                _bound(keys.get(told.command_id, ""), row.end_reason, None, False),
            )
        ):
            yield Violation("INV-6", "终止与审计记录不符", {"case": case})


def _decisions(db: Connection, trail: Trail) -> Iterator[Violation]:
    query = text(
        "SELECT d.id, d.slot_id, d.branch_id, d.person_id, d.answer, d.back_to, d.post_id,"
        " d.appointment_id, d.substitution_id, d.key, d.reason, d.payload, d.late,"
        " c.id AS command_id, p.act_id, p.signed_on, a.person_id AS recorder, f.sha256, f.size"
        " FROM decision d LEFT JOIN command c ON c.key = d.key"
        " LEFT JOIN signed_paper p ON p.decision_id = d.id LEFT JOIN act a ON a.id = p.act_id"
        " LEFT JOIN evidence_file f ON f.id = p.file_id"
    ).columns(payload=Json, late=Boolean, signed_on=Date)
    kept = {row.id: row for row in db.execute(query)}
    for decision in sorted(kept.keys() ^ trail.decisions.keys()):
        yield Violation("INV-6", "办理意见与审计只有其一", {"decision": decision})
    for decision in sorted(kept.keys() & trail.decisions.keys()):
        row = kept[decision]
        stored = Entry(
            f"branch/{row.branch_id}",
            row.command_id,
            row.recorder or row.person_id,
            row.slot_id,
            row.answer,
            row.back_to,
            (row.post_id, row.appointment_id, row.substitution_id),
            _content(row),
            row.act_id and (row.person_id, row.act_id, str(row.signed_on), row.sha256, row.size),
        )
        if stored != trail.decisions[decision]:
            yield Violation("INV-6", "办理意见与审计记录不符", {"decision": decision})


def _hash(row: Row[Any]) -> str:
    body = row.body.encode()
    parts = ("fd-audit-v1", row.stream, str(row.n), row.prev, str(len(body)))
    return hashlib.sha256(b"\0".join(part.encode() for part in parts) + b"\0" + body).hexdigest()
