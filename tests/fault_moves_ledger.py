"""The commands that take running work over, each in a scene where it can be carried out."""

from typing import Any

from documents.feedback import PROBLEMS, TASKS
from documents.ledger import LEDGER_TABLE, LEDGER_TASKS
from services.command import SYSTEM
from services.ledger import confirm_ledger, drop_ledger, ledger_page, stage_ledger
from tests.fault_scene import Act, Scene, move
from tests.ledger_book import problem_rows, task_rows
from tests.sheets import workbook

_PROBLEMS = [[column.name for column in LEDGER_TABLE], problem_rows()[2]]
_TASKS = [[column.name for column in LEDGER_TASKS], task_rows()[2]]


def _given(scene: Scene) -> dict[str, Any]:
    data = scene.kept.setdefault("ledger", workbook({PROBLEMS: _PROBLEMS, TASKS: _TASKS}))
    return {"organisation": "town", "data": data, "filename": "台账.xlsx", "batch": "存量台账"}


def _staged(scene: Scene) -> int:
    return stage_ledger(scene.env, SYSTEM, **_given(scene), key=scene.case.world.key())


@move("ledger.stage")
def _stage(scene: Scene) -> Act:
    return lambda key: stage_ledger(scene.env, SYSTEM, **_given(scene), key=key)


@move("ledger.drop")
def _drop(scene: Scene) -> Act:
    of: Any = {"ledger_id": _staged(scene)}
    return lambda key: drop_ledger(scene.env, SYSTEM, **of, key=key)


@move("ledger.confirm")
def _confirm(scene: Scene) -> Act:
    ledger_id = _staged(scene)
    with scene.env.engine.connect() as db:
        fingerprint = ledger_page(db, SYSTEM, ledger_id).fingerprint
    of: Any = {"ledger_id": ledger_id, "fingerprint": fingerprint}
    return lambda key: confirm_ledger(scene.env, SYSTEM, **of, key=key)
