"""The verifier that knows nothing of ours finds what ``audit verify`` finds, by itself."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.env import Env
from services.invariants import snapshot
from services.seal_check import newest
from services.seal_export import exported
from tests.conftest import SettableClock
from tests.house import ROOT
from tests.test_sealing import EDITS, KEY, House, statement
from tools.audit_verifier import Verifier, verify

TOOL = ROOT / "tools" / "audit_verifier.py"
SAME = {
    "审计链断裂": "a chain is broken",
    "审计记录的时间与其内容不符": "an entry's time is not that of its body",
    "已封存的记录被改动": "a sealed entry was changed",
    "已封存的记录缺失": "a sealed entry is missing",
    "审计链与其链头不符": "a chain does not end in its head",
    "封存的叶与其签名的根不符": "the leaves do not come to the signed root",
    "叶不在任何封存之下": "a leaf is under no seal",
    "封存记录缺失": "a seal is missing",
    "封存的签名不符": "a signature does not fit",
    "封存密钥不是本安装的密钥": "the key is not the one that was named",
}


@pytest.fixture
def house(env: Env, clock: SettableClock) -> House:
    """Two streams with six entries each, sealed thrice."""
    made = House(env, clock)
    for _ in range(3):
        made.write("a", 2)
        made.write("b", 2)
        made.seal()
    return made


def lines(house: House) -> list[str]:
    with snapshot(house.env.engine) as db:
        return [json.dumps(line) for line in exported(db)]


def found(house: House, kept: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return list(verify(lines(house), Verifier(KEY.public, kept)))


def test_it_imports_the_standard_library_and_cryptography_only() -> None:
    tree = ast.parse(TOOL.read_text(encoding="utf-8"))
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {
        one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names
    }
    tops = {(name or "").split(".")[0] for name in named}
    assert tops - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.mark.parametrize("edit", EDITS)
def test_it_finds_every_kind_of_edit_and_says_where(house: House, edit: str) -> None:
    assert found(house) == []
    act, where = EDITS[edit]
    house.forge(act)
    said = found(house)
    wanted = {name: value for name, value in where.items() if name in ("stream", "n", "seal")}
    what = SAME[where["what"]]
    if what in ("a leaf is under no seal", "the key is not the one that was named"):
        assert what in [one["what"] for one in said]
    else:
        assert {"what": what, **wanted} in said


def test_it_holds_the_file_to_a_seal_that_was_kept(house: House) -> None:
    with snapshot(house.env.engine) as db:
        kept = newest(db)
    assert found(house, kept) == []
    house.forge(
        statement("DELETE FROM seal WHERE number = 3", "DELETE FROM seal_leaf WHERE place >= 4")
    )
    assert found(house) == []
    assert [one["seal"] for one in found(house, kept)] == [3]


def test_it_runs_by_itself_on_a_file(house: House, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    command = [sys.executable, "-I", str(TOOL), str(file), "--key", KEY.public]
    file.write_text("\n".join(lines(house)) + "\n", encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "12 entries, sealed up to 2026-11-30T01:03:00+00:00 (seal 3)" in done.stderr
    house.forge(statement("DELETE FROM audit WHERE stream = 'b' AND n = 5"))
    file.write_text("\n".join(lines(house)) + "\n", encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (1, "a chain is broken: stream b, n 6\n")
