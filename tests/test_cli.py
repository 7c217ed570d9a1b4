"""The command line: what it says, its exit codes, and that it is light."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.sanitise import written
from deployments.cli import app
from deployments.demo import TOWN, feedback
from documents.feedback import PROBLEMS
from tests import two_step
from tests.sheets import changed, problem_rows, workbook

TREE = """code,name,level,parent_code
319900,滨河区,区,
319900001,青松路街道,街镇,319900
"""


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOURDUTIES_DATA", str(tmp_path / "data"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_line_does_not_import_prefect() -> None:
    look = "import sys, deployments.cli; print(sorted(m for m in sys.modules if m == 'prefect'))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_migrate_makes_the_schema_and_does_nothing_the_second_time() -> None:
    first, again = run("migrate"), run("migrate")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.output == again.output


def test_a_command_on_a_database_without_schema_says_what_to_run(installation: Path) -> None:
    (installation / "tree.csv").write_text(TREE, encoding="utf-8")
    refused = run("org", "import", "tree.csv")
    assert refused.exit_code == 1
    assert "fourduties migrate" in refused.output
    assert "Traceback" not in refused.output


def test_org_import_adds_the_tree_and_a_second_time_keeps_it(installation: Path) -> None:
    (installation / "tree.csv").write_text(TREE, encoding="utf-8")
    run("migrate")
    assert "新增 2 行" in run("org", "import", "tree.csv").output
    assert "新增 0 行" in run("org", "import", "tree.csv").output


def test_the_preview_of_a_tree_says_what_would_be_added_and_saves_nothing(
    installation: Path,
) -> None:
    (installation / "tree.csv").write_text(TREE, encoding="utf-8")
    run("migrate")
    for _ in range(2):
        shown = run("org", "import", "tree.csv", "--preview").output
        assert "第 2 行 新增：" in shown
        assert "将新增 2 行，已有 0 行不变；现在没有保存" in shown
    run("org", "import", "tree.csv")
    assert "将新增 0 行，已有 2 行不变" in run("org", "import", "tree.csv", "--preview").output


def test_a_faulty_table_is_refused_with_every_row_and_nothing_is_kept(installation: Path) -> None:
    bad = TREE + "319900002,,街镇,319900\n319900003,某镇,街镇,999\n"
    (installation / "tree.csv").write_text(bad, encoding="utf-8")
    run("migrate")
    refused = run("org", "import", "tree.csv")
    assert refused.exit_code == 1
    assert "第 4 行" in refused.output
    assert "第 5 行" in refused.output
    assert "共 2 处，没有保存任何内容" in refused.output


def test_a_password_is_made_for_an_account_and_shown_once(installation: Path) -> None:
    (installation / "tree.csv").write_text(TREE, encoding="utf-8")
    run("migrate")
    run("org", "import", "tree.csv")
    unknown = run("account", "password", "nobody")
    assert unknown.exit_code == 1
    assert "Traceback" not in unknown.output


def test_a_database_that_does_not_answer_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    monkeypatch.setenv("FOURDUTIES_DATABASE_URL", nowhere)
    refused = run("migrate")
    assert refused.exit_code == 1
    assert "数据库不能使用" in refused.output


def test_a_data_folder_that_cannot_be_written_is_said_without_a_traceback(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installation / "file").touch()
    monkeypatch.setenv("FOURDUTIES_DATA", str(installation / "file" / "data"))
    refused = run("doctor")
    assert refused.exit_code == 1
    assert "不能读写" in refused.output
    assert str(installation / "file") in refused.output


def test_the_demo_feedback_is_imported_once_and_opens_its_case(installation: Path) -> None:
    shown = run("demo", "set-up")
    assert "319900009.secretary" in shown.output
    (installation / "feedback.xlsx").write_bytes(feedback())
    imported = run("problem", "import", "feedback.xlsx", "--org", TOWN)
    assert imported.exit_code == 0
    assert "问题 17 个、具体表现 56 条、整改任务 160 项" in imported.output
    again = run("problem", "import", "feedback.xlsx", "--org", TOWN)
    assert again.exit_code == 1
    assert "已经导入过" in again.output


def test_prose_that_may_be_harmless_is_imported_once_it_is_confirmed(installation: Path) -> None:
    run("demo", "set-up")
    text = written("公开的服务电话{landline}无人接听")
    rows = [row[:6] + ["党建办"] for row in problem_rows()[1:]]
    rows = changed([problem_rows()[0], *rows], (2, "具体表现", text))
    (installation / "feedback.xlsx").write_bytes(workbook({PROBLEMS: rows}))
    call = ("problem", "import", "feedback.xlsx", "--org", TOWN)
    asked = run(*call)
    assert asked.exit_code == 1
    assert "--confirmed" in asked.output
    assert text not in asked.output
    assert "第 2 行“具体表现”" in asked.output.replace("\n", "")
    done = run(*call, "--confirmed")
    assert (done.exit_code, "问题 2 个" in done.output) == (0, True)


def test_a_launch_opens_a_case_for_each_and_run_again_goes_on_with_the_same(
    installation: Path,
) -> None:
    towns = "".join(f"3199000{n:02},{n}号街道,街镇,319900\n" for n in range(1, 6))
    (installation / "tree.csv").write_text(f"{TREE[: TREE.index('319900001')]}{towns}")
    run("migrate")
    run("org", "import", "tree.csv")
    call = ("launch", two_step.NAME, "--under", "319900", "--level", "街镇")
    assert "将启动 5 件事项、5 个环节，由 5 人办理" in run(*call, "--preview").output
    later = run(*call, "--at", "2999-01-04T08:30:00", "--name", "later")
    assert "2999-01-04 08:30　已启动 0／5 件" in later.output
    assert run("launches").output == later.output
    for _ in range(2):
        assert "已启动 5／5 件" in run(*call).output
    assert run("launches").output == later.output
    assert "请用 --name 另取一个" in run("launch", two_step.NAME, "--org", "319900001").output


def test_what_is_started_by_an_import_is_not_launched_and_it_is_said() -> None:
    run("migrate")
    refused = run("launch", "rectification", "--org", "319900001")
    assert refused.exit_code == 1
    assert "没有编码为 319900001 的组织" in refused.output
    refused = run("launch", "rectification", "--level", "街镇")
    assert refused.exit_code == 1
    assert "须随材料逐件导入启动" in refused.output
