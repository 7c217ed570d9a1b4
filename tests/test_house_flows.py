"""A script of ``flows/`` must give the same steps each time it is replayed (rules A and E)."""

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from policy.defaults import DEFAULT
from tests.house import ROOT, Rule, broken, calls, constant, dotted, found_in, imports, keyword
from tests.house import functions as every_function

SCRIPTS = [path for path in sorted((ROOT / "flows").glob("*.py")) if path.name != "prefect.py"]
MOST_STEPS = 60
VERBS = ("ask", "ask_all", "each", "record", "do", "fact", "wait")
ANSWERS = {"DONE": ("done",), "AGREE": ("agree",), "REVIEW": ("agree", "return")}


def scripts(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions declared as the script of a mechanism or of its branches."""
    for function in every_function(tree):
        named = {dotted(d.func) for d in function.decorator_list if isinstance(d, ast.Call)}
        if named & {"mechanism", "branch_script"}:
            yield function


def case_calls(script: ast.AST, *verbs: str) -> Iterator[ast.Call]:
    """Calls of the casework a script is given: ``case.ask(…)``."""
    for call in calls(script):
        if isinstance(call.func, ast.Attribute) and call.func.attr in verbs:
            yield call


def reads_a_clock(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Replayed next week, a script that asked the time would take another way than it took."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
            yield node.lineno, f"reads a clock: {dotted(node)}"
    yield from (
        (line, f"imports a clock: {name}")
        for line, name in imports(tree)
        if name.split(".")[0] in ("time", "zoneinfo", "calendar")
    )


def queries(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The table may have other rows at the next replay; ``case.fact`` reads once and keeps it."""
    yield from (
        (line, f"imports what queries: {name}")
        for line, name in imports(tree)
        if name.split(".")[0] in ("sqlalchemy", "sqlmodel", "models", "sqlite3", "psycopg")
    )
    for call in calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("execute", "scalars"):
            yield call.lineno, "queries"


def draws_lots(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A drawn number or id is another one at the next replay, and the step's key with it."""
    for line, name in imports(tree):
        if name.split(".")[0] in ("random", "secrets", "uuid") or name == "os.urandom":
            yield line, f"imports chance: {name}"


def walks_a_set(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The order of a set of strings differs from process to process: steps would swap places."""
    made: list[ast.expr] = [
        node for node in ast.walk(tree) if isinstance(node, ast.Set | ast.SetComp)
    ]
    made += [call for call in calls(tree) if dotted(call.func) in ("set", "frozenset")]
    for node in made:
        if not _looked_up_in(tree, node):
            yield node.lineno, "has a set that could be walked"


def _looked_up_in(tree: ast.Module, made: ast.expr) -> bool:
    """``x in {…}`` asks nothing about the order."""
    return any(
        isinstance(node, ast.Compare)
        and made in node.comparators
        and all(isinstance(op, ast.In | ast.NotIn) for op in node.ops)
        for node in ast.walk(tree)
    )


def counts_days(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A number of days in a script has no legal basis, and no office can change it.

    ``due=`` and ``ladder=`` name a key of the policy that is frozen on the case; a key the policy
    lacks would only be noticed when the first case comes to that step.
    """
    for line, name in imports(tree):
        if name.split(".")[-1] in ("timedelta", "relativedelta", "Duration", "Ladder"):
            yield line, f"imports a duration: {name}"
    for call in calls(tree):
        for word, known in (("due", DEFAULT.durations), ("ladder", DEFAULT.ladders)):
            given = keyword(call, word)
            if given is not None and constant(given) not in known:
                yield call.lineno, f"{word}= is no key of the policy: {ast.unparse(given)}"


def repeats_a_key(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Two places with one key would read each other's decision as their own (rule A)."""
    for script in scripts(tree):
        asked = list(case_calls(script, *VERBS))
        keys = [constant(call.args[0]) if call.args else None for call in asked]
        twice = {key for key, times in Counter(keys).items() if times > 1}
        for call, key in zip(asked, keys, strict=True):
            if not isinstance(key, str) or not key:
                yield call.lineno, "has a step whose key is no literal text"
            elif key in twice:
                yield call.lineno, f"uses the key {key!r} at several places"


def hands_the_case_on(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A function that asks on a script's behalf, called twice, uses its keys twice unseen."""
    for script in scripts(tree):
        name = script.args.args[0].arg
        for call in calls(script):
            if any(isinstance(given, ast.Name) and given.id == name for given in call.args):
                yield call.lineno, f"hands {name} to {dotted(call.func) or 'a function'}"


def swallows(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """``except Exception`` around an ask would take an error of the replay for an answer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {dotted(kind) if kind else "everything" for kind in caught}
            if names & {"everything", "Exception", "BaseException"}:
                yield node.lineno, f"catches {', '.join(sorted(names))}"


def ignores_an_answer(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A "no" that the script does not look at goes on as a "yes", and publishes the plan."""
    for script in scripts(tree):
        read = {
            node.id
            for node in ast.walk(script)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        for node in ast.walk(script):
            if isinstance(node, ast.Expr) and _asks_a_question(node.value):
                yield node.lineno, "drops an answer"
            if isinstance(node, ast.Assign) and _asks_a_question(node.value):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                if not set(names) & read:
                    yield node.lineno, f"never looks at {', '.join(names)}"


def _asks_a_question(node: ast.expr) -> bool:
    """Whether it is an ask with more than one possible answer."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    given = keyword(node, "answers")
    if node.func.attr not in ("ask", "ask_all") or given is None:
        return False
    if isinstance(given, ast.Tuple):
        return len(given.elts) > 1
    return len(ANSWERS.get(dotted(given), ("unknown", "several"))) > 1


def asks_too_much(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A branch is loaded and replayed whole: sixty steps in a round are the most (rule B)."""
    for script in scripts(tree):
        steps = len(list(case_calls(script, "ask", "ask_all")))
        if steps > MOST_STEPS:
            yield script.lineno, f"asks {steps} times"


def cannot_be_redone(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A return over ``each(…, on_return="redo")`` stops its branches: what they did must say how
    it is undone, or the page offers a return that is then refused (rule C)."""
    redone = {
        dotted(call.args[2])
        for script in scripts(tree)
        for call in case_calls(script, "each")
        if constant(keyword(call, "on_return")) == "redo" and len(call.args) > 2
    }
    for script in scripts(tree):
        for call in case_calls(script, "record", "do", "each") if script.name in redone else ():
            if keyword(call, "on_return") is None:
                yield call.lineno, "says nothing about a return"


RULES: dict[Rule, tuple[str, ...]] = {
    reads_a_clock: (
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.date.today()",
        "from time import time",
    ),
    queries: ("from sqlalchemy import select", "import models.case", "db.execute('SELECT 1')"),
    draws_lots: ("import random", "from uuid import uuid4", "from os import urandom"),
    walks_a_set: ("for x in {1, 2}: f(x)", "y = sorted(set(a))", "z = {x for x in a}"),
    counts_days: (
        "case.ask('a', of=f, due='rectification.nowhere')",
        "case.ask('a', of=f, due=15)",
        "case.ask('a', of=f, due=name)",
        "case.ask('a', of=f, due='rectification.plan', ladder='steep')",
        "from datetime import timedelta",
    ),
    repeats_a_key: (
        "@mechanism('m')\ndef m(case):\n case.ask('a', of=f)\n case.do('a', g)",
        "@mechanism('m')\ndef m(case):\n case.ask(key, of=f)",
        "@branch_script('m')\ndef m(case):\n case.ask(f'a{n}', of=f)",
    ),
    hands_the_case_on: ("@mechanism('m')\ndef m(case):\n ask_all_the_rest(case)",),
    swallows: (
        "try: f()\nexcept Exception: pass",
        "try: f()\nexcept: pass",
        "try: f()\nexcept (ValueError, BaseException): pass",
    ),
    asks_too_much: (
        "@mechanism('m')\ndef m(case):\n"
        + "".join(f" case.ask('k{n}', of=f)\n" for n in range(61)),
    ),
    cannot_be_redone: (
        "@branch_script('m')\ndef part(case):\n case.record('r', f)\n"
        "@mechanism('m')\ndef m(case):\n case.each('e', rows, part, on_return='redo')",
    ),
    ignores_an_answer: (
        "@mechanism('m')\ndef m(case):\n case.ask('a', of=f, answers=REVIEW)",
        "@mechanism('m')\ndef m(case):\n case.ask_all('a', of=f, answers=('yes', 'no'))",
        "@mechanism('m')\ndef m(case):\n x = case.ask('a', of=f, answers=REVIEW)",
    ),
}
ALLOWED = """
from services.casework import AGREE, REVIEW, mechanism
@mechanism("m", edition=1, clause="", rows=())
def m(case):
    while case.ask("a", of=f, due="rectification.plan", answers=REVIEW).returned:
        case.ask("b", of=f, due="row", ladder="five_letters")
    case.ask("c", of=f, due="rectification.approve", answers=AGREE)
    if case.ask("d", of=f, due="rectification.approve", answers=("yes", "no")).is_("yes"):
        case.each("e", rows, script, on_return="keep")
    try:
        f()
    except (KeyError, MyException):
        x = "a" in {"a", "b"}
"""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_script(rule: Rule) -> None:
    assert broken(rule, SCRIPTS) == [], rule.__doc__


@pytest.mark.parametrize(
    ("rule", "code"),
    [(rule, code) for rule, examples in RULES.items() for code in examples],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_lint_finds_it(rule: Rule, code: str) -> None:
    assert found_in(rule, code)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_lint_lets_a_good_script_pass(rule: Rule) -> None:
    assert found_in(rule, ALLOWED) == []
