"""离岗委托 in one case: nobody speaks for two, confirms what they did or was done for them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update

from models.base import table
from models.organisation import Appointment
from policy.calendar import local_day
from services.casework import drain
from services.casework.authority import SpeaksAlready
from services.database import reading
from services.errors import NotAuthorised
from services.invariants import violations
from services.step_page import step_page
from services.substitution import end_due
from services.substitution_page import preview
from tests import parts
from tests.arranging import answer, arrange, terms, who
from tests.parts_case import approve, cast, start
from tests.world import Clock, World

_appointments = table(Appointment)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    for made in cast(engine, clock):
        yield made
        found = violations(engine, local_day(clock()))
        assert [str(one) for one in found if one.invariant in ("INV-12", "INV-17")] == []


def test_in_a_joint_step_nobody_speaks_for_two(world: World) -> None:
    """The heads of the inspection office and the discipline commission are both asked."""
    start(world)
    answer(world, "clerk", "draft")
    arrange(world, "inspection_head", "discipline_secretary")
    with pytest.raises(SpeaksAlready):
        answer(world, "discipline_secretary", "review", "agree", of="inspection_head")
    answer(world, "discipline_secretary", "review", "agree", of="discipline_secretary")
    with pytest.raises(SpeaksAlready):
        answer(world, "discipline_secretary", "review", "agree", of="inspection_head")
    answer(world, "inspection_head", "review", "agree", of="inspection_head")
    assert world.waiting() == [("approve", "district_member")]


def done_by_deputy(world: World) -> None:
    """The deputy did a part; its confirmation waits on the secretary."""
    start(world)
    approve(world)
    answer(world, "deputy", "do")
    drain(world.env)


def test_a_substitute_may_not_confirm_what_they_did(world: World) -> None:
    done_by_deputy(world)
    arrange(world, "secretary", "deputy")
    with pytest.raises(NotAuthorised, match="前一环节"):
        answer(world, "deputy", "confirm", "agree")
    with reading(world.env.engine) as db:
        slot = next(slot for slot, key, _ in world.open_slots() if key == "confirm")
        page = step_page(db, who(world, db, "deputy"), slot, world.env.clock())
        assert page.holds
        assert page.barred
        assert not page.answerable
        given = terms(world, "secretary", "deputy")
        seen = preview(
            db, who(world, db, "secretary"), given, world.env.clock(), frozenset({parts.NAME})
        )
    assert (seen.count, seen.barred, len(seen.conflicts)) == (1, 1, 1)
    answer(world, "secretary", "confirm", "agree")


def test_nobody_confirms_what_was_done_in_their_place(world: World, clock: Clock) -> None:
    """The deputy is away; the clerk does a part for them. The deputy, who holds the secretary's
    post as well by then, may not confirm it, and neither may who stands in for them."""
    start(world)
    approve(world)
    arrange(world, "deputy", "clerk")
    answer(world, "clerk", "do")
    drain(world.env)
    gone = update(_appointments).where(_appointments.c.post_id == world.posts["secretary"])
    deputy = world.people["deputy"]
    world.do(lambda work: {"n": work.db.execute(gone.values(person_id=deputy)).rowcount})
    world.people["secretary"] = deputy
    with pytest.raises(NotAuthorised, match="前一环节"):
        answer(world, "deputy", "confirm", "agree")
    clock.forward(days=7)
    end_due(world.env)
    day = local_day(clock())
    arrange(world, "secretary", "town_discipline_secretary", starts_on=day, until_on=day)
    with pytest.raises(NotAuthorised, match="前一环节"):
        answer(world, "town_discipline_secretary", "confirm", "agree")


def test_who_stands_in_for_the_doer_does_not_confirm_by_their_own_post(world: World) -> None:
    done_by_deputy(world)
    arrange(world, "deputy", "secretary")
    with pytest.raises(NotAuthorised, match="前一环节"):
        answer(world, "secretary", "confirm", "agree")
