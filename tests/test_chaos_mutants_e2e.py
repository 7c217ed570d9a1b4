"""The mutants of the chaos run: each still fits today's code, and the checker catches each."""

from pathlib import Path

import pytest

from chaos.drivers import DRIVERS
from chaos.mutant_run import caught, lived
from chaos.mutants import MUTANTS, Change, Mutant, Stale, copy_of_tree

NAMED = {
    "answer before commit",
    "no compare-and-set",
    "outbox outside the transaction",
    "rung without its unique key",
    "effect recorded before it ran",
    "hash left out",
}
"""Those of the fault matrix."""


def by_name(mutant: Mutant) -> str:
    return mutant.name


def test_the_six_of_the_fault_matrix_and_six_more() -> None:
    assert {mutant.name for mutant in MUTANTS if mutant.named} == NAMED
    assert len({mutant.name for mutant in MUTANTS}) == 12


def test_every_mutant_fits_the_code_of_today(tmp_path: Path) -> None:
    for number, mutant in enumerate(MUTANTS):
        tree = copy_of_tree(tmp_path / str(number))
        for change in mutant.changes:
            change.apply(tree)
            if change.path.endswith(".py"):
                compile((tree / change.path).read_text(encoding="utf-8"), change.path, "exec")


@pytest.mark.parametrize("text", ["once\nonce\n", "never\n"])
def test_a_mutant_that_does_not_fit_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "code.py").write_text(text, encoding="utf-8")
    with pytest.raises(Stale):
        Change("code.py", "once", "twice").apply(tmp_path)


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_history_of_a_mutant_is_clean_without_it(
    driver: str, tmp_path: Path, database_url: str
) -> None:
    found = lived(driver, (), tmp_path, database_url)
    assert [str(violation) for violation in found.violations] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=by_name)
def test_a_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert caught(mutant, tmp_path)
