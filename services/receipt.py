"""What an import of a file did, kept with the command: what it wrote, and what it read otherwise.

Only who imported sees it: the texts of a file may be of units that others may not see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from documents.fault import Change
from models.audit import Command
from models.base import table
from services.command import Work
from services.errors import NotFound

MOST_KEPT = 1_000
"""How many changes are kept one by one; the rest is counted."""
_IMPORTS = ("problem.import", "task.import")
_commands = table(Command)


@dataclass(frozen=True, slots=True)
class Receipt:
    """An import that was carried out; ``counts`` by problems, manifestations, tasks."""

    filename: str
    at: datetime
    counts: Mapping[str, int]
    case_id: int | None
    number: str
    changes: tuple[Change, ...]
    changed: int
    """How many changes there were; more than ``changes`` when there were very many."""


def receipt(work: Work, filename: str, changes: Sequence[Change]) -> dict[str, Any]:
    """What a command adds to its result, so that :func:`receipt_of` finds it."""
    kept = [list(astuple(change)) for change in changes[:MOST_KEPT]]
    return {
        "receipt": work.command_id,
        "filename": filename,
        "changed": len(changes),
        "changes": kept,
    }


def receipt_of(db: Connection, person_id: int, command_id: int) -> Receipt:
    """The receipt of an import that this person made; ``NotFound`` for any other."""
    mine = _commands.c.id == command_id, _commands.c.person_id == person_id
    query = select(_commands.c.result, _commands.c.at).where(*mine, _commands.c.name.in_(_IMPORTS))
    row = db.execute(query).first()
    if row is None or not row.result or "changes" not in row.result:
        raise NotFound
    kept = row.result
    return Receipt(
        filename=kept["filename"],
        at=row.at,
        counts={name: kept.get(name, 0) for name in ("problems", "manifestations", "tasks")},
        case_id=kept["case_id"],
        number=kept["number"],
        changes=tuple(Change(*change) for change in kept["changes"]),
        changed=kept["changed"],
    )
