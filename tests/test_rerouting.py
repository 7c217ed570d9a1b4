"""改派: to a post near by, whose holder may decide the step, and who is told each time."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.message import Message
from models.organisation import Appointment
from services.errors import Invalid
from services.rerouting import reroute_slot, rerouting
from services.scope import standing
from services.substitution import make
from services.substitution_terms import Terms
from tests.parts_case import approve, start, values
from tests.vacancy_scene import holds, settle, today, town
from tests.world import Clock, World

_appointments, _messages = table(Appointment), table(Message)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from town(engine, clock)


def slot_of(world: World, key: str) -> int:
    return next(slot for slot, of, _ in world.open_slots() if of == key)


def give(world: World, key: str, post: str, by: str = "secretary") -> None:
    """A superior gives the open slot of a step to another post."""
    given: Any = {
        "slot_id": slot_of(world, key),
        "post_id": world.posts[post],
        "reason": "分工调整",
    }
    reroute_slot(world.env, world.actor(by), **given, key=world.key())


def offered(world: World, key: str, by: str = "secretary") -> set[str]:
    """The posts on the form, by their names."""
    names, slot = {post_id: name for name, post_id in world.posts.items()}, slot_of(world, key)
    with world.env.engine.connect() as db:
        who = standing(db, world.people[by], today(world))
        return {names[post_id] for post_id, _ in rerouting(db, who, slot).options}


def told(world: World, post: str) -> list[bool]:
    """Whether each message by which a post was asked stands still."""
    mine = _messages.c.person_id == world.people[post], _messages.c.template == "opened"
    found = values(world, select(_messages.c.withdrawn_at).where(*mine).order_by(_messages.c.id))
    return [withdrawn is None for withdrawn in found]


def test_a_step_goes_no_further_than_the_posts_that_are_offered(world: World) -> None:
    start(world)
    assert "deputy" in offered(world, "draft")
    assert "outsider" not in offered(world, "draft")
    for far in ("outsider", "inspection_head"):
        with pytest.raises(Invalid, match="从所列的职务") as refused:
            give(world, "draft", far)
        assert refused.value.details["field"] == "post"
    assert world.waiting() == [("draft", "clerk")]
    holds(world)


def test_who_gets_a_step_a_second_time_is_told_a_second_time(world: World) -> None:
    start(world)
    for post in ("deputy", "clerk", "deputy"):
        give(world, "draft", post)
    assert (told(world, "clerk"), told(world, "deputy")) == ([False, False], [False, True])
    world.answer("draft")
    holds(world)


def test_whoever_decided_its_pair_is_not_given_a_step(world: World) -> None:
    start(world)
    approve(world)
    settle(world)
    world.answer("do")
    assert "clerk" in offered(world, "confirm", "district_secretary")
    assert "deputy" not in offered(world, "confirm", "district_secretary")
    with pytest.raises(Invalid, match="前一环节"):
        give(world, "confirm", "deputy", "district_secretary")
    instead(world, "deputy", "clerk")
    assert "clerk" not in offered(world, "confirm", "district_secretary")
    with pytest.raises(Invalid, match="前一环节"):
        give(world, "confirm", "clerk", "district_secretary")
    give(world, "confirm", "district_member", "district_secretary")
    world.answer("confirm", "agree")
    holds(world)


def instead(world: World, post: str, by: str) -> None:
    """Somebody stands in for the holder of a post."""
    on = today(world)
    terms = Terms(world.posts[post], world.posts[by], on, on)
    make(world.env, world.actor(post), terms=terms, reason="公差", key=world.key())


def test_a_hearing_keeps_its_seats(world: World) -> None:
    """A seat given to a post that has one would be an opinion less."""
    start(world)
    world.answer("draft")
    seats = [(slot, post) for slot, key, post in world.open_slots() if key == "review"]
    assert sorted(post for _, post in seats) == ["discipline_secretary", "inspection_head"]
    of: Any = {"slot_id": seats[0][0], "reason": "分工调整", "key": world.key()}
    by = world.actor("district_secretary")
    with pytest.raises(Invalid):
        reroute_slot(world.env, by, post_id=world.posts[seats[1][1]], **of)
    assert len([key for key, _ in world.waiting() if key == "review"]) == 2
