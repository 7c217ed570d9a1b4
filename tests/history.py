"""Recorded histories (rule F): what a case of an edition opened and stored, in its order.

``export`` writes one; ``retell`` replays a branch of it from every point with the code of today
and says where the script wants something else than what came next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Branch, Case, Decision, Step
from services.casework import Casework, Mechanism
from services.casework import log as logs
from services.casework.log import EACH, EFFECT, STEP, Entry, Log

_branches, _cases = table(Branch), table(Case)
_decisions, _steps = table(Decision), table(Step)


def export(db: Connection, case_id: int) -> dict[str, Any]:
    """The whole history of a case as plain JSON: an entry per line of its branches' logs."""
    case = db.execute(select(_cases).where(_cases.c.id == case_id)).one()
    branches = db.execute(
        select(_branches).where(_branches.c.case_id == case_id).order_by(_branches.c.id)
    ).all()
    return {
        "mechanism": case.mechanism,
        "edition": case.edition,
        "branches": [
            {
                "script": branch.script,
                "row": f"{branch.row_kind}:{branch.row_id}" if branch.row_id else "",
                "entries": [_line(entry) for entry in _all(db, branch.id)],
                "voids": _voids(db, branch.id),
            }
            for branch in branches
        ],
    }


def _all(db: Connection, branch_id: int) -> list[Entry]:
    rows = db.execute(logs._QUERY, {"branch": branch_id})
    return sorted((Entry(*row) for row in rows), key=lambda entry: entry.seq)


def _line(entry: Entry) -> dict[str, Any]:
    """An entry by the names of its fields, so that a field added later breaks no history."""
    told = {field: value for field, value in entry._asdict().items() if field != "id"}
    return {field: value for field, value in told.items() if value not in (None, False, "")}


def _entry(line: dict[str, Any]) -> Entry:
    unsaid: dict[str, Any] = {"id": 0, "voided": False, "state": "", "answer": None, "extra": None}
    return Entry(**unsaid | {"on_return": None, "value": None} | line)


def _voids(db: Connection, branch_id: int) -> list[list[int]]:
    """``[to, at]``: everything from ``to`` on was voided once the step ``at`` was decided."""
    steps = db.execute(
        select(_steps.c.id, _steps.c.key, _steps.c.seq).where(_steps.c.branch_id == branch_id)
    ).all()
    returned = db.execute(
        select(_decisions.c.step_id, _decisions.c.back_to)
        .where(_decisions.c.branch_id == branch_id, _decisions.c.back_to.is_not(None))
        .order_by(_decisions.c.id)
    ).all()
    at_of = {step.id: step.seq for step in steps}
    voids = []
    for decision in returned:
        at = at_of[decision.step_id]
        seqs = [s.seq for s in steps if s.key == decision.back_to and s.seq < at]
        voids.append([max(seqs), at])
    return voids


class Wanted(BaseException):
    """The script wants something that is not there yet: its kind, key and round."""

    def __init__(self, kind: str, key: str, round_: int) -> None:
        self.place = kind, key, round_
        super().__init__(self.place)


class Retelling(Casework):
    """A replay without a database: it stops at the first thing the history does not have."""

    def __init__(self, log: Log) -> None:
        super().__init__(_Nowhere(), log)  # type: ignore[arg-type]

    def _reach(self, kind: str, key: str) -> Entry | None:
        found = super()._reach(kind, key)
        if found is None:
            raise Wanted(kind, key, self._log.next_round(kind, key))
        return found


@dataclass
class _Nowhere:
    """A branch that is nobody's: whoever touches more of it than its numbers fails."""

    work: None = None
    case_id: int = 0
    organisation_id: int = 0
    id: int = 0
    row_id: int | None = None
    parent_id: int = 0
    """Some branch: only a root looks at the effects of the whole case before it ends."""


def retell(mechanism: Mechanism, branch: dict[str, Any]) -> Iterator[str]:
    """Differences between a recorded branch and what the script does with it; none is right."""
    entries = [_entry(line) for line in branch["entries"]]
    run = mechanism.scripts[branch["script"]].run
    for number, entry in enumerate(entries):
        if _is_of_the_script(entry):
            wanted = _wanted(run, _as_of(entries[:number], branch["voids"], entry.seq))
            if wanted != (entry.kind, entry.key, entry.round):
                yield f"{branch['row']} {entry.seq}: {wanted} instead of {entry.key} {entry.round}"
    last = _wanted(run, _as_of(entries, branch["voids"], entries[-1].seq + 1))
    if last is not None:
        yield f"{branch['row']} did not end: it wants {last}"


def _is_of_the_script(entry: Entry) -> bool:
    if entry.kind == STEP:
        return entry.extra == "script"
    return not (entry.kind == EFFECT and entry.extra is not None)


def _as_of(entries: list[Entry], voids: list[list[int]], seq: int) -> Log:
    """The log as it was when ``seq`` was given out: what is decided by now, void by now."""
    return Log(
        entry._replace(
            voided=any(to <= entry.seq <= at < seq for to, at in voids) and _goes(entry),
            state="ended" if entry.kind == EACH else entry.state,
        )
        for entry in entries
    )


def _goes(entry: Entry) -> bool:
    return entry.on_return != "keep"


def _wanted(run: Any, log: Log) -> tuple[str, str, int] | None:
    case = Retelling(log)
    try:
        run(case)
        case.finish()
    except Wanted as wanted:
        return wanted.place
    return None
