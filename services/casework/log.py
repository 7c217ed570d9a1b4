"""What a branch's replay reads: every step, fact, record, effect and ``each`` it has, as tuples.

One statement loads it (rule B): a decision pays for its branch only, and never for ORM objects.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Select,
    String,
    bindparam,
    case,
    cast,
    literal,
    null,
    select,
    union_all,
)

from models.base import Json, table
from models.casework import Effect, Fact, Fanout, Step

STEP, FACT, RECORD, EFFECT, EACH = "step", "fact", "record", "effect", "each"


class Entry(NamedTuple):
    """One row of a branch's history. What ``state``, ``answer`` and ``extra`` hold differs by kind.

    step: StepState, its outcome, its Origin. effect: EffectState, how a failure was settled, the
    key it undoes. each: ``ended`` or ``open``. fact and record: nothing; their value is ``value``.
    """

    kind: str
    id: int
    key: str
    round: int
    seq: int
    voided: bool
    state: str
    answer: str | None
    extra: str | None
    on_return: str | None
    value: Any


class Log:
    """The history of a branch: live entries by key in the order of their rounds."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._live: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._last_round: dict[tuple[str, str], int] = defaultdict(int)
        for entry in sorted(entries, key=lambda entry: entry.round):
            place = entry.kind, entry.key
            self._last_round[place] = entry.round
            if not entry.voided:
                self._live[place].append(entry)

    def live(self, kind: str, key: str) -> list[Entry]:
        """The rounds of a key that were not voided, oldest first."""
        return self._live.get((kind, key), [])

    def next_round(self, kind: str, key: str) -> int:
        """One above the highest number ever used, voided rounds included (rule A)."""
        return self._last_round.get((kind, key), 0) + 1

    def entries(self) -> list[Entry]:
        """Every live entry in the order it came to be."""
        found = [entry for entries in self._live.values() for entry in entries]
        return sorted(found, key=lambda entry: entry.seq)

    def steps(self) -> list[Entry]:
        """Every live step in the order it was opened."""
        return [entry for entry in self.entries() if entry.kind == STEP]

    def opened(self, entry: Entry) -> None:
        """Note an entry that this replay made itself."""
        place = entry.kind, entry.key
        self._last_round[place] = entry.round
        self._live[place].append(entry)


def load_log(db: Connection, branch_id: int) -> Log:
    """The history of a branch, in one statement."""
    return Log(Entry(*row) for row in db.execute(_QUERY, {"branch": branch_id}))


def _rows(
    model: type[Any],
    kind: Any,
    *,
    state: Any,
    answer: Any = None,
    extra: Any = None,
    value: Any = None,
) -> Select[Any]:
    rows = table(model)
    on_return = rows.c.on_return if "on_return" in rows.c else cast(null(), String)
    return select(
        kind.label("kind"),
        rows.c.id,
        rows.c.key,
        rows.c.round,
        rows.c.seq,
        rows.c.voided,
        cast(state, String).label("state"),
        (cast(null(), String) if answer is None else answer).label("answer"),
        (cast(null(), String) if extra is None else cast(extra, String)).label("extra"),
        on_return.label("on_return"),
        (cast(null(), Json) if value is None else value).label("value"),
    ).where(rows.c.branch_id == bindparam("branch"))


_steps, _facts, _effects, _fanouts = table(Step), table(Fact), table(Effect), table(Fanout)
_QUERY = union_all(
    _rows(Fact, _facts.c.kind, state=literal(""), value=_facts.c.value),
    _rows(Step, literal(STEP), state=_steps.c.state, answer=_steps.c.answer, extra=_steps.c.origin),
    _rows(
        Effect,
        literal(EFFECT),
        state=_effects.c.state,
        answer=_effects.c.resolution,
        extra=_effects.c.undoes,
        value=_effects.c.result,
    ),
    _rows(Fanout, literal(EACH), state=case((_fanouts.c.ended, "ended"), else_="open")),
)
