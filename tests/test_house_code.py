"""What holds everywhere in the house, each rule with the fault it keeps out."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions, packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.house import PACKAGES, ROOT, Rule, broken, calls, dotted, found_in, functions, imports

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
CLOCK = ROOT / "deployments" / "clock.py"


def reads_a_clock(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Two readings in one decision differ at midnight; a simulated year needs one place to turn."""
    for call in calls(tree):
        if dotted(call.func).split(".")[-1] in ("now", "utcnow", "today") and _is_clock(call.func):
            yield call.lineno, f"reads a clock: {dotted(call.func)}"
    for line, name in imports(tree):
        if name == "time" or name.startswith("time."):
            yield line, f"imports a clock: {name}"


def _is_clock(function: ast.expr) -> bool:
    """``datetime.now`` and SQL's ``func.now``, but not ``work.now`` or ``self.today``."""
    return dotted(function).split(".")[-2:-1] in (["datetime"], ["date"], ["func"], ["dt"])


def asks_the_database(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A query in a page has no scope and no test; badge and list come to differ (INV-13)."""
    for line, name in imports(tree):
        if name in {f"sqlalchemy.{verb}" for verb in ("select", "insert", "update", "delete")}:
            yield line, f"imports a query: {name}"


def is_too_long(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Nobody reads a function of two screens before they change it."""
    for function in functions(tree):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > LONGEST_FUNCTION:
            yield function.lineno, f"{function.name} has {lines} lines"


RULES: dict[Rule, tuple[tuple[str, ...], tuple[str, ...]]] = {
    reads_a_clock: (
        PACKAGES,
        ("datetime.now(UTC)", "datetime.date.today()", "import time", "select(func.now())"),
    ),
    asks_the_database: (("web",), ("from sqlalchemy import func, select",)),
    is_too_long: (
        (*PACKAGES, "bench", "chaos", "tests"),
        ("def f():\n" + " x = 1\n" * LONGEST_FUNCTION,),
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module(rule: Rule) -> None:
    paths = [
        path
        for folder in RULES[rule][0]
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != CLOCK
    ]
    assert broken(rule, paths) == [], rule.__doc__


@pytest.mark.parametrize(
    ("rule", "code"),
    [(rule, code) for rule, (_, examples) in RULES.items() for code in examples],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_lint_finds_it(rule: Rule, code: str) -> None:
    assert found_in(rule, code)


def test_the_present_of_a_transaction_is_no_clock() -> None:
    assert found_in(reads_a_clock, "x = work.now\ny = self.today\nz = env.clock()") == []


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    """A file of a thousand lines is where the second way of doing the same thing hides."""
    paths = [
        path
        for folder in (*PACKAGES, "bench", "chaos", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in paths}
    assert {path: n for path, n in lines.items() if n > LONGEST_FILE} == {}


def tracked() -> list[Path]:
    """Every file that is, or is about to be, in the history."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in found if path.is_file()]


def addresses(text: str) -> list[str]:
    """Package registries and folders of one machine: an intranet reaches neither of them."""
    names = ("pypi", "npmjs", "pythonhosted", "npmmirror")
    hosts = [f"{name}.{ending}" for name in names for ending in ("org", "net", "com")]
    folders = [f"/{name}/" for name in ("work", "farm", "root", "home")]
    return [part for part in (*hosts, *folders) if part in text]


def test_no_registry_and_no_folder_of_a_machine_is_committed() -> None:
    found = {}
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if bad := addresses(text):
            found[str(path.relative_to(ROOT))] = bad
    assert found == {}


def test_the_locks_name_versions_and_hashes_only() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        for line in lock.read_text().splitlines():
            assert line.startswith("    --hash=sha256:") or "==" in line, f"{lock.name}: {line}"
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_pages_and_composition_root_do_not_load_prefect() -> None:
    """Prefect costs every web process seconds at its start and 110 MB."""
    code = "import sys, web.app, deployments.root; print('prefect' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "False"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_imported_from_this_checkout(name: str) -> None:
    """Another copy in front of ours would define every table twice, or run old code."""
    found = find_spec(name)
    assert found is not None
    assert found.submodule_search_locations is not None
    assert list(found.submodule_search_locations) == [str(ROOT / name)]


def test_no_dependency_owns_one_of_our_names() -> None:
    """Flat names are short: a dependency with a package ``web`` would shadow ours."""
    owners = packages_distributions()
    taken = {name: owners[name] for name in PACKAGES if set(owners.get(name, [])) - {"fourduties"}}
    assert taken == {}
    assert any(found.name == "fourduties" for found in distributions())
