"""Audit chains: every hash computed anew, and what the entries say, against the tables (INV-10, 6).

Construction: SHA-256 of ``fd-audit-v1``, stream, n, hash before, length of the body, each followed
by a zero byte, and the body.
"""

import hashlib
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record
from chaos.checks.tables import Row, Tables

_ENTRIES = (
    "SELECT id, stream, n, prev, hash, body, command_id, at FROM audit ORDER BY stream, n, id"
)
_HEADS = "SELECT stream, n, hash FROM audit_head"
_FALLS = {"unseated": "unreached", "removed": "removed"}
"""What becomes of a slot that is asked no more, its step going on."""
_WAITS = {"held": "held", "resumed": "open"}
"""Of one whose holder lets another answer first (前加签)."""
"""Two posts of a step became one: one of its slots falls away."""
_ENDS = {"decided": "unreached", "closed": "unreached", "voided": "voided"}
_MADE = {"stored": "fact", "fanned": "fanout", "queued": "effect", "rung": "rung"}
_OF_BRANCH = ("ended", "stopped", "terminated")
Said = dict[str, Any]


@dataclass(slots=True)
class Trail:
    """What the entries say, in the order of each chain. A *place* is how far into its chain."""

    found: list[Violation] = field(default_factory=list)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    decided: dict[int, list[tuple[str, int, Said]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By decision: stream, command, what was noted."""
    steps: dict[int, str] = field(default_factory=dict)
    slots: dict[int, str] = field(default_factory=dict)
    returned: set[int] = field(default_factory=set)
    """Steps that a return went back over."""
    returns: dict[int, list[tuple[int, list[int]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By branch: the place of each return, and the steps that it went back over."""
    opened: Counter[int] = field(default_factory=Counter)
    done: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """By act, then by the row it is about: how often it was noted."""
    places: dict[tuple[str, int], int] = field(default_factory=dict)
    """Where a slot was closed, a step ended, a rung fired, a branch was stopped, and where a fact,
    an effect or an each was made."""
    rungs: dict[int, Said] = field(default_factory=dict)
    gaps: set[tuple[int, int]] = field(default_factory=set)
    seated: dict[int, datetime] = field(default_factory=dict)
    """When slots came to a step that was open already."""
    commands: set[int] = field(default_factory=set)
    """Those that left any entry."""
    writers: set[tuple[int, int]] = field(default_factory=set)
    """(command, branch) of every entry of a branch."""

    def note(self, entry: Row, body: Said, place: int) -> None:
        """Take a branch's entry."""
        self.writers.add((entry["command_id"], int(body["branch"])))
        for index, said in enumerate(body["changes"]):
            self._note(entry, said, place * 1000 + index)

    def _note(self, entry: Row, said: Said, place: int) -> None:
        act = said["act"]
        if "decision" in said:
            self.decided[said["decision"]].append((entry["stream"], entry["command_id"], said))
            self._close([said["slot"]], "answered", place)
            if ("step", said["step"]) in self.places:
                ids = {"decision": said["decision"], "step": said["step"]}
                what = "a slot was answered after its step had ended"
                self.found.append(Violation(Kind.STATE, what, ids))
        elif act == "opened":
            self.opened[said["step"]] += 1
            self.steps[said["step"]] = "open"
            self.slots.update(dict.fromkeys(said["slots"], "open"))
        elif act in _ENDS and "step" in said:
            self.steps[said["step"]] = act
            self.places["step", said["step"]] = place
            self._close(said["slots"], _ENDS[act], place)
        elif act == "returned":
            self.returned.update(said["steps"])
            self.returns[_branch(entry)].append((place, said["steps"]))
        elif act == "gap":
            self.gaps.add((said["step"], said["post"]))
        elif act == "rung":
            self.places["rung", said["rung"]] = place
            self.rungs[said["rung"]] = said
        self._count(entry, said, place)

    def _count(self, entry: Row, said: Said, place: int) -> None:
        if said["act"] in _FALLS:
            self._close([said["slot"]], _FALLS[said["act"]], place)
        elif said["act"] in _WAITS:
            self.slots[said["slot"]] = _WAITS[said["act"]]
        elif said["act"] == "seated":
            self.slots[said["slot"]], self.seated[said["slot"]] = "open", entry["at"]
        for about in ("effect", "fact", "fanout", "rung"):
            if about in said:
                self.done[said["act"]][said[about]] += 1
                if _MADE.get(said["act"]) == about:
                    self.places[about, said[about]] = place
        if said["act"] in _OF_BRANCH:
            self.done[said["act"]][_branch(entry)] += 1
            self.places["branch", _branch(entry)] = place

    def _close(self, slots: list[int], state: str, place: int) -> None:
        for slot in slots:
            self.slots[slot] = state
            self.places["slot", slot] = place


def _branch(entry: Row) -> int:
    return int(entry["stream"].partition("/")[2])


def read_trail(tables: Tables, record: Record) -> Trail:
    """Every chain from its first entry, a row at a time."""
    trail = Trail()
    for entry in tables.rows(_ENTRIES):
        stream, n, prev = entry["stream"], *trail.heads.get(entry["stream"], (0, ""))
        ids = {"stream": stream, "n": entry["n"]}
        if (entry["n"], entry["prev"]) != (n + 1, prev):
            trail.found.append(Violation(Kind.AUDIT, "an entry does not follow the last one", ids))
        if entry["hash"] != hashed(stream, entry["n"], entry["prev"], entry["body"]):
            trail.found.append(Violation(Kind.AUDIT, "an entry is not as it was hashed", ids))
        trail.heads[stream] = (entry["n"], entry["hash"])
        try:
            body = json.loads(entry["body"])
        except ValueError:
            trail.found.append(Violation(Kind.AUDIT, "an entry cannot be read", ids))
            continue
        trail.found += _signed(record, entry, body)
        trail.commands.add(entry["command_id"])
        if stream.startswith("branch/"):
            trail.note(entry, body, entry["n"])
    kept = {row["stream"]: (row["n"], row["hash"]) for row in tables.rows(_HEADS)}
    trail.found += _heads(record, trail, kept)
    return trail


def hashed(stream: str, n: int, prev: str, body: str) -> str:
    """The hash that an entry must have, in hexadecimal."""
    data = body.encode()
    begun = hashlib.sha256()
    for part in ("fd-audit-v1", stream, str(n), prev, str(len(data))):
        begun.update(part.encode() + b"\0")
    begun.update(data)
    return begun.hexdigest()


def unlike_the_trail(record: Record, trail: Trail) -> Iterator[Violation]:
    """Rows that no entry tells of, entries without their rows, and where the two differ."""
    yield from _decisions(record, trail)
    yield from _states("step", {row["id"]: row["state"] for row in record.steps}, trail.steps)
    yield from _states("slot", {row["id"]: row["state"] for row in record.slots}, trail.slots)
    for step, times in trail.opened.items():
        if times > 1:
            yield Violation(Kind.DOUBLED, "a step was opened twice", {"step": step})
    for fact in record.facts:
        yield from _once(trail, "stored", "fact", fact["id"])
    for fanout in record.fanouts:
        yield from _once(trail, "fanned", "fanout", fanout["id"])
    for act, table in _MADE.items():
        kept = {row["id"] for row in getattr(record, f"{table}s")}
        for row in sorted(trail.done[act].keys() - kept):
            what = f"a {table} that was audited is not stored"
            yield Violation(Kind.LOST, what, {table: row})
    for branch in record.branches:
        yield from _ends(record, trail, branch)


def _signed(record: Record, entry: Row, body: Said) -> Iterator[Violation]:
    """Who and when stand in the body and beside it."""
    ids = {"stream": entry["stream"], "n": entry["n"], "command": entry["command_id"]}
    command = record.command.get(entry["command_id"])
    if command is None:
        yield Violation(Kind.AUDIT, "an entry names a command that is not there", ids)
        return
    if body.get("by") != command["person_id"]:
        yield Violation(Kind.AUDIT, "an entry names another person than its command", ids)
    if datetime.fromisoformat(body["at"]) != entry["at"]:
        yield Violation(Kind.AUDIT, "an entry was written at another time than it says", ids)


def _heads(record: Record, trail: Trail, kept: dict[str, tuple[int, str]]) -> Iterator[Violation]:
    kept |= {
        f"branch/{row['id']}": (row["audit_n"], row["audit_hash"])
        for row in record.branches
        if row["audit_n"]
    }
    for stream in sorted(kept.keys() | trail.heads.keys()):
        if kept.get(stream) != trail.heads.get(stream):
            ids = {"stream": stream, "head": kept.get(stream, (0,))[0]}
            yield Violation(Kind.AUDIT, "the head is not the last entry", ids)


def _decisions(record: Record, trail: Trail) -> Iterator[Violation]:
    stored = {row["id"]: row for row in record.decisions}
    for decision in sorted(stored.keys() | trail.decided.keys()):
        entries, ids = trail.decided.get(decision, []), {"decision": decision}
        if decision not in stored:
            yield Violation(Kind.LOST, "a decision that was audited is not stored", ids)
        elif not entries:
            yield Violation(Kind.AUDIT, "a decision has no audit entry", ids)
        elif len(entries) > 1:
            yield Violation(Kind.DOUBLED, "a decision was audited twice", ids)
        elif entries[0] != _entry(record, stored[decision]):
            yield Violation(Kind.AUDIT, "a decision is not as it was audited", ids)


def _entry(record: Record, row: Row) -> tuple[str, int, Said]:
    """What the entry of a decision must say."""
    command = record.commanded.get(row["key"])
    said = {
        "act": "decided",
        "slot": row["slot_id"],
        "step": row["step_id"],
        "answer": row["answer"],
        "decision": row["id"],
        "post": row["post_id"],
        "appointment": row["appointment_id"],
        "to": row["back_to"],
        "content": _bound(row),
    }
    if row["substitution_id"] is not None:
        said["substitution"] = row["substitution_id"]
    return f"branch/{row['branch_id']}", command["id"] if command else 0, said


def _bound(row: Row) -> str:
    """HMAC-SHA-256 under the request's key of reason, form and lateness."""
    text = json.dumps([row["reason"], row["payload"], row["late"]], sort_keys=True)
    return hmac.new(row["key"].encode(), text.encode(), "sha256").hexdigest()


def _states(table: str, kept: dict[int, str], told: dict[int, str]) -> Iterator[Violation]:
    for row in sorted(kept.keys() | told.keys()):
        ids = {table: row, "stored": kept.get(row), "audited": told.get(row)}
        if row not in kept:
            yield Violation(Kind.LOST, f"a {table} that was audited is not stored", ids)
        elif row not in told:
            yield Violation(Kind.AUDIT, f"no entry tells of a {table}", ids)
        elif kept[row] != told[row]:
            yield Violation(Kind.STATE, f"a {table} is not in the state that was audited", ids)


def _ends(record: Record, trail: Trail, branch: Row) -> Iterator[Violation]:
    """A branch ends once by its script; it is stopped by a return, or with its case (终止)."""
    terminated = record.case[branch["case_id"]]["state"] == "terminated"
    if branch["state"] == "ended":
        yield from _once(trail, "ended", "branch", branch["id"])
    elif branch["state"] == "voided":
        yield from _once(trail, "stopped", "branch", branch["id"])
    if terminated and branch["parent_id"] is None:
        yield from _once(trail, "terminated", "case", branch["id"])
    elif trail.done["terminated"][branch["id"]]:
        ids = {"case": branch["case_id"], "branch": branch["id"]}
        yield Violation(Kind.STATE, "a case was terminated and is carried on", ids)


def _once(trail: Trail, act: str, table: str, row: int) -> Iterator[Violation]:
    times = trail.done[act][row]
    if times == 0:
        yield Violation(Kind.AUDIT, f"no entry tells of a {table}", {table: row, "act": act})
    elif times > 1:
        yield Violation(Kind.DOUBLED, f"a {table} was audited twice", {table: row, "act": act})
