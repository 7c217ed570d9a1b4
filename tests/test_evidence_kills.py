"""An upload killed at any of its calls: row and file are both there, or neither (INV-20)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from models.evidence import EvidenceVersion
from policy.calendar import local_day
from services.database import open_engine
from services.evidence_check import Reaping
from services.invariants import violations
from tests.evidence_scene import keeping, slot
from tests.rectification_cast import Rectification, begin
from tests.test_fault_disk import may_trace
from tests.world import Clock

OF_FILES = {"rename": 2, "fsync": 5}
CALLS = {
    "sqlite": OF_FILES | {"fdatasync": 4, "pwrite64": 6},
    "postgresql": OF_FILES | {"sendto": 60},
}
"""The calls at which it is killed, and how many of each: the first ones, until it is done."""
_KILLED = "killed"
_ENDED = text(
    "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE application_name = :name"
)


@pytest.mark.skipif(bool(may_trace()), reason=may_trace() or "strace")
@pytest.mark.parametrize(
    ("database", "call"), [(database, call) for database in CALLS for call in CALLS[database]]
)
def test_an_upload_killed_at_any_call_is_there_whole_or_not_at_all(
    tmp_path: Path, request: pytest.FixtureRequest, database: str, call: str
) -> None:
    url = str(request.getfixturevalue(f"{database}_url"))
    engine = open_engine(url)
    case = begin(engine, Clock())
    files = tmp_path / "files"
    keeping(case, files)
    case.plan()
    asked, person = slot(case, "do-task", "office_clerk"), case.world.people["office_clerk"]
    arguments = [url, str(files), str(asked), str(person), f"{call}-key"]
    for nth in range(1, CALLS[database][call] + 1):
        said = killed(call, nth, arguments)
        end_sessions(engine)
        kept = len(case.rows(EvidenceVersion, "id"))
        assert kept in (0, 1)
        assert kept == 1 or "acknowledged" not in said, "what was acknowledged is lost"
        assert sound(case) == [], (call, nth)
        if "acknowledged" in said:
            break
    assert "acknowledged" in killed("none", 0, arguments)
    assert len(case.rows(EvidenceVersion, "id")) == 1
    engine.dispose()


def killed(call: str, nth: int, arguments: list[str]) -> str:
    """What the process said before it was killed at its n-th such call; at none with 0."""
    command = [sys.executable, "-m", "tests.killed_upload", *arguments]
    if nth:
        fault = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
        command = [str(shutil.which("strace")), "-qq", "-o", "/dev/null", *fault, *command]
    env = os.environ | {"PGAPPNAME": _KILLED}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env).stdout


def end_sessions(engine: Engine) -> None:
    """What the killed process asked of a server is carried out or ended when this comes back."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as db:
            assert all(db.execute(_ENDED, {"name": _KILLED}).scalars())


def sound(case: Rectification) -> list[str]:
    """What does not hold, after the reaper looked twice."""
    assert case.env.files is not None
    reaping = Reaping(case.env, case.env.files)
    reaping.once()
    reaping.once()
    found = violations(case.env.engine, local_day(case.env.clock()), case.env.files)
    left = {path.name for path in case.env.files.incoming.glob("*")}
    return [str(one) for one in found] + sorted(left)
