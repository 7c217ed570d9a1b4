"""Every fault and every invariant is held by tests that exist, or is said to be missing."""

import re

import pytest

from tests.house import ROOT
from tests.reliability import faults, held, invariants
from tests.test_docs import definitions

ROWS = [row["id"] for row in (*faults(), *invariants())]
ISSUE = re.compile(r"issue \d+")


def test_the_matrix_and_the_invariants_are_whole() -> None:
    assert len(faults()) == 21
    assert [row["id"] for row in invariants()] == [f"INV-{n}" for n in range(1, 24)]
    assert len(set(ROWS)) == len(ROWS)
    assert sum(row["chaos"] == "●" for row in faults()) == 5
    known = {row["id"].removeprefix("INV-") for row in invariants()} | {"–"}
    assert all(set(row["invariants"].split()) <= known for row in faults())


@pytest.mark.parametrize("row", ROWS)
def test_each_is_held_or_said_to_be_missing(row: str) -> None:
    lines = [line for line in held() if line.row == row]
    assert lines
    for line in lines:
        assert bool(line.test) != bool(line.missing), line
        assert not line.missing or ISSUE.search(line.missing), "which issue brings it?"


def test_no_line_is_about_anything_else_or_there_twice() -> None:
    lines = held()
    assert {line.row for line in lines} == set(ROWS)
    assert len(set(lines)) == len(lines)


def test_every_test_that_is_named_exists() -> None:
    for line in held():
        if line.test:
            path, _, name = line.test.partition("::")
            assert re.fullmatch(r"tests/test_\w+\.py", path), path
            assert (ROOT / path).is_file(), line.test
            assert name in definitions(ROOT / path), line.test
            assert name.startswith(("test_", "Test")), line.test
