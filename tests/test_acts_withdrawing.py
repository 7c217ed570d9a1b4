"""撤回: one's own answer is taken back while nobody has built on it, and nothing else changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from models.act import ActRecord
from models.base import table
from models.casework import Branch, BranchState, Decision, Effect, EffectState, Step
from policy.acts import Act
from policy.outcome import RETURN
from services.acts.acting import MayNotAct
from services.casework import Casework, claim_effect, drain, finish_effect
from services.casework.returning import UndoFailed
from services.errors import AlreadyDecided, CannotReturn, KeyReused
from services.history import of_case
from services.scope import standing
from services.step_page import StepPage, step_page
from tests import parts
from tests.acts_scene import do, due, offered, slot_of, stand_in, told
from tests.parts_case import ready, run_effects, start, values
from tests.test_casework_faults import ask, with_mechanism
from tests.vacancy_scene import come, gone, holds, settle, today, town
from tests.world import Clock, World

_acts, _branches, _decisions = table(ActRecord), table(Branch), table(Decision)
_effects, _steps = table(Effect), table(Step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    for made in town(engine, clock):
        start(made)
        yield made


def answered(world: World, key: str, answer: str = "done", post: str = "", **given: Any) -> int:
    """Somebody answers; the slot."""
    slot = next(slot for slot, of, asked in world.open_slots() if of == key and post in ("", asked))
    world.answer(key, answer, post, **given)
    return slot


def seen(world: World, by: str, slot: int) -> StepPage:
    with world.env.engine.connect() as db:
        who = standing(db, world.people[by], today(world))
        return step_page(db, who, slot, world.env.clock())


def published(world: World) -> list[int]:
    return values(world, text("SELECT branch_id FROM published"))


def test_who_decided_takes_it_back_and_is_asked_anew_as_before(world: World, clock: Clock) -> None:
    slot, before = slot_of(world, "draft"), due(world, "draft")
    clock.forward(days=3)
    world.answer("draft", reason="初稿")
    clock.forward(days=3)
    assert offered(world, "clerk", slot) == {Act.WITHDRAW}
    assert offered(world, "secretary", slot) == set()
    do(world, "clerk", Act.WITHDRAW, slot)
    assert world.waiting() == [("draft", "clerk")]
    assert due(world, "draft") == before * 2, "taking back gains no time"
    reviewers = ("discipline_secretary", "inspection_head")
    assert [told(world, post, "withdrawn") for post in reviewers] == [1, 1]
    assert told(world, "clerk", "withdrawn") == 0
    assert seen(world, "clerk", slot).asked[0].withdrawn
    last = seen(world, "clerk", slot_of(world, "draft")).last
    assert last is not None
    assert (last.answer, last.reason, last.withdrawn) == ("done", "初稿", True)
    holds(world)
    world.answer("draft")
    assert [key for key, _ in world.waiting()] == ["review", "review"]
    assert seen(world, "clerk", slot).last is None
    holds(world)


def test_what_was_taken_back_stays_in_the_history_and_says_so(world: World) -> None:
    slot = answered(world, "draft")
    with world.env.engine.connect() as db:
        kept = db.execute(select(_decisions)).all()
    do(world, "clerk", Act.WITHDRAW, slot)
    with world.env.engine.connect() as db:
        assert db.execute(select(_decisions)).all() == kept
        (line,) = of_case(db, 1)
    assert (line.voided, line.withdrawn) == (True, True)


def test_what_was_late_is_late_again(world: World, clock: Clock) -> None:
    slot = answered(world, "draft")
    clock.forward(days=90)
    do(world, "clerk", Act.WITHDRAW, slot)
    assert world.answer("draft").late


def test_nothing_is_taken_back_once_somebody_has_built_on_it(world: World) -> None:
    slot = answered(world, "draft")
    world.answer("review", "agree", "inspection_head")
    assert offered(world, "clerk", slot) == {Act.CORRECT}
    with pytest.raises(AlreadyDecided, match="不能撤回"):
        do(world, "clerk", Act.WITHDRAW, slot)
    assert values(world, select(_acts.c.id)) == []


def test_what_a_return_went_back_over_is_taken_back_by_nobody(world: World) -> None:
    slot = answered(world, "draft")
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    back = answered(world, "approve", RETURN, reason="重拟", back_to="draft")
    for by, of in (("clerk", slot), ("district_member", back)):
        with pytest.raises(AlreadyDecided):
            do(world, by, Act.WITHDRAW, of)


def test_of_several_who_are_asked_the_first_takes_it_back_until_another_speaks(
    world: World,
) -> None:
    world.answer("draft")
    slot = answered(world, "review", "agree", "inspection_head")
    do(world, "inspection_head", Act.WITHDRAW, slot)
    asked = [("review", "discipline_secretary"), ("review", "inspection_head")]
    assert world.waiting() == asked
    holds(world)
    first = answered(world, "review", "agree", "inspection_head")
    last = answered(world, "review", "agree", "discipline_secretary")
    for by, of in (("inspection_head", first), ("discipline_secretary", last)):
        with pytest.raises(AlreadyDecided):
            do(world, by, Act.WITHDRAW, of)
    assert world.waiting() == [("approve", "district_member")]


def up_to_approval(world: World) -> int:
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    return slot_of(world, "approve")


def test_what_was_published_because_of_it_is_taken_back_with_it(world: World) -> None:
    slot = up_to_approval(world)
    world.answer("approve", "agree")
    settle(world)
    assert len(published(world)) == 1
    do(world, "district_member", Act.WITHDRAW, slot)
    assert published(world) == []
    assert values(world, select(_effects.c.state)) == [EffectState.WITHDRAWN]
    below = select(_branches.c.state).where(_branches.c.parent_id.is_not(None))
    assert set(values(world, below)) == {BranchState.VOIDED}
    assert world.waiting() == [("approve", "district_member")]
    assert told(world, "deputy", "withdrawn") == 1, "once, though three parts were theirs"
    holds(world)


def test_an_effect_that_is_under_way_ends_and_is_undone(world: World) -> None:
    slot = up_to_approval(world)
    world.answer("approve", "agree")
    call = claim_effect(world.env, ready(world, 1)[0].id)
    assert call is not None
    do(world, "district_member", Act.WITHDRAW, slot)
    finish_effect(world.env, call.effect_id, call.run())
    assert run_effects(world, 1) == ["parts_recall"]
    holds(world)


def test_a_decision_below_holds_it_until_that_is_taken_back_too(world: World) -> None:
    slot = up_to_approval(world)
    world.answer("approve", "agree")
    settle(world)
    part = answered(world, "do")
    with pytest.raises(AlreadyDecided):
        do(world, "district_member", Act.WITHDRAW, slot)
    do(world, "deputy", Act.WITHDRAW, part)
    assert world.waiting() == [("do", "deputy")] * 3
    holds(world)
    do(world, "district_member", Act.WITHDRAW, slot)
    assert world.waiting() == [("approve", "district_member")]
    holds(world)


def test_what_says_nothing_of_returns_refuses_it(world: World) -> None:
    def root(case: Casework) -> None:
        ask(case, "first")
        case.record("publish", parts._publish)
        ask(case, "second", "secretary")

    with_mechanism(world, root=root)
    start(world, "own", "试〔2026〕2号")
    slot = answered(world, "first")
    with pytest.raises(CannotReturn, match="不能撤回"):
        do(world, "clerk", Act.WITHDRAW, slot)
    assert ("second", "secretary") in world.waiting()


def test_an_undo_that_fails_refuses_it_and_nothing_is_kept(world: World) -> None:
    slot = up_to_approval(world)
    world.answer("approve", "agree")
    with world.env.engine.begin() as db:
        db.execute(text("ALTER TABLE published RENAME TO elsewhere"))
    with pytest.raises(UndoFailed):
        do(world, "district_member", Act.WITHDRAW, slot)
    assert values(world, select(_acts.c.id)) == []
    drain(world.env)
    assert world.waiting() == [("do", "deputy")] * 3


def test_who_left_the_post_and_who_came_after_take_nothing_back(world: World) -> None:
    slot = answered(world, "draft")
    former = world.people["clerk"]
    gone(world, "clerk")
    world.people["clerk"] = come(world, "clerk")
    assert offered(world, "clerk", slot) == set()
    with pytest.raises(MayNotAct):
        do(world, "clerk", Act.WITHDRAW, slot)
    world.people["former"] = former
    assert offered(world, "former", slot) == set()


def test_a_substitute_takes_back_what_they_decided_and_not_what_the_holder_did(
    world: World,
) -> None:
    stand_in(world, "clerk", "secretary")
    slot = answered(world, "draft")
    assert Act.WITHDRAW not in offered(world, "secretary", slot)
    do(world, "clerk", Act.WITHDRAW, slot)
    world.people["clerk"], holder = world.people["secretary"], world.people["clerk"]
    slot = answered(world, "draft")
    world.people["clerk"] = holder
    assert Act.WITHDRAW not in offered(world, "clerk", slot)
    do(world, "secretary", Act.WITHDRAW, slot)
    own, instead = values(world, select(_acts.c.substitution_id).order_by(_acts.c.id))
    assert own is None
    assert instead is not None


def test_who_had_it_passed_on_to_them_is_asked_again(world: World) -> None:
    slot = slot_of(world, "draft")
    do(world, "clerk", Act.TRANSFER, slot, post=world.posts["deputy"])
    world.answer("draft")
    do(world, "deputy", Act.WITHDRAW, slot)
    assert world.waiting() == [("draft", "deputy")]
    assert told(world, "clerk", "opened") == 0
    holds(world)


def test_the_same_request_takes_back_once(world: World) -> None:
    slot = answered(world, "draft")
    for _ in range(2):
        do(world, "clerk", Act.WITHDRAW, slot, "one-key")
    with pytest.raises(KeyReused):
        do(world, "clerk", Act.WITHDRAW, slot, "one-key", reason="另一原因")
    with pytest.raises(AlreadyDecided):
        do(world, "clerk", Act.WITHDRAW, slot)
    assert len(values(world, select(_steps.c.id).where(_steps.c.key == "draft"))) == 2
