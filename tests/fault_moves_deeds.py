"""The acts beside deciding (转办、接办、催办 …), each where it can be done."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select

from models.base import table
from models.casework import Origin, Slot, SlotState, Step
from models.organisation import Appointment
from policy.acts import Act as Deed
from services.acts import act_on
from services.casework import decide
from services.command import Actor
from tests.fault_moves_changes import open_elsewhere, seat_elsewhere
from tests.fault_scene import Act, Scene, move

_appointments = table(Appointment)
_slots, _steps = table(Slot), table(Step)


def waiting(scene: Scene) -> Row[Any]:
    """What waits in a new case of the other town's: slot, and the person who holds its post."""
    open_elsewhere(scene)
    return newest(scene)


def newest(scene: Scene) -> Row[Any]:
    """What was asked last."""
    query = (
        select(_slots.c.id, _appointments.c.person_id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_appointments, _appointments.c.post_id == _slots.c.post_id)
        .where(
            _slots.c.state == SlotState.OPEN,
            _steps.c.origin == Origin.SCRIPT,
            _appointments.c.ends_on.is_(None),
        )
    )
    with scene.env.engine.connect() as db:
        found: Row[Any] = db.execute(query.order_by(_slots.c.id.desc()).limit(1)).one()
    return found


def _act(scene: Scene, deed: Deed, by: str = "", **given: str) -> Act:
    """By the holder of a post, or by who is asked."""
    slot = waiting(scene)
    actor = scene.actor(by) if by else Actor(slot.person_id)
    of: Any = {"slot_id": slot.id, "reason": "分工调整", "given": given}
    return lambda key: act_on(scene.env, actor, deed, **of, key=key)


@move("slot.transfer")
def _transfer(scene: Scene) -> Act:
    return _act(scene, Deed.TRANSFER, post=str(seat_elsewhere(scene, "组织干事甲")))


@move("slot.take_over")
def _take_over(scene: Scene) -> Act:
    return _act(scene, Deed.TAKE_OVER, "district_secretary")


@move("slot.withdraw")
def _withdraw(scene: Scene) -> Act:
    slot = waiting(scene)
    actor, key = Actor(slot.person_id), scene.case.world.key()
    decide(scene.env, actor, slot_id=slot.id, answer="done", key=key)
    of: Any = {"slot_id": slot.id, "reason": "有误", "given": {}}
    return lambda key: act_on(scene.env, actor, Deed.WITHDRAW, **of, key=key)


@move("slot.correct")
def _correct(scene: Scene) -> Act:
    slot, case = waiting(scene), scene.case
    actor = Actor(slot.person_id)
    decide(scene.env, actor, slot_id=slot.id, answer="done", key=case.world.key())
    then = newest(scene)
    by = Actor(then.person_id)
    decide(scene.env, by, slot_id=then.id, answer="done", key=case.world.key())
    of: Any = {"slot_id": slot.id, "reason": "笔误", "given": {"text": "分管副书记"}}
    return lambda key: act_on(scene.env, actor, Deed.CORRECT, **of, key=key)


@move("slot.extend")
def _extend(scene: Scene) -> Act:
    return _act(scene, Deed.EXTEND, until=_until(scene, 60))


@move("slot.add_approver")
def _add(scene: Scene) -> Act:
    seat = str(seat_elsewhere(scene, "组织干事乙"))
    return _act(scene, Deed.ADD_APPROVER, post=seat, place="before")


@move("slot.remove_approver")
def _remove(scene: Scene) -> Act:
    slot, seat = waiting(scene), str(seat_elsewhere(scene, "组织干事丙"))
    actor, key = Actor(slot.person_id), scene.case.world.key()
    of: Any = {"slot_id": slot.id, "reason": "分工调整"}
    added = {"post": seat, "place": "before"}
    act_on(scene.env, actor, Deed.ADD_APPROVER, **of, given=added, key=key)
    away = {"post": seat}
    return lambda key: act_on(scene.env, actor, Deed.REMOVE_APPROVER, **of, given=away, key=key)


@move("slot.delegate")
def _delegate(scene: Scene) -> Act:
    return _act(scene, Deed.DELEGATE, post=str(seat_elsewhere(scene, "组织干事丁")))


@move("slot.end_delegation")
def _end_delegation(scene: Scene) -> Act:
    slot, seat = waiting(scene), str(seat_elsewhere(scene, "组织干事"))
    actor, key = Actor(slot.person_id), scene.case.world.key()
    of: Any = {"slot_id": slot.id, "reason": "外出"}
    act_on(scene.env, actor, Deed.DELEGATE, **of, given={"post": seat}, key=key)
    return lambda key: act_on(scene.env, actor, Deed.END_DELEGATION, **of, given={}, key=key)


def _until(scene: Scene, days: int) -> str:
    return (scene.clock.now.date() + timedelta(days=days)).isoformat()


@move("slot.urge")
def _urge(scene: Scene) -> Act:
    return _act(scene, Deed.URGE, "district_secretary")
