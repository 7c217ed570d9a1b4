"""The commands that change who holds posts, and the units themselves, each where it can be done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from models.base import table
from models.casework import Slot, SlotState
from models.organisation import Appointment, PostKind
from models.planned_change import PlannedChange
from models.vacancy import Handover
from policy.calendar import local_day
from services.appointing import appoint, leave, leaving, transfer
from services.casework import drain, open_case
from services.casework.gap import note_vacant
from services.casework.vacancies import tend
from services.changes.parts import Act as Confirmed
from services.changes.planned import carry_out_due, plan, withdraw
from services.command import SYSTEM, Work
from services.handover import receive
from services.merging import close_unit, closure, ending, merge_unit
from services.organisers import unit_of
from services.posting import abolish_post, abolition, create_post
from services.reorganising import move_unit, moving, rename_unit, renaming
from services.rerouting import reroute_slot
from services.splitting import Parts, split_unit, splitting
from tests import two_step
from tests.fault_scene import Act, Scene, move
from tests.vacancy_scene import MECHANISM

_appointments = table(Appointment)
_handovers = table(Handover)
_planned = table(PlannedChange)
_slots = table(Slot)


def _post(scene: Scene, title: str, unit: str = "town", kind: PostKind = PostKind.MEMBER) -> int:
    """A new post of a unit, under the name of its title."""
    world = scene.case.world
    of: Any = {"unit_id": world.organisations[unit], "kind": kind, "rank": 50}
    world.posts[title] = create_post(scene.env, SYSTEM, title=title, key=world.key(), **of)
    return world.posts[title]


def _hold(scene: Scene, title: str) -> int:
    """Somebody new holds it."""
    of: Any = {"post_id": scene.case.world.posts[title], "starts_on": scene.clock().date()}
    return appoint(scene.env, SYSTEM, name=title, key=scene.case.world.key(), **of)


def open_elsewhere(scene: Scene) -> None:
    """Another case begins in the other town."""
    of: Any = {"organisation_id": scene.case.world.organisations["other"]}

    def act(work: Work) -> dict[str, int]:
        number = f"换〔2026〕{work.command_id}号"
        return {"id": open_case(work, mechanism=two_step.NAME, number=number, **of)}

    scene.case.world.do(act)


def _drained(scene: Scene) -> None:
    while drain(scene.env):
        pass


def _leaving(scene: Scene, appointment_id: int) -> str:
    with scene.env.engine.connect() as db:
        return leaving(db, None, appointment_id, local_day(scene.clock())).moves.fingerprint


@move("post.create")
def _create(scene: Scene) -> Act:
    _drained(scene)
    town = scene.case.world.organisations["town"]
    of: Any = {"unit_id": town, "kind": PostKind.MEMBER, "title": "委员", "rank": 7}
    return lambda key: create_post(scene.env, SYSTEM, **of, key=key)


@move("appointment.begin")
def _begin(scene: Scene) -> Act:
    of: Any = {"post_id": _post(scene, "宣传委员"), "starts_on": local_day(scene.clock())}
    return lambda key: appoint(scene.env, SYSTEM, name="宣传委员", **of, key=key)


@move("appointment.transfer")
def _transfer(scene: Scene) -> Act:
    _post(scene, "统战委员")
    to, held = _post(scene, "人大工委主任"), _hold(scene, "统战委员")
    of: Any = {"appointment_id": held, "to": to, "on": local_day(scene.clock())}
    seen = _leaving(scene, held)
    return lambda key: transfer(scene.env, SYSTEM, **of, seen=seen, key=key)


@move("appointment.end")
def _end(scene: Scene) -> Act:
    _post(scene, "组织委员")
    held = _hold(scene, "组织委员")
    of: Any = {"appointment_id": held, "ends_on": local_day(scene.clock()) + timedelta(days=3)}
    seen = _leaving(scene, held)
    return lambda key: leave(scene.env, SYSTEM, **of, seen=seen, key=key)


@move("vacancy.open", keyed=False)
def _open(scene: Scene) -> Act:
    assert (MECHANISM, 1) in scene.env.mechanisms
    _post(scene, "空缺甲")
    _drained(scene)
    scene.case.world.do(lambda work: _note(work, scene.case.world.posts["空缺甲"]))
    return lambda key: tend(scene.env)


def _note(work: Work, post_id: int) -> dict[str, int]:
    note_vacant(work, post_id)
    return {"post": post_id}


@move("vacancy.end", keyed=False)
def _filled(scene: Scene) -> Act:
    _drained(scene)
    _hold(scene, "空缺甲")
    return lambda key: tend(scene.env)


@move("slot.reroute")
def _reroute(scene: Scene) -> Act:
    slot = _waiting(scene)
    of: Any = {"slot_id": slot, "post_id": seat_elsewhere(scene), "reason": "分工调整"}
    return lambda key: reroute_slot(scene.env, scene.actor("district_secretary"), **of, key=key)


def _waiting(scene: Scene) -> int:
    """A slot of the other town's, whose superiors lead to the district's secretary."""
    clerk = _post(scene, "镇联络员", "other", PostKind.CLERK)
    _hold(scene, "镇联络员")
    open_elsewhere(scene)
    mine = _slots.c.post_id == clerk, _slots.c.state == SlotState.OPEN
    with scene.env.engine.connect() as db:
        return int(db.execute(select(_slots.c.id).where(*mine)).scalar_one())


def seat_elsewhere(scene: Scene, title: str = "副镇长") -> int:
    """A post of the other town's that somebody new holds."""
    _post(scene, title, "other")
    _hold(scene, title)
    return scene.case.world.posts[title]


@move("post.abolish")
def _abolish(scene: Scene) -> Act:
    world = scene.case.world
    of: Any = {"post_id": world.posts["副镇长"], "successor_id": world.posts["outsider"]}
    with scene.env.engine.connect() as db:
        found = abolition(db, None, of["post_id"], of["successor_id"], local_day(scene.clock()))
    seen = found.moves.fingerprint
    return lambda key: abolish_post(scene.env, SYSTEM, **of, seen=seen, key=key)


@move("slot.follow", keyed=False)
def _follow(scene: Scene) -> Act:
    return lambda key: tend(scene.env)


@move("handover.receive")
def _receive(scene: Scene) -> Act:
    world = scene.case.world
    outsider = world.posts["outsider"]
    with scene.env.engine.connect() as db:
        query = select(_appointments.c.id).where(_appointments.c.post_id == outsider)
        held = int(db.execute(query).scalar_one())
    today = local_day(scene.clock())
    seen = _leaving(scene, held)
    leave(scene.env, SYSTEM, appointment_id=held, ends_on=today, seen=seen, key=world.key())
    of: Any = {"post_id": outsider, "starts_on": today, "person_id": world.people["outsider"]}
    appoint(scene.env, SYSTEM, **of, key=world.key())
    _drained(scene)
    with scene.env.engine.connect() as db:
        mine = select(_handovers.c.id).where(_handovers.c.post_id == outsider)
        handover = int(db.execute(mine.order_by(_handovers.c.id.desc())).scalars().all()[0])
    return lambda key: receive(scene.env, scene.actor("outsider"), handover_id=handover, key=key)


@move("unit.rename")
def _rename(scene: Scene) -> Act:
    other = scene.case.world.organisations["other"]
    with scene.env.engine.connect() as db:
        found = renaming(db, unit_of(db, None, other), local_day(scene.clock()))
    of: Any = {"unit_id": other, "name": "临江街道党工委", "short_name": "临江街道党工委"}
    return lambda key: rename_unit(scene.env, SYSTEM, **of, seen=found.fingerprint, key=key)


@move("unit.split")
def _split(scene: Scene) -> Act:
    of: Any = {"unit_id": scene.case.world.organisations["other"]}
    parts = Parts([_post(scene, "园区主任", "other")])
    with scene.env.engine.connect() as db:
        unit = unit_of(db, None, of["unit_id"])
        found = splitting(db, None, unit, parts, local_day(scene.clock()))
    of |= {"code": "park", "name": "临江园区党工委", "short_name": "临江园区"}
    of |= {"parts": parts, "seen": found.moves.fingerprint}

    def act(key: str) -> int:
        scene.kept["park"] = split_unit(scene.env, SYSTEM, **of, key=key)
        return int(scene.kept["park"])

    return act


@move("unit.move")
def _move(scene: Scene) -> Act:
    of: Any = {"unit_id": scene.kept["park"], "to": scene.case.world.organisations["other"]}
    with scene.env.engine.connect() as db:
        unit = unit_of(db, None, of["unit_id"])
        found = moving(db, None, unit, of["to"], local_day(scene.clock()))
    return lambda key: move_unit(scene.env, SYSTEM, **of, seen=found.fingerprint, key=key)


@move("unit.merge")
def _merge(scene: Scene) -> Act:
    of: Any = {"unit_id": scene.kept["park"], "into": scene.case.world.organisations["other"]}
    with scene.env.engine.connect() as db:
        unit = unit_of(db, None, of["unit_id"])
        found = ending(db, None, unit, of["into"], {}, local_day(scene.clock()))
    of |= {"targets": {}, "seen": found.moves.fingerprint}
    return lambda key: merge_unit(scene.env, SYSTEM, **of, key=key)


@move("unit.close")
def _close(scene: Scene) -> Act:
    of: Any = {"unit_id": scene.case.world.organisations["other"], "code": "dock", "seen": ""}
    of |= {"name": "临江码头党工委", "short_name": "临江码头"}
    of |= {"parts": Parts([_post(scene, "码头主任", "other")])}
    with scene.env.engine.connect() as db:
        unit = unit_of(db, None, of["unit_id"])
        found = splitting(db, None, unit, of["parts"], local_day(scene.clock()))
    of["seen"] = found.moves.fingerprint
    dock = split_unit(scene.env, SYSTEM, **of, key=scene.case.world.key())
    with scene.env.engine.connect() as db:
        ends = closure(db, None, unit_of(db, None, dock), {}, local_day(scene.clock()))
    given: Any = {"unit_id": dock, "targets": {}, "seen": ends.moves.fingerprint}
    return lambda key: close_unit(scene.env, SYSTEM, **given, key=key)


def _plan_of(scene: Scene, name: str) -> Callable[[str], int]:
    """The operator plans another name for the other town, for tomorrow."""
    other, by = scene.case.world.organisations["other"], scene.actor("operator")
    with scene.env.engine.connect() as db:
        found = renaming(db, unit_of(db, None, other), local_day(scene.clock()))
    given = {"name": [name], "short_name": [name]}
    on = local_day(scene.clock()) + timedelta(days=1)

    def act(key: str) -> int:
        return plan(Confirmed(scene.env, by, other, given, found.fingerprint, key), "rename", on)

    return act


@move("change.plan")
def _plan(scene: Scene) -> Act:
    act = _plan_of(scene, "临江新城党工委")

    def kept(key: str) -> int:
        scene.kept["plan"] = act(key)
        return int(scene.kept["plan"])

    return kept


@move("change.withdraw")
def _withdraw(scene: Scene) -> Act:
    of: Any = {"planned_id": scene.kept["plan"]}
    return lambda key: withdraw(scene.env, scene.actor("operator"), **of, key=key)


def _due(scene: Scene, name: str) -> Act:
    """What is planned is due at once."""
    planned_id = _plan_of(scene, name)(scene.case.world.key())
    mine = update(_planned).where(_planned.c.id == planned_id)
    scene.write(mine.values(due_on=local_day(scene.clock())))
    return lambda key: carry_out_due(scene.env)


@move("change.begin", keyed=False)
def _begin_planned(scene: Scene) -> Act:
    return _due(scene, "临江东街党工委")


@move("change.finish", keyed=False)
def _finish_planned(scene: Scene) -> Act:
    return _due(scene, "临江西街党工委")
