"""The house's own lint: rules are functions over syntax trees that yield what they found."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "policy",
    "models",
    "notifications",
    "documents",
    "services",
    "flows",
    "web",
    "deployments",
)
Rule = Callable[[ast.Module], Iterator[tuple[int, str]]]
"""Finds places in a module: line, and what is wrong there."""


def sources(*folders: str) -> list[Path]:
    """Every Python file below folders of the checkout."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def broken(rule: Rule, paths: list[Path]) -> list[str]:
    """Where files break a rule, as ``path:line: what``; there must be files to look at."""
    assert paths
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in paths
        for line, what in rule(ast.parse(path.read_text()))
    ]


def found_in(rule: Rule, code: str) -> list[str]:
    """What a rule finds in a piece of code: to show that it can find something."""
    return [what for _, what in rule(ast.parse(code))]


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an attribute chain; what is not a name in it is left out."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module or name a file imports, with its line: ``datetime.datetime``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value given for a keyword of a call."""
    return next((given.value for given in call.keywords if given.arg == name), None)


def constant(node: ast.expr | None) -> object:
    """The value of a literal; None for anything computed."""
    return node.value if isinstance(node, ast.Constant) else None
