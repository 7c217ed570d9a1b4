"""What people were told of acts that are no decisions: 终止, and 离岗委托 made and revoked."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from chaos.checks.findings import Kind, Violation
from chaos.checks.promises import TOLD, Request
from chaos.checks.record import Record
from chaos.checks.tables import Row
from chaos.checks.trail import Trail
from chaos.journal import MAKE, REVOKE, TERMINATE

_NAMES = {
    TERMINATE: "case.terminate",
    MAKE: "substitution.make",
    REVOKE: "substitution.revoke",
}
_ONCE = frozenset({TERMINATE, REVOKE})
"""Nothing of the kind can be done twice to one thing, under whatever keys."""


def wrong_acts(record: Record, trail: Trail, asked: list[Request]) -> Iterator[Violation]:
    """What was acknowledged and is not so; what was refused and is; what nobody asked for."""
    people = {row["login"]: row["person_id"] for row in record.accounts}
    told: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for request in asked:
        if request.kind not in _NAMES:
            continue
        key = f"{people.get(request.person)}:{request.key}"
        yield from _kept(request, record.commanded.get(key))
        if request.acknowledged and request.kind in _ONCE:
            told[request.kind, request.about].add(request.key)
    for (kind, about), keys in told.items():
        if len(keys) > 1:
            ids = {"kind": kind, "about": about, "keys": sorted(keys)}
            yield Violation(Kind.DOUBLED, "one act was acknowledged to more than one request", ids)
    yield from _done(record, trail)


def _kept(request: Request, command: Row | None) -> Iterator[Violation]:
    """A command has the name and the object that were asked for."""
    ids = request.ids | {"about": request.about}
    if command is None:
        if request.acknowledged:
            yield Violation(Kind.LOST, "an acknowledged act is not stored", ids)
        return
    if command["name"] != _NAMES[request.kind]:
        yield Violation(Kind.CHANGED, "another act is stored than was asked for", ids)
    if request.acknowledged:
        if request.at_odds:
            yield Violation(Kind.CHANGED, "one act was acknowledged and refused", ids)
        return
    surely = any(line.status in TOLD or not request.doubtful for line in request.refused)
    if surely or (request.failed and request.denied and not request.refused):
        yield Violation(Kind.REFUSED, "a refused act was carried out", ids)


def _done(record: Record, trail: Trail) -> Iterator[Violation]:
    """Commands and what they did, one each: rows, and an entry of the audit chains."""
    rows = {
        "case.terminate": {
            row["id"]: row["ended_by"] for row in record.cases if row["state"] == "terminated"
        },
        "substitution.make": {row["id"]: row["made_by"] for row in record.substitutions},
        "substitution.revoke": {
            row["id"]: row["ended_by"]
            for row in record.substitutions
            if row["ended_how"] == "revoked"
        },
    }
    for name, left in rows.items():
        for command in record.commands:
            if command["name"] == name:
                yield from _one(command, left, trail)
        for row in left:
            yield Violation(Kind.STATE, "an act was done by no command", {name: row})


def _one(command: Row, left: dict[int, int], trail: Trail) -> Iterator[Violation]:
    ids = {"command": command["id"], "name": command["name"]}
    result: Mapping[str, int] = command["result"] or {}
    about = result.get("case", result.get("substitution", 0))
    if about not in left:
        yield Violation(Kind.LOST, "an act was commanded and not done", {**ids, "about": about})
    elif left.pop(about) != command["person_id"]:
        yield Violation(Kind.CHANGED, "an act is not by who commanded it", {**ids, "about": about})
    if command["id"] not in trail.commands:
        yield Violation(Kind.AUDIT, "an act left no audit entry", ids)
