"""Every fault, invariant and requirement is held by tests that exist, or said to be missing."""

import re

import pytest

from tests.house import ROOT
from tests.reliability import Held, faults, held, invariants, requirements
from tests.test_docs import definitions

ROWS = [row["id"] for row in (*faults(), *invariants())]
ASKED = [row["id"] for row in requirements()]
EVERY = [("reliability", row) for row in ROWS] + [("security", row) for row in ASKED]
ISSUE = re.compile(r"issue \d+")


def test_the_matrix_and_the_invariants_are_whole() -> None:
    assert len(faults()) == 21
    assert [row["id"] for row in invariants()] == [f"INV-{n}" for n in range(1, 24)]
    assert len(set(ROWS)) == len(ROWS)
    assert sum(row["chaos"] == "●" for row in faults()) == 5
    known = {row["id"].removeprefix("INV-") for row in invariants()} | {"–"}
    assert all(set(row["invariants"].split()) <= known for row in faults())


def test_security_has_a_line_for_everything_that_is_asked() -> None:
    """Chapters of the reliability paper's §5, in its order."""
    assert len(set(ASKED)) == len(ASKED)
    assert not set(ASKED) & set(ROWS)
    chapters = "access login sessions cookies csrf headers injection uploads limits ssrf secrets"
    chapters += " errors audit administrators residue restore prefect dependencies"
    assert {row.partition("-")[0] for row in ASKED} >= set(chapters.split())


@pytest.mark.parametrize(("register", "row"), EVERY)
def test_each_is_held_or_said_to_be_missing(register: str, row: str) -> None:
    lines = [line for line in held(register) if line.row == row]
    assert lines
    for line in lines:
        assert bool(line.test) != bool(line.missing), line
        assert not line.missing or ISSUE.search(line.missing), "which issue brings it?"


@pytest.mark.parametrize("register", ["reliability", "security"])
def test_no_line_is_about_anything_else_or_there_twice(register: str) -> None:
    lines = held(register)
    assert {line.row for line in lines} == {row for of, row in EVERY if of == register}
    assert len(set(lines)) == len(lines)


def test_every_test_that_is_named_exists() -> None:
    for line in (*held(), *held("security")):
        if line.test:
            _exists(line)


def _exists(line: Held) -> None:
    path, _, name = line.test.partition("::")
    assert re.fullmatch(r"tests/test_\w+\.py", path), path
    assert (ROOT / path).is_file(), line.test
    assert name in definitions(ROOT / path), line.test
    assert name.startswith(("test_", "Test")), line.test
