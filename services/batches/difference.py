"""What a file would change: lines for people, writes for the database, faults."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from documents.fault import Fault
from models.batch import LineAct
from services.batches.packed import Packed

_text = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode

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
class Update:
    """Columns of a row that is there: what they are and what they become."""

    table: str
    id: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(slots=True)
class Lines:
    """The lines of a file in their order; ``digest`` is of those that change something."""

    digest: Any = field(default_factory=hashlib.sha256)
    _counted: dict[str, Counter[LineAct]] = field(default_factory=lambda: defaultdict(Counter))
    _packed: Packed[tuple[Any, ...]] = field(default_factory=Packed)

    def add(self, line: Line) -> None:
        """Add a line at the end."""
        values = line.sheet, line.row, str(line.act), line.what, line.fields
        self._counted[line.sheet][line.act] += 1
        self._packed.add(values)
        if line.act is not LineAct.UNCHANGED:
            self.digest.update(_text(values).encode())

    def __iter__(self) -> Iterator[Line]:
        """All of them, made anew."""
        for sheet, row, act, what, fields in self._packed:
            yield Line(sheet, row, LineAct(act), what, fields)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each act, by sheet."""
        return {sheet: {act: of[act] for act in LineAct} for sheet, of in self._counted.items()}


@dataclass(slots=True)
class Difference:
    """Everything between a file and what is there.

    ``inserts`` are new rows by their tables, each with its number; where they refer to a new row,
    they have its number. ``paths`` are those of organisations by their ids; ``shifted`` are posts
    that are there and whose holders change.
    """

    lines: Lines = field(default_factory=Lines)
    inserts: dict[str, Packed[tuple[int, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(Packed)
    )
    updates: list[Update] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)
    shifted: set[int] = field(default_factory=set)
    numbers: dict[str, dict[Hashable, int]] = field(default_factory=lambda: defaultdict(dict))
    """By table and key: the id of a row that is there, the number of a new one; only of use while
    a file is compared."""
    _new: Counter[str] = field(default_factory=Counter)

    def number(self, of: str, key: Hashable) -> int:
        """The id of a row that is there; -1, -2 … for a new one until it is written."""
        number = self.numbers[of].get(key)
        if number is None:
            number = self.numbers[of][key] = self._next(of)
        return number

    def insert(self, of: str, values: dict[str, Any], key: Hashable = None) -> None:
        """Note a new row, to which others refer by its ``key``."""
        number = self._next(of) if key is None else self.number(of, key)
        self.inserts[of].add((number, values))

    def fault(self, sheet: str, row: int, column: str, message: str) -> None:
        """Note what is wrong with a cell."""
        self.faults.append(Fault(sheet, row, column, message))

    @property
    def fingerprint(self) -> str:
        """The same for the same difference, whatever else has happened."""
        digest = self.lines.digest.copy()
        for one in self.updates:
            digest.update(_text([one.table, one.id]).encode())
        return str(digest.hexdigest())

    def _next(self, of: str) -> int:
        self._new[of] += 1
        return -self._new[of]


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
