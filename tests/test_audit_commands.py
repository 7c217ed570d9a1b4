"""The audit on the command line: what it says, its exit codes, and the key it makes for itself."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from deployments.cli import app
from deployments.root import build
from deployments.settings import load
from services.command import SYSTEM, Work, execute
from services.sealing import Sealer
from tests.forging import disarm
from tests.test_audit_verifier import TOOL


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, with nothing in it but the schema."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOURDUTIES_DATA", str(tmp_path / "data"))
    run("migrate")
    return tmp_path / "data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def sealed(stream: str = "a") -> None:
    """Write an entry, and seal it with the installation's own key."""
    env = build(load())
    said = {"act": "noted"}

    def note(work: Work) -> dict[str, str]:
        work.audit(stream, said)
        return {}

    execute(env, SYSTEM, "note", f"note:{stream}", said, note)
    assert Sealer(env).once() >= 1
    env.engine.dispose()


def forged() -> None:
    engine = build(load()).engine
    with engine.connect() as db:
        disarm(db)
        db.execute(text("UPDATE audit SET body = '{}' WHERE stream = 'a'"))
        db.commit()
    engine.dispose()


def test_the_key_is_made_once_for_its_owner_only_and_is_shown_nowhere(data: Path) -> None:
    sealed()
    key = data / "secrets" / "seal-key"
    secret = key.read_text(encoding="utf-8")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert repr(load()).find(secret) == repr(build(load())).find(secret) == -1
    out = run("audit", "verify", "--json").output
    assert secret not in out
    assert key.read_text(encoding="utf-8") == secret


def test_verify_says_up_to_when_it_is_sealed_and_fails_for_an_edit() -> None:
    assert "尚未封存；不符 0 处。" in run("audit", "verify").output
    refused = run("audit", "seal-out", "seal.json")
    assert (refused.exit_code, Path("seal.json").exists()) == (1, False)
    sealed()
    clean = run("audit", "verify")
    assert (clean.exit_code, "已封存至" in clean.output) == (0, True)
    forged()
    found = run("audit", "verify", "--json")
    assert found.exit_code == 1
    told = json.loads(found.output.splitlines()[0])
    assert told["sealed"]["number"] == 1
    assert {"what": "审计链断裂", "stream": "a", "n": 1} in told["found"]


def test_a_seal_that_left_the_house_is_held_against_the_database() -> None:
    sealed()
    assert "第 1 次封存" in run("audit", "seal-out", "seal.json").output
    assert run("audit", "verify", "--against", "seal.json").exit_code == 0
    kept = json.loads(Path("seal.json").read_text(encoding="utf-8"))
    Path("seal.json").write_text(json.dumps(kept | {"size": 9}), encoding="utf-8")
    refused = run("audit", "verify", "--against", "seal.json")
    assert (refused.exit_code, "内容与签名不符" in refused.output) == (1, True)
    Path("seal.json").write_text("no seal", encoding="utf-8")
    assert "不是封存回执" in run("audit", "verify", "--against", "seal.json").output


def test_a_seal_brings_the_proof_that_it_continues_an_earlier_one() -> None:
    sealed("a")
    run("audit", "seal-out", "first.json")
    sealed("b")
    assert run("audit", "seal-out", "next.json", "--since", "first.json").exit_code == 0
    later = json.loads(Path("next.json").read_text(encoding="utf-8"))
    assert later["consistency"] == {"since": 1, "path": later["consistency"]["path"]}
    tool = [sys.executable, str(TOOL), "--since", "first.json", "--seal", "next.json"]
    assert subprocess.run(tool, check=False).returncode == 0
    Path("next.json").write_text(json.dumps(later | {"consistency": None}), encoding="utf-8")
    assert subprocess.run(tool, check=False).returncode == 1
    refused = run("audit", "seal-out", "next.json", "--since", "no-seal.json")
    assert refused.exit_code != 0
    Path("receipt.json").write_text('{"sealed": null}', encoding="utf-8")
    refused = run("audit", "seal-out", "next.json", "--since", "receipt.json")
    assert (refused.exit_code, "不是已封存的办理凭证" in refused.output) == (1, True)


def test_a_seal_goes_up_and_comes_back_signed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed()
    run("audit", "seal-out", "seal.json")
    monkeypatch.setenv("FOURDUTIES_DATA", str(tmp_path / "above"))
    run("migrate")
    done = run("audit", "cosign", "seal.json", "cosigned.json")
    assert (done.exit_code, "没有可相接的会签" in done.output) == (0, True)
    monkeypatch.setenv("FOURDUTIES_DATA", str(data))
    assert "已收存对第 1 次封存的会签" in run("audit", "take-in", "cosigned.json").output
    assert "上级会签至第 1 次" in run("audit", "verify").output
    sealed("b")
    run("audit", "seal-out", "next.json", "--since", "cosigned.json")
    monkeypatch.setenv("FOURDUTIES_DATA", str(tmp_path / "above"))
    assert "与第 1 次相接" in run("audit", "cosign", "next.json", "next-cosigned.json").output
    refused = run("audit", "cosign", "seal.json", "older.json")
    assert (refused.exit_code, "没有接上" in refused.output) == (1, True)
    assert not Path("older.json").exists()


def test_the_key_is_replaced_and_what_ended_half_way_is_gone_on_with(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed()
    key = data / "secrets" / "seal-key"
    before = key.read_text(encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _killed)
        assert run("audit", "rotate-key").exit_code != 0
    assert key.read_text(encoding="utf-8") == before
    assert "封存密钥已更换为" in run("audit", "rotate-key").output
    assert key.read_text(encoding="utf-8") != before
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [file.name for file in key.parent.glob("seal-key*")] == ["seal-key"]
    sealed("b")
    assert "不符 0 处" in run("audit", "verify").output
    monkeypatch.setenv("FOURDUTIES_SEAL_KEY", "22" * 32)
    refused = run("audit", "rotate-key")
    assert (refused.exit_code, "FOURDUTIES_SEAL_KEY" in refused.output) == (1, True)


def _killed(self: Path, target: Path) -> Path:
    raise RuntimeError(f"killed before {target}")


def test_an_export_holds_every_line() -> None:
    sealed()
    assert "已写入 5 行" in run("audit", "export", "audit.jsonl").output
    lines = Path("audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["key", "leaf", "seal", "entry", "head"]
