"""What the documents promise is there, and what is there is in the documents."""

import ast
import re
from itertools import takewhile
from pathlib import Path

import pytest
from sqlalchemy import event

from models.base import metadata
from services.database import open_engine
from services.env import Env
from tests.docs_tables import PAGES, READMES, TABLES, by_hand, renewed, tables_of
from tests.house import PACKAGES, ROOT, functions
from tests.two_step_world import town
from tests.world import Clock, lay_out

ARCHITECTURE = ROOT / "docs" / "architecture.md"
DECISIONS = ROOT / "docs" / "decisions"
RULES = "ABCDEFGHIJKLMNO"
PARTS = ("Says", "Where", "Held by", "Not yet")
"""What is said of each rule."""
WITHIN = re.compile(r"`([\w./-]+\.(?:py|md|csv|j2|toml))`(?: \(((?:`\w+`(?:, )?)+)\))?")
"""A file, and in parentheses the names that are defined in it."""
MARKS = re.compile(r"`((?:make|fourduties|FOURDUTIES_|INV-)[^`]*)`")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_a_table_says_what_the_code_says(page: Path) -> None:
    """``python -m tests.docs_tables`` writes them anew."""
    assert renewed(text(page)) == text(page)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_a_table_by_hand_names_each_thing_once(page: Path) -> None:
    for name, found in by_hand(text(page)):
        assert found == things(name), name


def things(name: str) -> list[str]:
    """What the first column of a table written by hand has to name."""
    if name == "decision":
        return [f"`{statement}`" for statement in statements_of_a_decision()]
    if name == "tables":
        return [f"`{table}`" for table in sorted(metadata.tables)]
    return [row[0] for row in TABLES[name][1]()]


def test_every_table_stands_somewhere_and_in_both_readmes_alike() -> None:
    first, second = (tables_of(text(readme)) for readme in READMES)
    assert sorted(first) == sorted(second)
    stands = {name for page in PAGES for name in tables_of(text(page))}
    assert stands >= {*TABLES, "decision", "tables"}


def test_the_readme_and_its_twin_have_the_same_headings_and_commands() -> None:
    first, second = (sections(text(readme)) for readme in READMES)
    assert [level for level, _ in first] == [level for level, _ in second]
    for (_, english), (_, chinese) in zip(first, second, strict=True):
        heading = english.split("\n", 1)[0]
        assert fenced(english) == fenced(chinese), heading
        assert set(MARKS.findall(english)) == set(MARKS.findall(chinese)), heading
        assert links(english) == links(chinese), heading


def sections(page: str) -> list[tuple[str, str]]:
    """Each heading's level with what follows it."""
    found = re.split(r"^(#+) ", page, flags=re.MULTILINE)[1:]
    return list(zip(found[::2], found[1::2], strict=True))


def fenced(section: str) -> list[str]:
    return re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def links(section: str) -> list[str]:
    found = re.findall(r"\]\(([^)]+)\)", section)
    return [link for link in found if not link.startswith("README")]


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_target_and_setting_that_is_named_exists(page: Path) -> None:
    said = text(page)
    called = re.findall(r"`(fourduties [^`]+)`", said) + fenced_lines(said, "fourduties ")
    known = [command_words(thing) for thing in things("commands")]
    for call in map(command_words, called):
        assert any(call[: len(words)] == words for words in known), call
    settings = re.findall(r"FOURDUTIES_(?!TEST)[A-Z_]*[A-Z]", said)
    assert {f"`{name}`" for name in settings} <= set(things("settings"))
    targets = re.findall(r"^(?:\S+=\S+ )*(make [a-z]+)", "\n".join(marked(said)), re.M)
    assert {f"`{name}`" for name in targets} <= set(things("targets"))


def command_words(call: str) -> list[str]:
    """``fourduties org import`` of ``fourduties org import FILE``."""
    return list(takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, call.strip("`").split()))


def fenced_lines(page: str, beginning: str = "") -> list[str]:
    lines = "".join(fenced(page)).splitlines()
    return [line for line in lines if line.startswith(beginning)]


def marked(page: str) -> list[str]:
    """What is written as code: in a line, or in lines of its own."""
    return re.findall(r"`([^`\n]+)`", page) + fenced_lines(page)


def test_every_measurement_that_is_named_exists() -> None:
    named = {name for page in PAGES for name in re.findall(r"BENCH=(\w+)", text(page))}
    assert named
    assert [name for name in named if not (ROOT / "bench" / f"{name}.py").is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_relative_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", text(page)):
        if link.startswith("http"):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not heading or heading in anchors(text(target)), link


def anchors(page: str) -> set[str]:
    """The headings as links name them."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_file_and_name_in_the_documents_exists(page: Path) -> None:
    for path, defined in WITHIN.findall(text(page)):
        if "/" not in path:
            continue
        assert (ROOT / path).is_file() or (ROOT / "docs" / path).is_file(), path
        for name in re.findall(r"\w+", defined):
            assert name in definitions(ROOT / path), f"{path}: {name}"


def definitions(path: Path) -> set[str]:
    """What a module defines at any depth."""
    tree = ast.parse(text(path))
    found = {function.name for function in functions(tree)}
    found |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [*targets, node.target] if isinstance(node, ast.AnnAssign) else targets
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("rule", [*RULES, "Deadlines"])
def test_a_rule_says_where_it_lives_and_which_tests_hold_it(rule: str) -> None:
    said = parts_of(rule)
    assert tuple(said) == PARTS
    where = [path for path, _ in WITHIN.findall(said["Where"])]
    held = WITHIN.findall(said["Held by"])
    assert where
    assert held
    assert all(path.startswith("tests/test_") for path, _ in held)
    assert all(tests for _, tests in held), "tests are named one by one"
    assert said["Not yet"]


def parts_of(rule: str) -> dict[str, str]:
    """What the page says of a rule, by the name of the part."""
    heading = f"{rule}. " if len(rule) == 1 else rule
    found = re.findall(rf"^### {heading}.*\n\n((?:- .*\n)+)", text(ARCHITECTURE), re.MULTILINE)
    assert len(found) == 1, rule
    return dict(re.findall(r"^- \*\*(.+?)\*\*: (.+)$", found[0], re.MULTILINE))


def test_every_decision_has_its_page_and_every_page_its_parts() -> None:
    pages = sorted(page.name for page in DECISIONS.glob("*.md") if page.name != "README.md")
    assert sorted(links(text(DECISIONS / "README.md"))) == pages
    for name in pages:
        parts = re.findall(r"^\*\*(\w+)\.\*\*", text(DECISIONS / name), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Alternatives"], name


def test_every_page_of_the_documents_that_code_names_exists() -> None:
    for folder in PACKAGES:
        for path in (ROOT / folder).rglob("*.py"):
            for named in re.findall(r"``(docs/[^`]*)``", text(path)):
                assert (ROOT / named).is_file(), f"{path}: {named}"


def test_the_invariants_that_the_doctor_asks_are_those_of_the_page() -> None:
    said = re.findall(r"^\| (\d+) \|.*\| `doctor --deep`", text(ARCHITECTURE), re.MULTILINE)
    asked = re.search(r"不变式 INV-([\d、]+)", text(ROOT / "deployments" / "doctor.py"))
    assert asked is not None
    assert said == asked.group(1).split("、")


def statements_of_a_decision() -> list[str]:
    """What the database is asked when the first step of ``two_step`` is decided."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    here = town(Env(engine, Clock()))
    here.open()
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: said.append(shortly(given[2])))
    event.listen(engine, "commit", lambda connection: said.append("COMMIT"))
    here.world.answer("draft")
    engine.dispose()
    begun = len(said) - said[::-1].index("BEGIN") - 1
    return said[begun:]


def shortly(statement: str) -> str:
    """``INSERT INTO step (…)`` as ``INSERT step``; the history is a union of several tables."""
    if "UNION ALL" in statement and "INSERT" not in statement:
        return "SELECT history"
    verb, *rest = statement.replace('"', "").split()
    if verb in ("INSERT", "UPDATE"):
        return f"{verb} {rest[1] if verb == 'INSERT' else rest[0]}"
    if verb == "SELECT":
        return f"SELECT {rest[0].split('.')[0]}"
    return verb
