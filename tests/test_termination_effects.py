"""终止 and effects: what is withdrawn, what goes on, and whom it asks no more (rules I, M)."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.casework import (
    Effect,
    RunWake,
    Slot,
)
from models.message import Message
from services.casework import claim_effect, drain, fail_effect, finish_effect
from tests.parts_case import approve, cast, ready, run_effects, start, values, void_root
from tests.termination_scene import end, holds, states
from tests.world import Clock, World

_effects = table(Effect)
_messages = table(Message)
_slots = table(Slot)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def test_an_effect_nobody_has_begun_is_withdrawn_and_never_runs(world: World) -> None:
    case_id = start(world)
    approve(world)
    queued = ready(world, case_id)[0].id
    end(world, case_id)
    assert ready(world, case_id) == []
    assert claim_effect(world.env, queued) is None
    assert states(world, _effects) == {"withdrawn"}
    holds(world)


def test_an_effect_that_is_under_way_ends_and_is_recorded(world: World) -> None:
    case_id = start(world)
    approve(world)
    call = claim_effect(world.env, ready(world, case_id)[0].id)
    assert call is not None
    end(world, case_id)
    assert states(world, _effects) == {"claimed"}
    world.do(lambda work: {"gone": work.db.execute(table(RunWake).delete()).rowcount})
    finish_effect(world.env, call.effect_id, {"told": True})
    assert states(world, _effects) == {"done"}
    assert values(world, select(table(RunWake).c.case_id)) == [case_id]
    drain(world.env)
    assert world.open_slots() == []
    holds(world)


def test_an_effect_that_fails_afterwards_asks_nobody(world: World) -> None:
    case_id = start(world)
    approve(world)
    call = claim_effect(world.env, ready(world, case_id)[0].id)
    assert call is not None
    end(world, case_id)
    fail_effect(world.env, call.effect_id, "refused", call.attempt)
    assert world.open_slots() == []
    assert values(world, select(_effects.c.resolution)) == ["void"]
    holds(world)


def test_the_operator_is_not_asked_any_more_about_what_failed_before(world: World) -> None:
    case_id = start(world)
    approve(world)
    failed = ready(world, case_id)[0]
    claim_effect(world.env, failed.id)
    fail_effect(world.env, failed.id, "refused")
    assert (f"operator:{failed.id}", "operator") in world.waiting()
    end(world, case_id)
    assert world.open_slots() == []
    assert values(world, select(_effects.c.resolution)) == ["void"]
    holds(world)


def test_the_undo_of_what_a_return_took_back_still_runs(world: World) -> None:
    case_id = start(world)
    approve(world)
    run_effects(world, case_id)
    void_root(world, case_id, "approve")
    end(world, case_id)
    assert [one.name for one in ready(world, case_id)] == ["parts_recall"]
    assert run_effects(world, case_id) == ["parts_recall"]
    holds(world)


def test_the_operator_goes_on_hearing_that_what_was_to_be_taken_back_still_stands(
    world: World,
) -> None:
    world.env = replace(world.env, operator=world.people["operator"])
    case_id = start(world)
    approve(world)
    run_effects(world, case_id)
    void_root(world, case_id, "approve")
    undo = ready(world, case_id)[0]
    claim_effect(world.env, undo.id)
    fail_effect(world.env, undo.id, "refused")
    end(world, case_id)
    heard = select(_messages.c.key).where(_messages.c.withdrawn_at.is_(None))
    assert f"undo:{undo.id}:{world.people['operator']}" in values(world, heard)
    unsent = select(_messages.c.send_after).where(_messages.c.template == "operator")
    assert None not in values(world, unsent)
    holds(world)
