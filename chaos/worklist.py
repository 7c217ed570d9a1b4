"""What waits for whom, as the tables say: work for the clients."""

import json
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random

from sqlalchemy import Engine, text

from services.database import AWAY, reading

HELD = "approve-plan"
"""Deciding it queues an effect: some are kept back for when the worker is killed."""
KEEP = 4
MOST_EFFECTS, MOST_RUNS = 12, 30
"""With more effects, or runs to be woken, than this, no more are made: what is tried here is being
killed, and not being given more than Prefect's server can do."""
OLDEST = 60
"""Of so many that wait longest one is chosen, so that cases also end."""
_OPEN = text(
    "SELECT s.id AS slot_id, t.id AS step_id, t.key, t.origin, t.answers, a.login"
    " FROM slot s JOIN step t ON t.id = s.step_id"
    " JOIN (SELECT post_id, person_id FROM appointment WHERE ends_on IS NULL"
    " UNION SELECT post_id, substitute_id FROM substitution WHERE ended_at IS NULL) p"
    " ON p.post_id = s.post_id JOIN account a ON a.person_id = p.person_id"
    " WHERE s.state = 'open' ORDER BY s.id, a.login"
)
_BEHIND = text(
    "SELECT (SELECT count(*) FROM effect WHERE state IN ('queued', 'claimed')) AS effects,"
    " (SELECT count(DISTINCT case_id) FROM run_wake) AS runs"
)
_GONE = text("SELECT id FROM slot WHERE state = 'voided' ORDER BY id DESC LIMIT 200")
_FRESH_SECONDS = 0.5
_TAKEN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open slot, and who may answer it how."""

    slot_id: int
    step_id: int
    key: str
    origin: str
    answers: tuple[str, ...]
    login: str


@dataclass
class Worklist:
    """Handed out at random, each slot to one client at a time; read anew all the time."""

    engine: Engine
    logins: Collection[str]
    random: Random
    release: threading.Event = field(default_factory=threading.Event)
    """Set: what is held back is handed out, and before everything else."""
    cases: int = 0
    """Open cases that nobody has begun."""
    runs: int = 0
    """Cases whose run is to be woken."""
    effects: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[Waiting] = field(default_factory=list)
    _seen: dict[int, Waiting] = field(default_factory=dict)
    _taken: dict[int, float] = field(default_factory=dict)
    _withdrawn: list[int] = field(default_factory=list)
    _read: float = 0.0

    def take(self) -> Waiting | None:
        """Something to decide; None when nothing waits, or the database is away."""
        with self._lock:
            self._refresh()
            chosen = self._choice()
            if chosen is not None:
                self._taken[chosen.slot_id] = time.monotonic()
                self._open.remove(chosen)
            return chosen

    def withdrawn(self) -> Waiting | None:
        """A slot that waited when it was read, and that a return has taken away since."""
        with self._lock:
            known = [self._seen[id] for id in self._withdrawn if id in self._seen]
            return self.random.choice(known) if known else None

    def _choice(self) -> Waiting | None:
        held = [one for one in self._open if one.key == HELD]
        if self.release.is_set() and held and self.effects < MOST_EFFECTS:
            return held[0]
        more = held[KEEP:] if self.effects < MOST_EFFECTS else []
        free = [one for one in self._open if one.key != HELD] + more
        return self.random.choice(free[:OLDEST]) if free else None

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._read < _FRESH_SECONDS and self._open:
            return
        try:
            with reading(self.engine) as db:
                rows = db.execute(_OPEN).all()
                self._withdrawn = list(db.execute(_GONE).scalars())
                self.effects, self.runs = db.execute(_BEHIND).one()
        except AWAY:
            time.sleep(0.05)
            return
        self._read = now
        self._taken = {id: at for id, at in self._taken.items() if now - at < _TAKEN_SECONDS}
        found = [
            Waiting(row.slot_id, row.step_id, row.key, row.origin, _words(row.answers), row.login)
            for row in rows
            if row.login in self.logins
        ]
        self._open = [one for one in found if one.slot_id not in self._taken]
        self._seen |= {one.slot_id: one for one in found}
        self.cases = len({one.slot_id for one in found if one.key == "assign-roles"})


def _words(answers: object) -> tuple[str, ...]:
    """The answers a step declares: JSON, which SQLite gives as text."""
    found = json.loads(answers) if isinstance(answers, str) else answers
    return tuple(found) if isinstance(found, list) else ()
