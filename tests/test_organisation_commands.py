"""``fourduties org``: a workbook comes in and goes back, and the old table of four columns too."""

from pathlib import Path

import pytest

from documents.organisation_file import TERMS
from documents.tree import is_tree
from tests.organisation_books import BUREAU, DAY, TREE, book, only
from tests.test_cli import run


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, with a small tree in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOURDUTIES_DATA", str(tmp_path / "data"))
    run("migrate")
    (tmp_path / "tree.csv").write_text(TREE, encoding="utf-8")
    assert "新增 4 行" in run("org", "import", "tree.csv").output
    return tmp_path


def test_a_workbook_is_looked_at_brought_in_and_taken_back(installation: Path) -> None:
    (installation / "bureau.xlsx").write_bytes(book(BUREAU))
    looked = run("org", "import", "bureau.xlsx", "--preview")
    assert looked.exit_code == 0, looked.output
    assert "组织：新增 3、变更 0、终止 0、未变 0" in looked.output
    assert "任职 第 2 行 新增：滨河区城管局党组书记　甲" in looked.output
    for _ in range(2):  # the preview kept nothing; the undo takes back everything
        done = run("org", "import", "bureau.xlsx")
        assert done.exit_code == 0, done.output
        assert "组织：新增 3" in done.output
        number = done.output.split("回执号 ")[1].split()[0]
        assert "已撤销" in run("org", "undo", number).output
    refused = run("org", "undo", number)
    assert refused.exit_code == 1
    assert "这次导入已经办理过了" in refused.output
    assert "没有这一项" in run("org", "undo", "999").output


def test_what_is_wrong_is_said_and_nothing_is_kept(installation: Path) -> None:
    wrong = only(TERMS, ["3199", "书记", "甲", "", DAY, ""])
    (installation / "terms.xlsx").write_bytes(wrong)
    refused = run("org", "import", "terms.xlsx")
    assert refused.exit_code == 1
    assert "“任职”第 2 行“任职日期”" in refused.output
    assert "什么" not in refused.output
    assert "没有保存任何内容" in refused.output


def test_the_gaps_that_are_left_are_said(installation: Path) -> None:
    without = {name: rows for name, rows in BUREAU.items() if name != TERMS}
    (installation / "bureau.xlsx").write_bytes(book(without))
    said = run("org", "import", "bureau.xlsx").output
    assert "导入后的缺位" in said
    assert "滨河区城管局党组书记无人任职，上级是滨河区委书记" in said


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("code,name,level,parent_code\n", True),
        ("code,name\n", True),
        ("编码,名称,层级,上级编码\n", True),
        ("编码,名称,层级,类别,上级编码\n", False),
        ("组织,职务,人员,任职日期\n", False),
        ("", False),
    ],
)
def test_the_old_table_is_told_by_its_header(text: str, tree: bool) -> None:
    assert is_tree(text.encode("gb18030")) == tree
    assert not is_tree(book(BUREAU))
