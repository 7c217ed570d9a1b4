"""Effects: run at least once outside, recorded exactly once, undone when a return passes them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.casework import Effect, EffectState
from policy.outcome import RETURN
from services.casework import claim_effect, drain, fail_effect, finish_effect
from services.errors import Invalid
from tests.parts_case import approve, cast, ready, run_effects, start, values, void_root
from tests.world import Clock, World


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def test_an_effect_that_fails_for_good_is_settled_by_the_operator(world: World) -> None:
    case_id = start(world)
    approve(world)
    ref = ready(world, case_id)[0]
    assert claim_effect(world.env, ref.id)
    fail_effect(world.env, ref.id, "refused")
    assert ready(world, case_id) == []
    key = f"operator:{ref.id}"
    assert (key, "operator") in world.waiting()
    with pytest.raises(Invalid):
        world.answer(key, "drop")
    world.answer(key, "retry")
    assert [again.id for again in ready(world, case_id)] == [ref.id]
    assert claim_effect(world.env, ref.id)
    fail_effect(world.env, ref.id, "refused")
    world.answer(key, "enter", payload={"result": "人工"})
    found = values(world, select(table(Effect).c.result).where(table(Effect).c.id == ref.id))
    assert found == ["人工"]


def test_a_result_that_comes_twice_is_recorded_once(world: World) -> None:
    case_id = start(world)
    approve(world)
    ref = ready(world, case_id)[0]
    assert claim_effect(world.env, ref.id)
    finish_effect(world.env, ref.id, {"n": 1})
    finish_effect(world.env, ref.id, {"n": 2})
    fail_effect(world.env, ref.id, "zombie")
    found = values(world, select(table(Effect).c.result).where(table(Effect).c.id == ref.id))
    assert found == [{"n": 1}]
    assert claim_effect(world.env, ref.id) is None


def test_a_notice_nobody_has_begun_is_withdrawn_and_needs_no_recall(world: World) -> None:
    case_id = start(world)
    approve(world)
    running = [slot for slot in world.open_slots() if slot[1] == "do"]
    assert len(running) == 3
    for _ in range(3):
        world.answer("do")
        world.answer("confirm", "agree")
    for ref in ready(world, case_id):
        if ref.name == "parts_archive":
            call = claim_effect(world.env, ref.id)
            assert call is not None
            finish_effect(world.env, ref.id, call.run())
    drain(world.env)
    world.answer("sign", RETURN, back_to="approve", reason="请再斟酌")
    states = values(
        world, select(table(Effect).c.state).where(table(Effect).c.name == "parts_notice")
    )
    assert states == [EffectState.WITHDRAWN]
    assert run_effects(world, case_id) == []


def test_an_undo_ends_before_the_next_round_of_its_effect_begins(world: World) -> None:
    case_id = start(world)
    approve(world)
    assert run_effects(world, case_id) == ["parts_notice"]
    void_root(world, case_id, "approve")
    world.answer("approve", "agree")
    assert [ref.name for ref in ready(world, case_id)] == ["parts_recall"]
    assert run_effects(world, case_id) == ["parts_recall"]
    assert run_effects(world, case_id) == ["parts_notice"]


def test_an_effect_that_is_running_when_it_is_returned_ends_and_is_undone(world: World) -> None:
    case_id = start(world)
    approve(world)
    notice = ready(world, case_id)[0]
    call = claim_effect(world.env, notice.id)
    assert call is not None
    void_root(world, case_id, "approve")
    assert [ref.id for ref in ready(world, case_id)] == [notice.id]
    finish_effect(world.env, notice.id, call.run())
    assert run_effects(world, case_id) == ["parts_recall"]
    states = values(world, select(table(Effect).c.state).order_by(table(Effect).c.id))
    assert states == [EffectState.DONE, EffectState.DONE]
