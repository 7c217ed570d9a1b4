"""Which test holds which fault and which invariant: ``tests/data`` as tables of ``docs``.

``fault_matrix.csv`` and ``invariants.csv`` are the rows of the product's reliability paper (§3 and
§2). ``reliability.csv`` says of each by a line for each test which one holds it, and in lines
without a test what is missing still and which issue brings it. ``security_requirements.csv`` (§5)
and ``security.csv`` are the same for security.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos.mutants import MUTANTS
from tests.house import ROOT

DATA = ROOT / "tests" / "data"
NOTHING = "nothing"
"""What is missing of a row that is held as a whole."""
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A line of ``reliability.csv``: a test as ``tests/FILE.py::NAME``, or what is missing."""

    row: str
    test: str
    missing: str


def faults() -> list[dict[str, str]]:
    """The rows of the fault matrix."""
    return _read("fault_matrix.csv")


def invariants() -> list[dict[str, str]]:
    """The invariants by their numbers."""
    return _read("invariants.csv")


def requirements() -> list[dict[str, str]]:
    """What is asked of security, and where it is asked."""
    return _read("security_requirements.csv")


def held(register: str = "reliability") -> list[Held]:
    """What is held by what, and what is missing: of ``reliability`` or ``security``."""
    return [Held(**line) for line in _read(f"{register}.csv")]


def fault_rows() -> Iterator[Row]:
    """Each fault with the tests that hold it; ● in the chaos run as well."""
    for fault in faults():
        said = fault["fault"], fault["injection"], fault["user sees"], fault["invariants"]
        yield fault["chaos"], *said, *_holding(fault["id"])


def invariant_rows() -> Iterator[Row]:
    """Each invariant with the tests that hold it."""
    for invariant in invariants():
        number = invariant["id"].removeprefix("INV-")
        yield number, invariant["must hold"], *_holding(invariant["id"])


def requirement_rows() -> Iterator[Row]:
    """Each requirement of security with its source and the tests that show it."""
    for asked in requirements():
        yield asked["requirement"], asked["source"], *_holding(asked["id"], "security")


def mutant_rows() -> Iterator[Row]:
    """Each mutant of the chaos run, and by what the checker knows it."""
    for mutant in MUTANTS:
        yield mutant.name, "●" if mutant.named else "", mutant.says


def _holding(row: str, register: str = "reliability") -> Row:
    mine = [line for line in held(register) if line.row == row]
    names: dict[str, list[str]] = {}
    for line in mine:
        path, _, name = line.test.partition("::")
        if path:
            names.setdefault(path, []).append(f"`{name}`")
    tests = "; ".join(f"`{path}` ({', '.join(tests)})" for path, tests in names.items())
    missing = "; ".join(line.missing for line in mine if line.missing)
    return tests, missing or NOTHING


def _read(name: str) -> list[dict[str, str]]:
    with (Path(DATA) / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
