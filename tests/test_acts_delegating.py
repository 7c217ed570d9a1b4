"""委托 of one step: another answers once in the name of who is asked, and nothing more."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.casework import Decision, Slot
from models.substitution import Substitution
from policy.acts import Act
from policy.outcome import RETURN
from services.casework import decide
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.history import of_case
from services.inbox import Inbox
from services.scope import standing
from services.step_page import step_page
from services.substitution import end_due
from services.substitution_page import Substitutions
from tests.acts_scene import do, offered, slot_of, stand_in, told
from tests.parts_case import approve, start, values
from tests.vacancy_scene import gone, holds, settle, today, town
from tests.world import Clock, World

_decisions, _slots, _substitutions = table(Decision), table(Slot), table(Substitution)
GIVE, TAKE_BACK = Act.DELEGATE, Act.END_DELEGATION


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    """The draft waits on the clerk."""
    for made in town(engine, clock):
        start(made)
        yield made
        settle(made)
        holds(made)


def answer(world: World, by: str, slot: int, answer: str = "done", **given: Any) -> None:
    decide(world.env, world.actor(by), slot_id=slot, answer=answer, key=world.key(), **given)


def test_another_answers_this_one_in_their_name_and_it_is_said(world: World) -> None:
    slot = slot_of(world, "draft")
    do(world, "clerk", GIVE, slot, post=world.posts["deputy"])
    assert world.waiting() == [("draft", "clerk")]
    assert told(world, "deputy", "delegated") == 1
    with world.env.engine.connect() as db:
        now, people = world.env.clock(), world.people
        theirs, own = (
            step_page(db, standing(db, people[one], today(world)), slot, now)
            for one in ("deputy", "clerk")
        )
        assert Inbox(standing(db, people["deputy"], today(world))).count(db) == 1
        assert Substitutions(standing(db, people["deputy"], today(world))).count(db) == 0
    assert theirs.answerable
    assert theirs.item.behalf == "代梧桐路街道党工委联络员"
    assert theirs.acts == ()
    assert own.instead == "梧桐路街道党工委副书记"
    answer(world, "deputy", slot)
    with world.env.engine.connect() as db:
        (case_id,) = db.execute(select(_decisions.c.case_id)).scalars()
        (line,) = of_case(db, case_id)
    assert line.by == "梧桐路街道党工委副书记代梧桐路街道党工委联络员"
    assert told(world, "clerk", "decided_for") == 1
    do(world, "deputy", Act.WITHDRAW, slot)
    assert [key for key, _ in world.waiting()] == ["draft"]
    with pytest.raises(NotAuthorised):  # the new one is the clerk's again, and no one else's
        answer(world, "deputy", slot_of(world, "draft"))


def test_it_gives_nothing_else_of_the_post(world: World) -> None:
    first = slot_of(world, "draft")
    do(world, "clerk", GIVE, first, post=world.posts["deputy"])
    start(world, number="试〔2026〕2号")
    other = max(slot for slot, _, _ in world.open_slots())
    with pytest.raises(NotAuthorised):
        answer(world, "deputy", other)
    answer(world, "clerk", first)
    assert told(world, "deputy", "decided_for") == 1
    with pytest.raises(AlreadyDecided):
        answer(world, "deputy", first)


def test_it_is_taken_back_until_it_is_answered(world: World, clock: Clock) -> None:
    slot = slot_of(world, "draft")
    assert TAKE_BACK not in offered(world, "clerk", slot)
    do(world, "clerk", GIVE, slot, post=world.posts["deputy"])
    assert GIVE not in offered(world, "clerk", slot)
    with pytest.raises(AlreadyDecided, match="已经委托"):
        do(world, "clerk", GIVE, slot, post=world.posts["secretary"])
    do(world, "clerk", TAKE_BACK, slot)
    assert told(world, "deputy", "substitution_ended") == 1
    with pytest.raises(NotAuthorised):
        answer(world, "deputy", slot)
    do(world, "clerk", GIVE, slot, post=world.posts["secretary"])
    answer(world, "secretary", slot)
    with pytest.raises(AlreadyDecided):
        do(world, "clerk", TAKE_BACK, slot)
    clock.forward(days=60)
    end_due(world.env)
    assert told(world, "secretary", "substitution_ended") == 0, "it was answered"


def test_it_ends_with_the_date_or_when_one_of_them_leaves(world: World, clock: Clock) -> None:
    slot = slot_of(world, "draft")
    do(world, "clerk", GIVE, slot, post=world.posts["deputy"])
    gone(world, "deputy")
    settle(world)
    with pytest.raises((NotAuthorised, NotFound)):
        answer(world, "deputy", slot)
    end_due(world.env)
    assert told(world, "clerk", "substitution_ended") == 1
    do(world, "clerk", GIVE, slot, post=world.posts["secretary"])
    clock.forward(days=60)
    with pytest.raises(NotAuthorised):
        answer(world, "secretary", slot)
    end_due(world.env)
    ways = values(world, select(_substitutions.c.ended_how).order_by(_substitutions.c.id))
    assert ways == ["left", "expired"]
    assert told(world, "secretary", "substitution_ended") == 1


def test_who_stands_in_passes_nothing_on_and_no_other_unit_is_let(world: World) -> None:
    slot = slot_of(world, "draft")
    for far in ("district_member", "outsider", "clerk"):
        with pytest.raises(Invalid) as refused:
            do(world, "clerk", GIVE, slot, post=world.posts[far])
        assert refused.value.details["field"] == "post"
    stand_in(world, "clerk", "secretary")
    assert GIVE not in offered(world, "secretary", slot)
    do(world, "clerk", GIVE, slot, post=world.posts["deputy"])
    do(world, "clerk", Act.TRANSFER, slot, post=world.posts["secretary"])
    with pytest.raises(NotAuthorised):  # it was given by who is not asked any more
        answer(world, "deputy", slot)


def test_four_eyes_are_asked_again_with_the_answer(world: World) -> None:
    """The deputy does the work; its check is the secretary's, who lets the clerk answer."""
    approve(world)
    settle(world)
    world.answer("do")
    slot = slot_of(world, "confirm")
    with pytest.raises(Invalid):
        do(world, "secretary", GIVE, slot, post=world.posts["deputy"])
    do(world, "secretary", GIVE, slot, post=world.posts["clerk"])
    stand_in(world, "deputy", "clerk")
    with pytest.raises(NotAuthorised):
        answer(world, "clerk", slot, RETURN, reason="不实")
    answer(world, "secretary", slot, "agree")
