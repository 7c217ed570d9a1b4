"""What was recorded under an edition is replayed to the same keys by the code of today (rule F)."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from models.casework import CaseState
from services.casework import mechanisms
from tests import world
from tests.history import export, retell
from tests.rectification_cast import CLAIM, MECHANISMS, Rectification, begin

FOLDER = Path(__file__).parent / "data"
HISTORIES = sorted(FOLDER.glob("history_*.json"))


def told(path: Path) -> dict[str, Any]:
    """A recorded history; ``python -m tests.record_history`` writes one for a new edition."""
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_replays_to_the_same_keys(path: Path) -> None:
    history = told(path)
    mechanism = mechanisms()[history["mechanism"], history["edition"]]
    differences = [line for branch in history["branches"] for line in retell(mechanism, branch)]
    assert differences == []


def test_every_edition_has_a_recorded_history() -> None:
    recorded = {(told(path)["mechanism"], told(path)["edition"]) for path in HISTORIES}
    assert set(MECHANISMS) <= recorded


def test_a_recorded_history_went_every_way_back() -> None:
    history = told(FOLDER / "history_rectification_1.json")
    answers = [
        entry.get("answer")
        for branch in history["branches"]
        for entry in branch["entries"]
        if entry["kind"] == "step"
    ]
    assert answers.count("return") >= 4
    assert any(branch["voids"] for branch in history["branches"])


def test_a_script_that_swaps_two_steps_is_noticed() -> None:
    history = told(FOLDER / "history_rectification_1.json")
    root = history["branches"][0]
    keys = [entry["key"] for entry in root["entries"]]
    a, b = keys.index("assign-roles"), keys.index("draft-plan")
    root["entries"][a]["key"], root["entries"][b]["key"] = "draft-plan", "assign-roles"
    mechanism = mechanisms()[history["mechanism"], history["edition"]]
    assert list(retell(mechanism, root))


def test_what_is_recorded_today_is_retold(sqlite_engine: Engine) -> None:
    case = begin(sqlite_engine, world.Clock())
    every_way_back(case)
    with case.env.engine.connect() as db:
        history = export(db, case.case_id)
    mechanism = MECHANISMS[history["mechanism"], history["edition"]]
    assert [line for branch in history["branches"] for line in retell(mechanism, branch)] == []


def every_way_back(case: Rectification) -> None:
    """A case in which everything that can be returned was returned once."""
    case.answer("assign-roles")
    case.answer("draft-plan")
    case.answer("review-plan", "return", "personnel_head", reason="补充")
    case.answer("revise-plan")
    case.review()
    case.answer("approve-plan", "return", reason="重报", back_to="draft-plan")
    case.answer("draft-plan")
    case.review()
    case.answer("approve-plan", "agree")
    case.answer("do-task", post="city_head")
    case.answer("confirm-task", "return", reason="未达标准")
    case.do_tasks()
    case.answer("apply-closing")
    case.answer("sign", "return", reason="再核对", back_to="apply-closing")
    case.answer("apply-closing")
    case.answer("sign", "agree")
    case.answer("verify", "return", reason="缺佐证")
    case.answer("apply-closing", payload=CLAIM)
    case.answer("sign", "agree")
    case.answer("verify", "agree")
    while ("draw-sample", "inspection_head") not in case.world.waiting():
        for key, answer in (("apply-closing", "done"), ("sign", "agree"), ("verify", "agree")):
            case.answer(key, answer)
    case.answer("draw-sample")
    case.answer("recheck", "return", reason="缺三月的佐证")
    case.answer("apply-again", payload=CLAIM)
    case.answer("sign-again", "agree")
    case.sample()
    case.answer("draft-report")
    case.answer("approve-report", "return", reason="重写", back_to="draft-report")
    case.answer("draft-report")
    case.answer("approve-report", "agree")
    case.forward(200)
    for _ in case.world.waiting():
        case.answer("say-standing", "ongoing", reason="清单每月更新")
    case.forward(200)
    conclusions = ["agree", "agree", "return"]
    while case.world.waiting():
        case.answer("say-standing", "closing", reason="制度已执行半年")
        case.answer("sign-closing", "agree")
        case.answer("verify-closing", conclusions.pop(), reason="再核实一次")
    assert case.state is CaseState.ENDED
