"""What a file would change: lines for people, writes for the database, faults."""

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from documents.fault import Fault
from models.batch import LineAct

Field = tuple[str, str, str]
"""A column's Chinese name, what is there, and what the file says; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file as people read it; ``what`` names the thing."""

    sheet: str
    row: int
    act: LineAct
    what: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """The id of a row that may be written by the same import: its table and its key there."""

    table: str
    key: Hashable


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row; others refer to it by ``key``. A value may be a :class:`Ref`."""

    table: str
    values: Mapping[str, Any]
    key: Hashable = None


@dataclass(frozen=True, slots=True)
class Update:
    """Columns of a row that is there: what they are and what they become."""

    table: str
    id: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(slots=True)
class Difference:
    """Everything between a file and what is there.

    ``ids`` are those of rows that are there, ``paths`` those of organisations by their ids;
    ``shifted`` are posts that are there and whose holders change.
    """

    lines: list[Line] = field(default_factory=list)
    inserts: list[Insert] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ids: dict[Ref, int] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    shifted: set[int] = field(default_factory=set)

    def fault(self, sheet: str, row: int, column: str, message: str) -> None:
        """Note what is wrong with a cell."""
        self.faults.append(Fault(sheet, row, column, message))

    @property
    def fingerprint(self) -> str:
        """The same for the same difference, whatever else has happened."""
        lines = (line for line in self.lines if line.act is not LineAct.UNCHANGED)
        shown = [[line.sheet, line.row, line.act, line.what, line.fields] for line in lines]
        updates = [[one.table, one.id] for one in self.updates]
        text = json.dumps([shown, updates], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def counts(self) -> dict[str, dict[str, int]]:
        """How many lines of each act, by sheet."""
        counted = Counter((line.sheet, line.act) for line in self.lines)
        sheets = dict.fromkeys(line.sheet for line in self.lines)
        return {sheet: {act: counted[sheet, act] for act in LineAct} for sheet in sheets}


def changed(columns: Sequence[tuple[str, str, Any, Any]]) -> tuple[tuple[Field, ...], Any, Any]:
    """Of (column, its Chinese name, there, wanted) those that differ: as read, before, after."""
    different = [one for one in columns if one[2] != one[3]]
    fields = tuple((name, said(there), said(wanted)) for _, name, there, wanted in different)
    before = {column: there for column, _, there, _ in different}
    after = {column: wanted for column, _, _, wanted in different}
    return fields, before, after


def made(*fields: tuple[str, Any]) -> tuple[Field, ...]:
    """The fields of something new, without those that are empty."""
    return tuple((name, "", said(value)) for name, value in fields if said(value))


def said(value: Any) -> str:
    """A value as a line says it."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def term_act(before: date | None, after: date | None) -> LineAct:
    """What a new last day does to something dated."""
    if before == after:
        return LineAct.UNCHANGED
    return LineAct.ENDED if before is None else LineAct.CHANGED
