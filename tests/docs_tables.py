"""What the docs list, taken from the code: ``python -m tests.docs_tables`` writes the tables anew.

A *table* stands between ``<!-- table: NAME -->`` and ``<!-- end -->`` and is written from here.
Below ``<!-- names: NAME -->`` stands a table written by hand, in whose first column each of the
same things is named once, in the same order.
"""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from deployments.attending import DATABASE_UP
from deployments.cli import app
from deployments.root import SCRIPTS
from deployments.settings import Settings
from notifications.render import TEMPLATES
from policy.access import RULES, Reach
from policy.defaults import DEFAULT
from policy.duration import DurationKind
from policy.text_fields import FIELDS
from services import metrics as own_metrics
from services.casework import mechanisms
from services.catalogue import step_title, translated
from services.gauges import GAUGES
from services.metrics import REGISTRY
from tests import reliability
from tests.house import ROOT, calls, constant, keyword

Row = tuple[str, ...]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = (*READMES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NAMES = re.compile(r"<!-- names: ([\w-]+) -->\n\n((?:\|.*\n)+)")


def commands() -> Iterator[Row]:
    """Every command of ``fourduties`` with its arguments, and what its help says."""
    for path, command in _leaves(get_command(app), "fourduties"):
        yield f"`{' '.join([path, *_arguments(command)])}`", command.help or ""


def _leaves(command: object, path: str) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from _leaves(below, f"{path} {name}")
    elif isinstance(command, TyperCommand):
        yield path, command


def _arguments(command: TyperCommand) -> Iterator[str]:
    for given in command.params:
        if isinstance(given, TyperArgument):
            yield (given.name or "").upper()
        elif isinstance(given, TyperOption):
            value = "" if given.is_flag else f" {(given.name or '').upper()}"
            yield f"{given.opts[0]}{value}" if given.required else f"[{given.opts[0]}{value}]"


def settings() -> Iterator[Row]:
    """Every setting, its default, and what its docstring says."""
    source = (ROOT / "deployments" / "settings.py").read_text(encoding="utf-8")
    texts = _docstrings(ast.parse(source), Settings.__name__)
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if field.default in (True, False) else field.default
        shown = f"`{default}`" if str(default) else ""
        yield f"`FOURDUTIES_{name.upper()}`", shown, texts[name].replace("``", "`")


def _docstrings(module: ast.Module, class_name: str) -> dict[str, str]:
    """The docstring below each annotated field."""
    body = next(
        node.body
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    return {
        field.target.id: str(constant(text.value))
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr)
    }


def targets() -> Iterator[Row]:
    """What ``make help`` lists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, text in re.findall(r"^([a-z]+):.*  ## (.*)$", makefile, re.MULTILINE):
        yield f"`make {name}`", text


def mechanism_rows() -> Iterator[Row]:
    """Each mechanism of the installation: edition, clause, obligations, scripts."""
    for (name, edition), made in sorted(mechanisms().items()):
        if any(script.__name__ == f"flows.{name}" for script in SCRIPTS):
            scripts = ", ".join(f"`{script or name}`" for script in made.scripts)
            rows = ", ".join(made.rows)
            title = translated(f"mechanism.{name}")
            yield f"`{name}`", title, str(edition), made.clause, rows, scripts


def steps() -> Iterator[Row]:
    """What the newest edition of each script asks, in the order of its text: key, title, deadline
    and its length."""
    for script in (one for one in SCRIPTS if not one.__name__[-1].isdigit()):
        name = script.__name__.removeprefix("flows.")
        tree = ast.parse(Path(str(script.__file__)).read_text(encoding="utf-8"))
        for call in sorted(calls(tree), key=lambda call: call.lineno):
            due = constant(keyword(call, "due"))
            if isinstance(due, str):
                key = str(constant(call.args[0]))
                yield f"`{key}`", step_title(name, key), f"`{due}`", _length(due)


def _length(due: str) -> str:
    duration = DEFAULT.durations[due]
    counted = {DurationKind.WORKING_DAYS: "working days", DurationKind.ROW: "the date of its row"}
    return f"{duration.amount or ''} {counted[duration.kind]}".strip()


def rungs() -> Iterator[Row]:
    """Each rung of each ladder: working days from the due date, and who is asked."""
    for ladder in DEFAULT.ladders.values():
        for rung in ladder.rungs:
            only = " (not where a row has its own date)" if rung.undated_only else ""
            kind, route = f"`{rung.kind.value}`", f"`{rung.route.value}`"
            yield f"`{ladder.key}` {rung.number}", kind, f"{rung.offset:+d}{only}", route


def templates() -> Iterator[Row]:
    """Every message template and what the comment at its top says."""
    for path in sorted((ROOT / "notifications" / "templates").glob("[!_]*.j2")):
        said = re.match(r"\{# (.*?) #\}", path.read_text(encoding="utf-8"))
        assert said is not None, path
        kind = "told" if path.stem in TEMPLATES else "envelope"
        yield f"`{path.stem}`", kind, said.group(1)


def metrics() -> Iterator[Row]:
    """What a process tells Prometheus: counted by itself, then asked of the database."""
    for family in sorted(REGISTRY.collect(), key=lambda family: family.name):
        if family.name.startswith("fourduties_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield f"`{name}`", family.type, _labels(family.name), family.documentation
    yield "`fourduties_database_up`", "gauge", "", DATABASE_UP
    for name, asked in GAUGES.items():
        yield f"`fourduties_{name}`", "gauge", "", asked.help


def _labels(family: str) -> str:
    """The labels of one of :mod:`services.metrics`, as it declares them."""
    declared = next(
        one for one in vars(own_metrics).values() if getattr(one, "_name", "") == family
    )
    return ", ".join(f"`{label}`" for label in declared._labelnames)


def texts() -> Iterator[Row]:
    """Every text that people give to a command, who reads it, and what is done when in doubt."""
    for (command, field), text in sorted(FIELDS.items()):
        yield f"`{command}`", f"`{field}`", text.text_class.value, text.doubtful.value


def access() -> Iterator[Row]:
    """What each role may do, and how far that reaches."""
    for role, cells in RULES.items():
        for action, reached in cells.items():
            far = ", ".join(f"`{reach}`" for reach in Reach if reach in reached)
            yield f"`{role}`", f"`{action}`", far or "nothing"


TABLES: dict[str, tuple[Row, Callable[[], Iterator[Row]]]] = {
    "commands": (("命令", "做什么"), commands),
    "settings": (("setting", "default", "meaning"), settings),
    "targets": (("target", "what it does"), targets),
    "mechanisms": (
        ("mechanism", "中文", "edition", "clause", "obligations", "scripts"),
        mechanism_rows,
    ),
    "steps": (("key", "中文", "`due=`", "proposed length"), steps),
    "rungs": (("rung", "kind", "working days from the due date", "asked"), rungs),
    "metrics": (("metric", "kind", "labels", "meaning"), metrics),
    "access": (("role", "action", "reaches"), access),
    "texts": (("command", "text", "class", "in doubt"), texts),
    "templates": (("template", "kind", "says"), templates),
    "faults": (
        ("●", "fault", "injected by", "the user sees", "INV", "held by", "missing"),
        reliability.fault_rows,
    ),
    "invariants": (("INV", "must hold", "held by", "missing"), reliability.invariant_rows),
    "security": (
        ("requirement", "asked by", "shown by", "missing"),
        reliability.requirement_rows,
    ),
    "mutants": (("mutant", "●", "the checker says"), reliability.mutant_rows),
}


def written(name: str) -> str:
    """A table as Markdown, with the blank lines around it."""
    head, rows = TABLES[name]
    lines = [head, tuple("---" for _ in head), *rows()]
    return "\n" + "\n".join(f"| {' | '.join(_cells(row))} |" for row in lines) + "\n\n"


def _cells(row: Row) -> Row:
    return tuple(" ".join(cell.split()).replace("|", "\\|") for cell in row)


def renewed(text: str) -> str:
    """A page with its tables written anew."""
    return _TABLE.sub(lambda found: found[1] + written(found[2]) + found[3], text)


def by_hand(text: str) -> Iterator[tuple[str, list[str]]]:
    """The tables of a page that are written by hand: name, and their first column."""
    for name, table in _NAMES.findall(text):
        rows = table.strip().split("\n")[2:]
        yield name, [row.split("|")[1].strip() for row in rows]


def tables_of(text: str) -> list[str]:
    """The names of all tables of a page that are written from here or held by it."""
    return [name for _, name, _ in _TABLE.findall(text)] + [name for name, _ in by_hand(text)]


def main() -> None:
    """Write the tables of every page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(renewed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
