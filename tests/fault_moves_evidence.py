"""The commands of evidence, each in a scene where it can be carried out."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import select

from models.base import table
from models.casework import Slot, SlotState, Step
from models.organisation import Appointment
from services.command import Actor
from services.evidence_reading import Way, open_version
from services.evidence_withdrawal import withdraw_evidence
from services.scope import in_force
from tests.evidence_scene import give_as, keeping, pdf
from tests.fault_scene import Act, Scene, move

_appointments, _slots, _steps = table(Appointment), table(Slot), table(Step)


def _asked(scene: Scene) -> Any:
    """Somebody who is asked to do a task and is there."""
    query = (
        select(_slots.c.id, _appointments.c.person_id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_appointments, _appointments.c.post_id == _slots.c.post_id)
        .where(
            _steps.c.key == "do-task",
            _slots.c.state == SlotState.OPEN,
            in_force(_appointments.c, scene.clock().date()),
        )
        .order_by(_slots.c.id)
    )
    with scene.env.engine.connect() as db:
        found = db.execute(query).first()
    assert found is not None
    return found


@move("evidence.add")
def _add(scene: Scene) -> Act:
    folder = Path(tempfile.mkdtemp(prefix="fourduties-files-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keeping(scene.case, folder)
    asked = _asked(scene)
    actor, files = Actor(asked.person_id), {"清单.pdf": pdf()}

    def act(key: str) -> Any:
        added = give_as(scene.env, actor, asked.id, files, key=key)
        scene.kept["evidence"] = actor, added.versions[0]
        return added

    return act


@move("evidence.read", keyed=False)
def _read(scene: Scene) -> Act:
    scene.clock.forward(minutes=2)
    actor, version = scene.kept["evidence"]
    return lambda key: open_version(scene.env, actor, version, Way.SEEN)


@move("evidence.withdraw")
def _withdraw(scene: Scene) -> Act:
    actor, version = scene.kept["evidence"]
    return lambda key: withdraw_evidence(
        scene.env, actor, version_id=version, reason="传错了文件", key=key
    )
