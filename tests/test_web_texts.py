"""Every sentence a page may say is in the catalogue, and templates hold no Chinese of their own."""

import ast
import re
from collections.abc import Iterator

import pytest
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from models.batch import LineAct
from models.casework import CaseState, SlotState
from models.problem import ProblemState, TaskState
from policy.acts import Act
from policy.batch import BatchState
from policy.completion import Completion
from policy.duration import DurationKind
from policy.ladder import RungKind
from policy.outcome import IN_TURN, RATIOS
from policy.pause import PauseKind
from services.alarms import Alarm
from services.asked import TO_COME
from services.casework.raising import DELIBERATE, SIGN, URGE
from services.catalogue import known, messages
from services.evidence_reading import Way
from services.problem_page import ROLES
from web.failure import HINTED, UNSETTLED
from web.pages import HERE, TEMPLATES

CHINESE = re.compile(r"[\u4e00-\u9fff]")
_jinja = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)


def said_in_templates() -> Iterator[tuple[str, str]]:
    """Every literal message of a template, with its file."""
    for file in sorted(TEMPLATES.glob("*.html")):
        for _, _, found in extract_from_ast(_jinja.parse(file.read_text("utf-8"))):
            message = found[0] if isinstance(found, tuple) else found
            if message is not None:
                yield file.name, message


def made_from_data() -> Iterator[str]:
    """The messages whose names pages make from data."""
    yield from (f"group.{name}" for name in ("late", "soon", "month", "later", "undated", "paused"))
    yield from (f"level.{name}" for name in ("blue", "yellow", "red", "paused"))
    yield from (f"pause.{kind}" for kind in PauseKind)
    modes = ("one", "all", "any", IN_TURN, *RATIOS)
    yield from (f"role.{name}" for name in (*modes, "rung", "operator", *ROLES))
    yield from (f"rung.{kind}" for kind in RungKind)
    yield from (f"slot.{state}" for state in (*SlotState, TO_COME))
    yield from (f"task.{state}" for state in TaskState)
    yield from (f"problem.{state}" for state in ProblemState)
    yield from (f"completion.{said}{more}" for said in Completion for more in ("", ".hint"))
    yield from (f"case.{state}" for state in CaseState)
    yield from (f"duration.{kind}" for kind in DurationKind if kind is not DurationKind.ROW)
    yield from (f"weekday.{n}" for n in range(7))
    yield from (f"weekday.long.{n}" for n in range(7))
    yield from (UNSETTLED, *(f"failure.{status}" for status in HINTED))
    yield from (f"alarm.{alarm}" for alarm in Alarm)
    yield from (f"batch.act.{act}" for act in LineAct)
    yield from (f"batch.{of}.{state}" for of in ("state", "title") for state in BatchState)
    yield from (f"read.{way}" for way in Way)
    yield from (f"act.{act}{more}" for act in Act for more in ("", ".hint", ".does"))
    answers = ("done", "agree", "return", "retry", "enter", "drop", *URGE, *SIGN, *DELIBERATE)
    yield from (f"answer.{answer}" for answer in answers)


@pytest.mark.parametrize(("file", "message"), sorted(set(said_in_templates())))
def test_a_template_says_nothing_the_catalogue_does_not_know(file: str, message: str) -> None:
    assert known(message), f"{file} says {message!r}"


@pytest.mark.parametrize("message", sorted(made_from_data()))
def test_a_message_named_by_data_is_known(message: str) -> None:
    assert known(message)


def test_what_is_filled_in_is_what_the_chinese_asks_for() -> None:
    for message, chinese in messages().items():
        if "%(" in message:
            assert set(re.findall(r"%\(\w+\)s", message)) == set(
                re.findall(r"%\(\w+\)s", chinese)
            ), message


def test_templates_and_scripts_hold_no_chinese_of_their_own() -> None:
    for file in (*TEMPLATES.glob("*.html"), HERE / "static" / "app.js"):
        text = file.read_text(encoding="utf-8")
        assert not CHINESE.search(text), file.name


def test_python_of_the_pages_says_chinese_only_in_errors() -> None:
    for file in HERE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docs = {id(doc) for doc in _docstrings(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert id(node) in docs or not CHINESE.search(node.value), (file.name, node.value)


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from (one.value for one in body if isinstance(one, ast.Expr))


def test_no_page_has_inline_styles_or_scripts() -> None:
    for file in TEMPLATES.glob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "style=" not in text, file.name
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=", text), file.name
