"""The commands of an import in two steps, each in a scene where it can be carried out."""

from typing import Any

from documents.organisation_file import UNITS
from services.batches.staging import confirm, drop, stage
from services.batches.undoing import undo
from services.command import SYSTEM
from tests.fault_scene import Act, Scene, move
from tests.organisation_books import BUREAU, book, bring_in, fingerprint_of, only


def _staged(scene: Scene, data: bytes) -> int:
    key = scene.case.world.key()
    return stage(scene.env, SYSTEM, data=data, filename="组织.xlsx", key=key)


@move("batch.stage")
def _stage(scene: Scene) -> Act:
    of: Any = {"data": book(BUREAU), "filename": "组织.xlsx"}
    return lambda key: stage(scene.env, SYSTEM, **of, key=key)


@move("batch.drop")
def _drop(scene: Scene) -> Act:
    batch = _staged(scene, book(BUREAU))
    return lambda key: drop(scene.env, SYSTEM, batch_id=batch, key=key)


@move("batch.confirm")
def _confirm(scene: Scene) -> Act:
    batch = _staged(scene, book(BUREAU))
    of: Any = {"batch_id": batch, "fingerprint": fingerprint_of(scene.env.engine, batch)}
    return lambda key: confirm(scene.env, SYSTEM, **of, key=key)


@move("batch.undo")
def _undo(scene: Scene) -> Act:
    data = only(UNITS, ["U1", "滨河区委信息办", "", "区", "工作机关", "滨河区委"])
    batch = bring_in(scene.env, data)
    return lambda key: undo(scene.env, SYSTEM, batch_id=batch, key=key)
