"""Acts beside deciding, as tests have people of the cast do them."""

from typing import Any

from sqlalchemy import select

from models.base import table
from models.casework import Step
from models.message import Message
from policy.acts import Act
from services.acts import act_form, act_on, acts_on
from services.scope import standing
from services.substitution import make
from services.substitution_terms import Terms
from tests.parts_case import values
from tests.vacancy_scene import today
from tests.world import World

_messages, _steps = table(Message), table(Step)


def slot_of(world: World, key: str) -> int:
    return next(slot for slot, of, _ in world.open_slots() if of == key)


def do(world: World, by: str, act: Act, slot: int, key: str = "", **fields: Any) -> None:
    """An act of a post's holder; ``reason`` is given where none is said."""
    reason = fields.pop("reason", "工作安排")
    told = {name: str(value) for name, value in fields.items()}
    of: Any = {"slot_id": slot, "reason": reason, "given": told}
    act_on(world.env, world.actor(by), act, **of, key=key or world.key())


def offered(world: World, by: str, slot: int) -> set[Act]:
    with world.env.engine.connect() as db:
        return set(acts_on(db, standing(db, world.people[by], today(world)), slot))


def asked_by(world: World, by: str, act: Act, slot: int) -> Any:
    with world.env.engine.connect() as db:
        return act_form(db, standing(db, world.people[by], today(world)), act, slot)


def stand_in(world: World, post: str, by: str) -> int:
    """Somebody stands in for the holder of a post today; the substitution's id."""
    on = today(world)
    terms = Terms(world.posts[post], world.posts[by], on, on)
    return make(world.env, world.actor(post), terms=terms, reason="公差", key=world.key())


def due(world: World, key: str) -> list[Any]:
    return values(world, select(_steps.c.due_at).where(_steps.c.key == key))


def told(world: World, post: str, template: str) -> int:
    mine = _messages.c.person_id == world.people[post], _messages.c.template == template
    live = select(_messages.c.id).where(*mine, _messages.c.withdrawn_at.is_(None))
    return len(values(world, live))
