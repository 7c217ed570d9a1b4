"""I/O errors at forty points of SQLite's writing: nothing acknowledged is lost, nothing halved."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.failing_disk import BEFORE, STEPS

ONCE = (
    *(f"pwrite64 {n}" for n in (1, 2, 3, 4, 6, 9, 13, 18, 24, 31, 40, 52, 66, 82, 100, 125, 150)),
    *(f"pwrite64 {n}" for n in (175, 200, 225, 250, 275)),
    *(f"fdatasync {n}" for n in range(1, 9)),
)
FOR_EVER = (
    *(f"pwrite64 {n} +" for n in (1, 20, 60, 120, 180)),
    *(f"fdatasync {n} +" for n in range(1, 6)),
)
SAID = {"storage_fault", "no_room", "unsettled", "busy"}


def may_trace() -> str:
    """Why no process can be traced here, or ""."""
    if shutil.which("strace") is None:
        return "no I/O error was injected: strace is missing (apt-get install strace)"
    tried = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "no I/O error was injected: ptrace is forbidden here"


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> list[dict[str, Any]]:
    """What each failure came to."""
    if why := may_trace():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("disk")
    shutil.copyfile(sqlite_template, folder / BEFORE)
    done = subprocess.run(
        [sys.executable, "-m", "tests.failing_disk", str(folder)],
        input="\n".join((*ONCE, *FOR_EVER)),
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def acknowledged(found: dict[str, Any]) -> list[int]:
    return [told["decision"] for told in found["told"] if told["ok"]]


def test_forty_failures_were_met(failed: list[dict[str, Any]]) -> None:
    assert len(failed) == len(ONCE) + len(FOR_EVER) >= 40
    assert [found["line"] for found in failed if not found["hit"]] == []


def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    failed: list[dict[str, Any]],
) -> None:
    for found in failed:
        kept = found["left"]["kept"]
        assert set(acknowledged(found)) <= set(kept), found
        assert len(kept) <= len(acknowledged(found)) + 1, found  # at most the one in doubt


def test_what_is_left_is_whole_and_goes_on(failed: list[dict[str, Any]]) -> None:
    for found in failed:
        left = found["left"]
        assert left["whole"] == "ok", found
        assert left["wrong"] == [], found
        assert len(left["end"]) == len(STEPS), found


def test_who_was_refused_was_told_why(failed: list[dict[str, Any]]) -> None:
    told = [one for found in failed for one in found["told"]]
    refused = {one["error"] for one in told if not one["ok"]}
    assert refused
    assert refused <= SAID


def test_a_disk_that_failed_once_keeps_nobody_from_going_on(failed: list[dict[str, Any]]) -> None:
    for found in failed[: len(ONCE)]:
        assert len(acknowledged(found)) == len(STEPS), found


def test_of_a_disk_that_stays_broken_nothing_more_is_acknowledged(
    failed: list[dict[str, Any]],
) -> None:
    for found in failed[len(ONCE) :]:
        assert not found["told"][-1]["ok"] or len(acknowledged(found)) == len(STEPS), found
