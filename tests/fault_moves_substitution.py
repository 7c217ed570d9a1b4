"""The commands about 离岗委托, each in a scene where it can be carried out."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from models.base import table
from models.substitution import Substitution
from policy.calendar import local_day
from services.substitution import end_due, make, revoke
from services.substitution_terms import Terms
from tests.fault_scene import Act, Scene, move

_substitutions = table(Substitution)


def _terms(scene: Scene, today: date) -> Terms:
    posts = scene.case.world.posts
    return Terms(posts["discipline_secretary"], posts["inspection_head"], today, today)


@move("substitution.make")
def _make(scene: Scene) -> Act:
    given: Any = {"terms": _terms(scene, local_day(scene.clock())), "reason": "外出学习"}
    return lambda key: make(scene.env, scene.actor("discipline_secretary"), **given, key=key)


@move("substitution.revoke")
def _revoke(scene: Scene) -> Act:
    with scene.env.engine.connect() as db:
        newest = select(_substitutions.c.id).order_by(_substitutions.c.id.desc())
        of: Any = {"substitution_id": db.execute(newest).scalars().first()}
    return lambda key: revoke(scene.env, scene.actor("inspection_head"), **of, key=key)


@move("substitution.end", keyed=False)
def _end(scene: Scene) -> Act:
    given: Any = {"terms": _terms(scene, local_day(scene.clock())), "reason": "外出学习"}
    make(scene.env, scene.actor("discipline_secretary"), **given, key="one that ends")
    scene.clock.now += timedelta(days=1)
    return lambda key: end_due(scene.env)
