"""Whether the checker catches a mutant: a short history in a mutated copy of the tree.

``python -m chaos.mutant_run [NAME]`` says it of one mutant or of all; exits with 1 if one lives.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from chaos.checker import check
from chaos.checks.findings import Findings
from chaos.mutants import MUTANTS, Change, Mutant, copy_of_tree
from chaos.say import say

_SECONDS = 300


def caught(mutant: Mutant, folder: Path) -> bool:
    """Whether the checker names what the mutant does; ``folder`` is empty and is filled.

    On SQLite, in processes that kill themselves at the moment that matters. RuntimeError when the
    history itself could not be lived.
    """
    found = lived(mutant.driver, mutant.changes, folder)
    return any(violation.what == mutant.says for violation in found.violations)


def lived(driver: str, changes: Iterable[Change], folder: Path, url: str = "") -> Findings:
    """What the checker says of a history that a changed copy of the tree has lived."""
    tree, journal = copy_of_tree(folder / "tree"), folder / "journal.jsonl"
    for change in changes:
        change.apply(tree)
    database = url or f"sqlite:///{folder / 'house.db'}"
    ended = subprocess.run(
        [sys.executable, "-m", "chaos.drivers", driver, database, str(journal)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{driver}: {ended.stderr[-2000:]}")
    return check(database, [journal])


def main(wanted: str = "") -> int:
    """Each mutant in a folder of its own; how many were not caught."""
    alive = 0
    for mutant in MUTANTS:
        if wanted in ("", mutant.name):
            with tempfile.TemporaryDirectory(prefix="fourduties-mutant-") as folder:
                dead = caught(mutant, Path(folder))
            say(f"{'caught' if dead else 'NOT CAUGHT'}: {mutant.name}")
            alive += not dead
    return alive


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:2]), 1))
