"""What goes wrong around a decision: poison, zombies, bad statements, undos that fail, forgery."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, select, text

from models.base import table
from models.casework import Branch, Case, CaseState, Decision, Effect, EffectState, Wake, WakeKind
from policy.calendar import local_day
from policy.outcome import RETURN
from services.casework import (
    Casework,
    claim_effect,
    drain,
    fail_effect,
    finish_effect,
    ready_effects,
)
from services.casework.branch import wake
from services.casework.mechanism import BranchScript, Mechanism
from services.casework.returning import UndoFailed
from services.command import Work
from services.env import Env
from services.invariants import violations
from tests import parts
from tests.parts_case import approve, cast, ready, run_effects, start, values
from tests.world import Clock, World

_branches = table(Branch)
_effects = table(Effect)
_wakes = table(Wake)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def found(world: World) -> list[str]:
    on = local_day(world.env.clock())
    return [violation.invariant for violation in violations(world.env.engine, on)]


def with_mechanism(world: World, **scripts: Callable[[Casework], None]) -> None:
    """Let the world have a mechanism ``own`` whose root script is ``root``."""
    made = {"": BranchScript(scripts.pop("root"))}
    made |= {name: BranchScript(script, "part") for name, script in scripts.items()}
    known = {**world.env.mechanisms, ("own", 1): Mechanism("own", 1, "", (), made)}
    world.env = Env(world.env.engine, world.env.clock, mechanisms=known)


def ask(case: Casework, key: str, post: str = "clerk") -> None:
    case.ask(key, of=parts.asks(post), due="rectification.plan")


def told(case: Casework) -> None:
    case.do("notice", parts.parts_notice, on_return=parts.parts_recall)
    ask(case, "do", "deputy")


def telling(case: Casework) -> None:
    ask(case, "plan")
    case.each("parts", lambda here: [1], told, on_return="redo")
    ask(case, "end", "secretary")


def test_a_branch_that_cannot_be_looked_at_does_not_keep_the_others_waiting(
    world: World, clock: Clock
) -> None:
    start(world)
    approve(world)
    root, child = values(world, select(_branches.c.id).order_by(_branches.c.id))[:2]
    poison = {"branch_id": root, "kind": WakeKind.RAISE, "try_at": clock(), "attempts": 0}
    with world.env.engine.begin() as db:
        db.execute(insert(_wakes), {**poison, "subject_id": None})
        db.execute(text("ALTER TABLE duty_member RENAME TO elsewhere"))
        good = {"kind": WakeKind.ADVANCE, "try_at": clock() + timedelta(seconds=1)}
        db.execute(insert(_wakes), {**poison, **good, "branch_id": child})
    clock.forward(seconds=2)
    for _ in range(3):
        drain(world.env, limit=1)
    assert child not in values(world, select(_wakes.c.branch_id))
    with world.env.engine.begin() as db:
        db.execute(text("ALTER TABLE elsewhere RENAME TO duty_member"))
    clock.forward(minutes=2)
    drain(world.env)
    assert values(world, select(_wakes.c.branch_id)) == []


def test_an_attempt_that_was_taken_over_gives_nothing_up(world: World) -> None:
    case_id = start(world)
    approve(world)
    ref = ready(world, case_id)[0]
    zombie, living = claim_effect(world.env, ref.id), claim_effect(world.env, ref.id)
    assert zombie
    assert living
    fail_effect(world.env, ref.id, "late", zombie.attempt)
    finish_effect(world.env, ref.id, {"n": 1})
    of_ref = _effects.c.id == ref.id
    assert values(world, select(_effects.c.state).where(of_ref)) == [EffectState.DONE]


def test_a_wrong_statement_of_a_script_blocks_the_branch_and_keeps_the_decision(
    world: World,
) -> None:
    def root(case: Casework) -> None:
        ask(case, "first")
        case.fact("wrong", lambda here: here.db.execute(text("SELECT * FROM nowhere")))

    with_mechanism(world, root=root)
    start(world, "own")
    assert world.answer("first").blocked
    assert len(values(world, select(table(Decision).c.id))) == 1


def test_what_a_failing_script_wrote_is_taken_back_with_it(world: World, clock: Clock) -> None:
    def root(case: Casework) -> None:
        ask(case, "first")
        case.record("publish", parts._publish)
        ask(case, "second", "secretary")

    with_mechanism(world, root=root)
    start(world, "own")
    parts.OUTSIDE.failing.add("secretary")
    assert world.answer("first").blocked
    written = select(text("count(*)")).select_from(text("published"))
    assert values(world, written) == [0]
    assert found(world) == []
    parts.OUTSIDE.failing.clear()
    clock.forward(minutes=6)
    drain(world.env)
    assert values(world, written) == [1]
    assert world.waiting() == [("second", "secretary")]


def test_a_return_whose_undo_fails_is_refused_and_nothing_of_it_is_kept(world: World) -> None:
    case_id = start(world)
    approve(world)
    for _ in range(3):
        world.answer("do")
        world.answer("confirm", "agree")
    run_effects(world, case_id)
    drain(world.env)
    with world.env.engine.begin() as db:
        db.execute(text("ALTER TABLE published RENAME TO elsewhere"))
    with pytest.raises(UndoFailed):
        world.answer("sign", RETURN, back_to="draft", reason="重来")
    assert world.waiting() == [("sign", "secretary")]


@pytest.mark.parametrize(
    "forged",
    ["reason = '可以'", "payload = NULL", "late = NOT late"],
)
def test_what_was_said_cannot_be_changed_unseen(world: World, forged: str) -> None:
    start(world)
    world.answer("draft", payload={"n": 1})
    world.answer("review", RETURN, "inspection_head", reason="不行", payload={"n": 2})
    assert found(world) == []
    with world.env.engine.begin() as db:
        on = " ON decision" if db.dialect.name == "postgresql" else ""
        db.execute(text(f"DROP TRIGGER decision_update_refused{on}"))
        db.execute(text(f"UPDATE decision SET {forged} WHERE answer = 'return'"))
    assert found(world) == ["INV-6"]


def test_the_undo_of_a_stopped_branch_ends_before_its_successor_begins(world: World) -> None:
    with_mechanism(world, root=telling, told=told)
    case_id = start(world, "own")
    world.answer("plan")
    drain(world.env)
    assert run_effects(world, case_id) == ["parts_notice"]
    world.answer("do")
    drain(world.env)
    world.answer("end", RETURN, back_to="plan", reason="重来")
    world.answer("plan")
    drain(world.env)
    assert [ref.name for ref in ready(world, case_id)] == ["parts_recall"]
    assert run_effects(world, case_id) == ["parts_recall"]
    assert run_effects(world, case_id) == ["parts_notice"]


def test_a_case_does_not_end_before_the_operator_settled_a_failed_undo(
    world: World, clock: Clock
) -> None:
    def quiet(case: Casework) -> None:
        ask(case, "plan")
        if case.fact("under-way", lambda here: len(ready_effects(here.db, here.case_id))) == 0:
            case.each("parts", lambda here: [1], told, on_return="redo")
        ask(case, "end", "secretary")

    with_mechanism(world, root=quiet, told=told)
    case_id = start(world, "own")
    world.answer("plan")
    drain(world.env)
    run_effects(world, case_id)
    world.answer("do")
    drain(world.env)
    world.answer("end", RETURN, back_to="plan", reason="重来")
    recall = ready(world, case_id)[0]
    world.answer("plan")
    call = claim_effect(world.env, recall.id)
    assert call
    fail_effect(world.env, recall.id, "refused", call.attempt)
    world.answer("end")
    assert found(world) == []
    assert values(world, select(table(Case).c.state)) == [CaseState.OPEN]
    world.answer(f"operator:{recall.id}", "retry")
    run_effects(world, case_id)
    drain(world.env)
    assert values(world, select(table(Case).c.state)) == [CaseState.ENDED]
    assert found(world) == []


def test_what_fails_after_the_commit_does_not_say_that_it_was_not_saved(world: World) -> None:
    def broken() -> None:
        raise RuntimeError("the drain is gone")

    start(world)
    approve(world)
    root = min(values(world, select(_branches.c.id)))
    world.env = Env(world.env.engine, world.env.clock, world.env.mechanisms, nudge=broken)

    def act(work: Work) -> dict[str, object]:
        wake(work, root)
        return {"said": True}

    assert world.do(act) == {"said": True}
    assert values(world, select(_wakes.c.branch_id)) == [root]
