"""What each leg of a long run found, a line each on the disk, so that a run that ends goes on.

The long form takes hours. Whatever ends it in between, the legs that were done stay done, each with
the commit it was made on; the next call with the same file does the others.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos.mutants import ROOT

NO_COMMIT = "unknown"


class Record:
    """The lines of a file, by the name of the leg; without a file it is forgotten at the end.

    ValueError when the file holds something else.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._found: dict[str, Any] = {}
        self.commits: set[str] = set()
        for line in file.read_text(encoding="utf-8").splitlines() if file and file.exists() else ():
            try:
                kept = json.loads(line)
                self._found[kept["leg"]] = kept["found"]
                self.commits.add(kept["commit"])
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{file}: not a line of a leg: {line[:80]}") from None

    def once(self, leg: str, find: Callable[[], Any]) -> Any:
        """What the leg found: when it was done before, or now."""
        if leg not in self._found:
            found, commit = find(), _commit()
            self._found[leg] = found
            self.commits.add(commit)
            self._keep({"leg": leg, "commit": commit, "found": found})
        return self._found[leg]

    def _keep(self, line: Any) -> None:
        if self._file is None:
            return
        with self._file.open("a", encoding="utf-8") as out:
            out.write(f"{json.dumps(line, ensure_ascii=False)}\n")
            out.flush()
            os.fsync(out.fileno())


def _commit() -> str:
    """Of the tree that runs, marked when it was changed since."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or NO_COMMIT
