"""暂停、继续暂停、恢复, and asking who paused."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from models.base import table
from models.casework import Branch
from services.pause_review import ask_pausers
from services.pausing import pause, prolong, resume
from tests.fault_moves_changes import open_elsewhere
from tests.fault_scene import Act, Scene, move

_branches = table(Branch)


def _root(scene: Scene) -> int:
    """The branch of a new case of the other town's."""
    open_elsewhere(scene)
    with scene.env.engine.connect() as db:
        return int(db.execute(select(func.max(_branches.c.id))).scalar_one())


def _of(scene: Scene, days: int) -> dict[str, Any]:
    return {
        "branch_id": _root(scene),
        "review_on": _review(scene, days),
        "reason": "机构调整",
    }


def _review(scene: Scene, days: int) -> str:
    return (scene.clock() + timedelta(days=days)).date().isoformat()


def _paused(scene: Scene) -> dict[str, Any]:
    """A paused case, and what is said of it next."""
    of, key = _of(scene, 30), scene.case.world.key()
    pause(scene.env, scene.actor("district_secretary"), **of, kind="reorganisation", key=key)
    return of


@move("branch.pause")
def _pause(scene: Scene) -> Act:
    of, actor = _of(scene, 30), scene.actor("district_secretary")
    return lambda key: pause(scene.env, actor, **of, kind="reorganisation", key=key)


@move("branch.prolong_pause")
def _prolong(scene: Scene) -> Act:
    of = _paused(scene) | {"review_on": _review(scene, 60)}
    return lambda key: prolong(scene.env, scene.actor("district_secretary"), **of, key=key)


@move("branch.resume")
def _resume(scene: Scene) -> Act:
    of = {name: value for name, value in _paused(scene).items() if name != "review_on"}
    return lambda key: resume(scene.env, scene.actor("district_secretary"), **of, key=key)


@move("pause.ask", keyed=False)
def _ask(scene: Scene) -> Act:
    _paused(scene)
    scene.clock.forward(days=40)
    return lambda key: ask_pausers(scene.env)
