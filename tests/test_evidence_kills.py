"""An upload killed at any of its calls: row and file are both there, or neither (INV-20)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.evidence import EvidenceVersion
from policy.calendar import local_day
from services.database import open_engine
from services.evidence_check import Reaping
from services.invariants import violations
from tests.evidence_scene import keeping, slot
from tests.rectification_cast import Rectification, begin
from tests.test_fault_disk import may_trace
from tests.world import Clock

CALLS = {"rename": 2, "fsync": 5, "fdatasync": 4, "pwrite64": 6}
"""The calls at which it is killed, and how many of each: the first ones."""


@pytest.mark.skipif(bool(may_trace()), reason=may_trace() or "strace")
@pytest.mark.parametrize("call", CALLS)
def test_an_upload_killed_at_any_call_is_there_whole_or_not_at_all(
    tmp_path: Path, sqlite_url: str, call: str
) -> None:
    engine = open_engine(sqlite_url)
    case = begin(engine, Clock())
    files = tmp_path / "files"
    keeping(case, files)
    case.plan()
    asked, person = slot(case, "do-task", "office_clerk"), case.world.people["office_clerk"]
    for nth in range(1, CALLS[call] + 1):
        arguments = [sqlite_url, str(files), str(asked), str(person), f"{call}-key"]
        said = killed(call, nth, arguments)
        kept = len(case.rows(EvidenceVersion, "id"))
        assert kept in (0, 1)
        assert kept == 1 or "acknowledged" not in said, "what was acknowledged is lost"
        assert sound(case) == [], (call, nth)
        if "acknowledged" in said:
            break
    assert "acknowledged" in killed("none", 0, [*arguments[:-1], f"{call}-key"])
    assert len(case.rows(EvidenceVersion, "id")) == 1
    engine.dispose()


def killed(call: str, nth: int, arguments: list[str]) -> str:
    """What the process said before it was killed at its n-th such call; at none with 0."""
    command = [sys.executable, "-m", "tests.killed_upload", *arguments]
    if nth:
        fault = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
        command = [str(shutil.which("strace")), "-qq", "-o", "/dev/null", *fault, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def sound(case: Rectification) -> list[str]:
    """What does not hold, after the reaper looked twice."""
    assert case.env.files is not None
    reaping = Reaping(case.env, case.env.files)
    reaping.once()
    reaping.once()
    found = violations(case.env.engine, local_day(case.env.clock()), case.env.files)
    left = {path.name for path in case.env.files.incoming.glob("*")}
    return [str(one) for one in found] + sorted(left)
