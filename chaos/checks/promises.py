"""Promises: what the clients were told, against what is stored (INV-1, INV-2)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record
from chaos.checks.tables import Row
from chaos.journal import DECIDE, MAKE, SENT, Line

TOLD = frozenset({409, 422})
"""Refusals that a request which was carried out never gets: its key is asked for first."""


@dataclass(slots=True)
class Request:
    """Everything that is known of one key of one person."""

    person: str
    key: str
    kind: str = DECIDE
    about: int | None = None
    step: int | None = None
    slot: int | None = None
    answers: set[str] = field(default_factory=set)
    acknowledged: list[Line] = field(default_factory=list)
    refused: list[Line] = field(default_factory=list)
    doubtful: bool = False
    """A try failed before a refusal came: it may have been carried out."""
    failed: bool = False
    denied: bool = True
    """Of every try that failed it was said that nothing was saved."""
    unknown: bool = False
    """Nothing said what became of a try."""
    settled: bool = False
    contradicted: bool = False
    """It was refused although an acknowledgement stood already.

    A refusal before it claims no key: what somebody may not do today may be done under the same key
    once they stand in for another again. So one counts that was sent after the acknowledgement was
    read, or that no request that was carried out ever gets (:data:`TOLD`).
    """
    under_way: list[bool] = field(default_factory=list)
    """Of each try that was not answered yet: whether an acknowledgement had been read before."""

    def take(self, line: Line) -> None:
        """Add a line."""
        self.step, self.slot = line.step or self.step, line.slot or self.slot
        if line.event == SENT:
            self.answers.add(line.answer)
            self.under_way.append(bool(self.acknowledged))
            return
        late = self.under_way.pop(0) if self.under_way else bool(self.acknowledged)
        if line.failed:
            self.failed = True
            self.denied &= line.denied
            self.unknown |= line.unknown
            self.settled = False
        elif line.acknowledged:
            self.acknowledged.append(line)
            self.settled |= self.unknown
        elif line.refused:
            self.doubtful |= self.failed
            self.refused.append(line)
            self.settled |= self.unknown
            self.contradicted |= late

    @property
    def at_odds(self) -> bool:
        """It was acknowledged, and also refused in a way that rules that out.

        What hindered a substitution is gone once another one ends, a moment later.
        """
        told = any(line.status in TOLD for line in self.refused) and self.kind != MAKE
        return bool(self.acknowledged) and (told or self.contradicted)

    @property
    def ids(self) -> dict[str, object]:
        """What names it."""
        return {"key": self.key, "person": self.person, "slot": self.slot, "step": self.step}


def requests(lines: Iterable[Line]) -> list[Request]:
    """The journals by person and key, in the order of each file."""
    found: dict[tuple[str, str], Request] = {}
    for line in lines:
        new = Request(line.person, line.key, line.kind, line.about)
        found.setdefault((line.person, line.key), new).take(line)
    return list(found.values())


def broken_promises(record: Record, asked: list[Request]) -> Iterator[Violation]:
    """What was acknowledged and is not so; what was refused and is; two who were told the same."""
    stored = _stored(record)
    people = {row["login"]: row["person_id"] for row in record.accounts}
    decided = [request for request in asked if request.kind == DECIDE]
    for request in decided:
        decision = _of(stored, people, request)
        yield from _kept(request, decision)
        yield from _alike(request, decision)
        yield from _refused(request, decision)
    yield from _one_each(decided)


def _stored(record: Record) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in record.decisions:
        found[row["key"]].append(row)
    return found


def _of(stored: Mapping[str, list[Row]], people: Mapping[str, int], request: Request) -> list[Row]:
    """The decisions of a request: its key stands behind its person's id, or as it was given."""
    person = people.get(request.person)
    return stored.get(f"{person}:{request.key}", []) or stored.get(request.key, [])


def _kept(request: Request, decisions: list[Row]) -> Iterator[Violation]:
    if request.acknowledged and not decisions:
        yield Violation(Kind.LOST, "an acknowledged decision is not stored", request.ids)
    if len(decisions) > 1:
        ids = request.ids | {"decisions": [row["id"] for row in decisions]}
        yield Violation(Kind.DOUBLED, "a request was carried out more than once", ids)


def _alike(request: Request, decisions: list[Row]) -> Iterator[Violation]:
    """All answers to a key are one, and it is what is stored."""
    bodies = [line.body for line in request.acknowledged if isinstance(line.body, dict)]
    if any(body != bodies[0] for body in bodies):
        yield Violation(Kind.CHANGED, "one key was answered with two results", request.ids)
    if request.at_odds:
        yield Violation(Kind.CHANGED, "one key was acknowledged and refused", request.ids)
    for row in decisions:
        ids = request.ids | {"decision": row["id"]}
        if request.answers and row["answer"] not in request.answers:
            yield Violation(Kind.CHANGED, "another answer is stored than was given", ids)
        if (request.slot or row["slot_id"]) != row["slot_id"]:
            yield Violation(Kind.CHANGED, "another slot was decided than was asked for", ids)
        if (request.step or row["step_id"]) != row["step_id"]:
            yield Violation(Kind.CHANGED, "another step was decided than was asked for", ids)
        if any(not _says(body, row) for body in bodies):
            yield Violation(Kind.CHANGED, "what was acknowledged is not what is stored", ids)


def _says(body: Mapping[str, Any], row: Row) -> bool:
    told = {"decision_id": "id", "step_id": "step_id", "case_id": "case_id", "late": "late"}
    return all(body[name] == row[column] for name, column in told.items() if name in body)


def _refused(request: Request, decisions: list[Row]) -> Iterator[Violation]:
    """After an unknown outcome only what is asked of the key first can be held against it."""
    if not decisions or request.acknowledged:
        return
    if request.failed and request.denied and not request.refused:
        yield Violation(Kind.REFUSED, "what was said not to be saved is stored", request.ids)
    for line in request.refused:
        if line.status in TOLD or not request.doubtful:
            ids = request.ids | {"status": line.status, "decision": decisions[0]["id"]}
            yield Violation(Kind.REFUSED, "a refused request was carried out", ids)
            return


def _one_each(asked: list[Request]) -> Iterator[Violation]:
    told: dict[int, list[Request]] = defaultdict(list)
    for request in asked:
        if request.acknowledged and request.slot is not None:
            told[request.slot].append(request)
    for slot, requests_ in told.items():
        if len(requests_) > 1:
            ids = {"slot": slot, "keys": [request.key for request in requests_]}
            yield Violation(Kind.DOUBLED, "one slot was acknowledged to more than one request", ids)
