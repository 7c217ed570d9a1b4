"""更正: what was wrong in an answer is said beside it, and nothing of the flow changes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from models.act import ActRecord
from models.base import table
from models.casework import Decision
from policy.acts import Act
from policy.outcome import RETURN
from services.acts.acting import MayNotAct
from services.errors import AlreadyDecided, Invalid
from services.history import of_case
from services.scope import standing
from services.step_page import step_page
from tests.acts_scene import do, offered, slot_of, told
from tests.parts_case import start, values
from tests.vacancy_scene import holds, today, town
from tests.world import Clock, World

_acts, _decisions = table(ActRecord), table(Decision)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    for made in town(engine, clock):
        start(made)
        yield made


@pytest.fixture
def slot(world: World) -> int:
    """The draft, which one of two reviewers has agreed to."""
    drafted = slot_of(world, "draft")
    world.answer("draft", reason="共三项")
    world.answer("review", "agree", "inspection_head")
    return drafted


def test_the_original_stays_with_its_correction_and_who_is_asked_now_is_told(
    world: World, slot: int
) -> None:
    waits = world.waiting()
    with world.env.engine.connect() as db:
        kept = db.execute(select(_decisions)).all()
    assert offered(world, "clerk", slot) == {Act.CORRECT}
    for text in ("应为四项", "应为五项"):
        do(world, "clerk", Act.CORRECT, slot, reason="笔误", text=text)
    with world.env.engine.connect() as db:
        assert db.execute(select(_decisions)).all() == kept
        line = of_case(db, 1)[-1]
        who = standing(db, world.people["clerk"], today(world))
        (asked,) = step_page(db, who, slot, world.env.clock()).asked
    said = [(one.text, one.reason) for one in line.corrections]
    assert said == [("应为四项", "笔误"), ("应为五项", "笔误")]
    assert asked.corrections == line.corrections
    assert line.reason == "共三项"
    assert world.waiting() == waits
    assert told(world, "discipline_secretary", "corrected") == 2
    assert told(world, "inspection_head", "corrected") == 0, "nothing waits on them"
    holds(world)


def test_what_can_be_taken_back_is_not_corrected(world: World) -> None:
    slot = slot_of(world, "draft")
    with pytest.raises(MayNotAct):
        do(world, "clerk", Act.CORRECT, slot, text="另一句")
    world.answer("draft")
    with pytest.raises(AlreadyDecided, match="撤回"):
        do(world, "clerk", Act.CORRECT, slot, text="另一句")
    do(world, "clerk", Act.WITHDRAW, slot)
    with pytest.raises(AlreadyDecided, match="撤回"):
        do(world, "clerk", Act.CORRECT, slot, text="另一句")
    assert len(values(world, select(_acts.c.id))) == 1


def test_what_a_return_went_back_over_can_be_corrected(world: World, slot: int) -> None:
    world.answer("review", RETURN, "discipline_secretary", reason="不全")
    world.answer("revise")
    do(world, "clerk", Act.CORRECT, slot, text="应为四项")
    holds(world)


def test_nobody_corrects_what_another_said(world: World, slot: int) -> None:
    for by in ("secretary", "inspection_head", "town_discipline_secretary"):
        with pytest.raises(MayNotAct):
            do(world, by, Act.CORRECT, slot, text="另一句")


def test_it_says_what_and_why(world: World, slot: int) -> None:
    wrong = (("", "另一句", "reason"), ("笔误", "", "text"), ("笔误", "长" * 501, "text"))
    for reason, text, field in (*wrong, ("笔误", "标有机密★", "given")):
        with pytest.raises(Invalid) as refused:
            do(world, "clerk", Act.CORRECT, slot, reason=reason, text=text)
        assert refused.value.details["field"] in (field, "text")
    assert values(world, select(_acts.c.id)) == []
