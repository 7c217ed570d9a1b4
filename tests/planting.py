"""What a planted violation is, and the rows of the lived-in house that most are planted in."""

from dataclasses import dataclass
from typing import Any

from chaos.checks.findings import Kind
from tests.forging import Act, copy, loosen

Told = dict[str, Any]
"""A line of a journal, but for what all lines have in common."""


@dataclass(frozen=True)
class Plant:
    """What was done behind the services' back, what a client says it was told, and the finding."""

    kind: Kind
    what: str
    acts: tuple[str | Act, ...] = ()
    lines: tuple[Told, ...] = ()


FIRST = "(SELECT min(id) FROM decision)"
FIRST_COMMAND = "(SELECT min(id) FROM command WHERE name = 'step.decide')"
OPEN_STEP = (
    "(SELECT min(id) FROM step WHERE state = 'open' AND key = 'do-task' AND rungs_fired > 3)"
)
FIRST_SLOT = "(SELECT min(slot_id) FROM decision)"
OPEN_SLOT = f"(SELECT min(id) FROM slot WHERE step_id = {OPEN_STEP})"
OPEN_CHILD = f"(SELECT branch_id FROM step WHERE id = {OPEN_STEP})"
DONE_STEP = "(SELECT min(id) FROM step WHERE state = 'decided')"
LATE_SLOT = (
    "(SELECT min(r.slot_id) FROM rung r JOIN duty_member m ON m.rung_id = r.id"
    " JOIN step t ON t.id = m.step_id WHERE m.struck_at IS NULL AND t.state = 'open')"
)
TWO = "SELECT min(id) FROM step WHERE case_id = 2 AND key ="
APPROVED = (
    "(SELECT d.id FROM decision d JOIN step t ON t.id = d.step_id"
    " WHERE t.case_id = 1 AND t.key = 'approve-plan' AND t.round = 2)"
)
ROOT = "SELECT id FROM branch WHERE parent_id IS NULL AND case_id ="
NO = "(1 = 0)"
YES = "(1 = 1)"


def told(event: str, key: str = "chaos-0001", **told: Any) -> Told:
    """A line about the first decision there was, or about another key."""
    return {"event": event, "key": key, "slot": 1, "person": "secretary", "answer": "done", **told}


def again(name: str, where: str = "id > 0", **changes: Any) -> tuple[Act, Act]:
    """A row of a table a second time, past its unique keys."""
    return loosen(name), copy(name, where, id=9001, **changes)


def entry(said: str, n: int = 901) -> Act:
    """An entry of a chain a second time, put at its end."""
    return copy("audit", f"body LIKE '%{said}%' AND stream LIKE 'branch/%'", id=9001, n=n)
