"""The commands of seals between installations, each in a scene where it can be carried out."""

from dataclasses import replace
from typing import Any

from services.command import SYSTEM
from services.cosigning import cosign, take_in
from services.database import reading
from services.seal_key import SigningKey
from services.seal_outbox import leaving
from services.seal_rotation import follow
from services.sealing import Sealer
from tests.fault_scene import Act, Scene, move


def _env(scene: Scene) -> Any:
    return replace(scene.env, seal_key=scene.kept.get("seal key", "11" * 32))


def _told(scene: Scene) -> Any:
    Sealer(_env(scene)).once()
    with reading(scene.env.engine) as db:
        return leaving(db)


@move("seal.cosign")
def _cosign(scene: Scene) -> Act:
    told, env = _told(scene), _env(scene)

    def act(key: str) -> Any:
        scene.kept["cosigned"] = cosign(env, SYSTEM, told, key=key, anew=True)
        return scene.kept["cosigned"]

    return act


@move("seal.take_in")
def _take_in(scene: Scene) -> Act:
    file = scene.kept["cosigned"].file
    return lambda key: take_in(scene.env, SYSTEM, file, key=key)


@move("seal.follow")
def _follow(scene: Scene) -> Act:
    _told(scene)
    env = _env(scene)
    scene.kept["seals"] = scene.kept.get("seals", 1) + 1
    secret = f"{scene.kept['seals']:02}" * 32
    scene.kept["seal key"] = secret
    return lambda key: follow(env, SYSTEM, successor=SigningKey(secret), key=key)
