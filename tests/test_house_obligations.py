"""Mechanisms and commands say which obligations they carry out; the list of them is committed."""

import ast
import csv
import re
from collections.abc import Iterator

import pytest

from tests.house import PACKAGES, ROOT, calls, dotted, keyword, sources

LIST = ROOT / "policy" / "data" / "obligations.csv"
SHAPES = {"R": 93, "P": 4, "G": 3, "CK": 22}
"""How many rows of each kind the domain's list has."""


def obligations() -> dict[str, dict[str, str]]:
    """The committed list by id."""
    lines = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def declared() -> Iterator[tuple[str, str]]:
    """Every ``rows=`` in the code: where, and the id it names."""
    for path in sources(*PACKAGES):
        for call in calls(ast.parse(path.read_text())):
            yield from ((f"{path.name}:{call.lineno}", row) for row in _rows(call))


def _rows(call: ast.Call) -> list[str]:
    """The ids a call declares; ``rows=`` of other functions is something else."""
    given = keyword(call, "rows")
    if given is None or dotted(call.func) not in ("mechanism", "execute"):
        return []
    assert isinstance(given, ast.Tuple), "rows= is a tuple of ids"
    assert all(isinstance(item, ast.Constant) for item in given.elts), "rows= holds literal ids"
    return [str(item.value) for item in given.elts if isinstance(item, ast.Constant)]


def test_the_list_is_whole() -> None:
    kinds = [re.match(r"[A-Z]+", row) for row in obligations()]
    counted = [kind.group() for kind in kinds if kind]
    assert {kind: counted.count(kind) for kind in SHAPES} == SHAPES


def test_the_list_says_where_it_is_from_and_what_each_row_demands() -> None:
    assert "沪委发〔2019〕23号" in LIST.read_text().splitlines()[0]
    assert all(row["clause"] and row["text"] for row in obligations().values())


def test_something_is_declared() -> None:
    assert list(declared())


def test_every_declared_obligation_is_in_the_list() -> None:
    """A mistyped id would count a duty as done that nobody does."""
    known = obligations()
    assert [found for found in declared() if found[1] not in known] == []


def test_every_mechanism_carries_out_something() -> None:
    for path in sources("flows"):
        for call in calls(ast.parse(path.read_text())):
            if dotted(call.func) == "mechanism":
                assert _rows(call), f"{path.name}:{call.lineno}"


def test_a_mistyped_id_is_noticed() -> None:
    call = ast.parse("mechanism('m', rows=('R4.5-1', 'R9.9-9'))", mode="eval").body
    assert isinstance(call, ast.Call)
    assert [row for row in _rows(call) if row not in obligations()] == ["R9.9-9"]


@pytest.mark.parametrize("code", ["mechanism(rows=ROWS)", "mechanism(rows=(ROW,))"])
def test_ids_are_written_where_they_are_declared(code: str) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    with pytest.raises(AssertionError):
        _rows(call)
