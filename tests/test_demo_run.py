"""``fourduties demo run``: fixed counts for every seed, the same bytes for the same seed."""

import io
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TextIO

import pytest
from sqlalchemy import Connection

from deployments import demo_run as module
from deployments.demo.lines import Lines
from deployments.demo.totals import write_totals
from deployments.demo_run import demo_run
from policy.calendar import local_day
from services.invariants import violations_seen


def played(seed: int) -> tuple[int, str]:
    """The exit code and everything that was written."""
    out = io.StringIO()
    return demo_run(seed, out), out.getvalue()


def played_and_examined(seed: int) -> tuple[int, str]:
    """The same; what must always hold is asked of the database before it goes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "write_totals", examine)
        return played(seed)


def examine(db: Connection, out: TextIO, lines: Lines, start: datetime) -> int:
    """No invariant is broken; then the totals are written."""
    found = [*violations_seen(db, local_day(lines.clock()))]
    assert found == []
    return write_totals(db, out, lines, start)


@pytest.fixture(scope="module")
def first() -> tuple[int, str]:
    """Seed 1, played once for all tests."""
    return played_and_examined(1)


def events(text: str) -> list[str]:
    """The lines that carry an instant."""
    return [line for line in text.splitlines() if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d ", line)]


def number(text: str, name: str) -> int:
    """The number that follows a name in the totals."""
    found = re.search(rf"{name} (\d+)", text.split("合计", 1)[1])
    assert found is not None, name
    return int(found[1])


def assert_counts(text: str) -> None:
    """What every seed promises."""
    fixed = {"问题": 17, "未结": 0, "具体表现": 56, "整改任务": 160, "逾期": 5}
    fixed |= {"退回": 3, "整案退回": 1, "基本完成": 0, "长期坚持": 0, "销号": 17}
    assert {name: number(text, name) for name in fixed} == fixed
    assert number(text, "办理") >= 400
    assert number(text, "事件") == len(events(text)) >= 600


def test_it_ends_with_every_problem_closed_and_the_promised_counts(
    first: tuple[int, str],
) -> None:
    code, text = first
    assert code == 0
    assert_counts(text)


def test_its_lines_are_the_decisions_it_counts(first: tuple[int, str]) -> None:
    lines = [line.split(" ", 4) for line in events(first[1])]
    decided = [line for line in lines if line[3] in ("办理", "退回")]
    assert len(decided) == number(first[1], "办理")
    assert sum(" 逾期" in line[4] for line in decided) == 5
    assert sum("退回至“报送整改方案和任务清单”" in line[4] for line in decided) == 1
    assert [line[:2] for line in lines] == sorted(line[:2] for line in lines)


def test_nobody_answers_on_a_day_off_or_outside_office_hours(first: tuple[int, str]) -> None:
    for line in events(first[1]):
        day, hour = line.split(" ")[:2]
        assert "09:00" <= hour <= "18:00", line
        assert day not in ("2027-01-01", "2027-02-05", "2027-02-08"), line


def test_the_same_seed_writes_the_same_bytes_in_another_process(first: tuple[int, str]) -> None:
    play = (
        "import sys; from deployments.demo_run import demo_run; sys.exit(demo_run(1, sys.stdout))"
    )
    other = subprocess.run(
        [sys.executable, "-c", play],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8", "TZ": "America/Lima"},
        cwd=Path(__file__).parents[1],
    )
    assert (other.returncode, other.stdout.decode()) == first


def test_another_seed_plays_another_case_with_the_same_counts(first: tuple[int, str]) -> None:
    code, text = played_and_examined(2)
    assert code == 0
    assert text != first[1]
    assert_counts(text)


def test_it_fails_when_a_problem_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Run, "play", module._Run._settle)
    code, text = played(1)
    assert code != 0
    assert number(text, "未结") == 17
