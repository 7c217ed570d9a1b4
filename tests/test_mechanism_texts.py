"""Everything a mechanism's script names has its words, and its place in the strip of stages."""

import ast

import pytest

from flows.rectification import STANDING
from services.catalogue import known
from services.rectification_stages import STAGES
from tests.house import ROOT, calls, constant

SCRIPT = ast.parse((ROOT / "flows" / "rectification.py").read_text(encoding="utf-8"))
VERBS = ("ask", "ask_all", "record", "do", "fact", "each", "wait")


def keys(tree: ast.AST, *verbs: str) -> list[str]:
    """The keys given to these verbs of ``case``, in the order of the script."""
    return [
        str(constant(call.args[0]))
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr in verbs
    ]


def root() -> ast.FunctionDef:
    """The script of the whole mechanism."""
    return next(
        node
        for node in ast.walk(SCRIPT)
        if isinstance(node, ast.FunctionDef) and node.name == "rectification"
    )


@pytest.mark.parametrize("key", keys(SCRIPT, "ask", "ask_all"))
def test_a_step_has_a_title_and_a_reason(key: str) -> None:
    assert known(f"step.rectification.{key}")
    assert known(f"why.rectification.{key}")


@pytest.mark.parametrize("answer", ["done", "agree", "return", *STANDING])
def test_an_answer_has_its_name(answer: str) -> None:
    assert known(f"answer.{answer}")


@pytest.mark.parametrize("stage", [name for name, _ in STAGES])
def test_a_stage_has_its_name(stage: str) -> None:
    assert known(f"stage.rectification.{stage}")


def test_every_key_of_the_script_stands_in_one_stage() -> None:
    staged = [key for _, of_stage in STAGES for key in of_stage]
    assert sorted(staged) == sorted(keys(root(), *VERBS))


@pytest.mark.parametrize("effect", ["tell_task_list", "recall_task_list"])
def test_an_effect_has_its_name(effect: str) -> None:
    assert known(f"effect.rectification.{effect}")


def test_the_mechanism_has_its_name() -> None:
    assert known("mechanism.rectification")
