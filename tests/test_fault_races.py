"""Commands that meet: one result or both, never half, and who comes too late reads who and when."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from models.base import table
from models.casework import Branch, Decision
from policy.acts import Act
from policy.calendar import local_day
from services.acts import act_on
from services.casework import claim_effect, decide, drain, fail_effect, finish_effect
from services.casework.branch import lock_branch
from services.command import SYSTEM, Work, execute
from services.errors import AlreadyDecided, DutiesError
from services.invariants import violations
from services.termination import terminate
from services.watch import sweep
from tests.parts_case import approve, cast, ready, start
from tests.world import Clock, World

_branches, _decisions = table(Branch), table(Decision)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def count(engine: Engine) -> int:
    with engine.connect().execution_options(read_only=True) as db:
        return len(db.execute(select(_decisions.c.id)).all())


def test_a_deadlock_is_a_retry_and_no_error(postgresql_engine: Engine) -> None:
    """Two commands lock two branches, each the other's first."""
    (world,) = [*cast(postgresql_engine, Clock())]
    for number in ("a", "b"):
        start(world, number=number)
    with postgresql_engine.connect() as db:
        first, second = db.execute(select(_branches.c.id).order_by(_branches.c.id)).scalars()
    both, tries = threading.Barrier(2), []

    def cross(pair: tuple[int, int]) -> dict[str, Any]:
        def act(work: Work) -> dict[str, Any]:
            tries.append(pair)
            lock_branch(work, pair[0])
            if len(tries) <= 2:
                both.wait(20)
            lock_branch(work, pair[1])
            return {"pair": list(pair)}

        return execute(world.env, SYSTEM, "test", f"{pair}", {}, act)

    pairs = [(first, second), (second, first)]
    with ThreadPoolExecutor(2) as pool:
        assert [done["pair"] for done in pool.map(cross, pairs)] == [list(p) for p in pairs]
    assert len(tries) == 3, "one of them was repeated"


def test_of_twenty_who_decide_one_slot_one_does_and_the_others_read_who_and_when(
    world: World, clock: Clock
) -> None:
    start(world)
    slot, _, post = world.open_slots()[0]
    ready_all = threading.Barrier(20)

    def answer(n: int) -> Any:
        ready_all.wait(60)
        try:
            return decide(world.env, world.actor(post), slot_id=slot, answer="done", key=f"{n}")
        except DutiesError as error:
            return error

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(answer, range(20)))
    late = [found for found in results if isinstance(found, DutiesError)]
    assert len(late) == 19
    for refused in late:
        assert isinstance(refused, AlreadyDecided)
        assert str(clock.now.year) in str(refused.details) + refused.message
    assert count(world.env.engine) == 1
    assert list(violations(world.env.engine, local_day(clock.now))) == []


Race = Callable[[World, dict[str, Any]], Any]


def _decides(key: str, post: str, answer: str = "done", **more: Any) -> Race:
    def act(world: World, at: dict[str, Any]) -> Any:
        given: Any = {"slot_id": at[key], "answer": answer, "key": f"{key} {post} {answer}", **more}
        return decide(world.env, world.actor(post), **given)

    return act


RACES: dict[str, Race] = {
    "done": _decides("do", "deputy"),
    "done by another": _decides("do 2", "deputy"),
    "agreed": _decides("confirm", "secretary", "agree"),
    "returned": _decides("confirm", "secretary", "return", reason="不实"),
    "drained": lambda world, at: drain(world.env),
    "watched": lambda world, at: sweep(world.env),
    "effect done": lambda world, at: finish_effect(world.env, at["effect"], {"n": 1}),
    "effect failed": lambda world, at: fail_effect(world.env, at["effect"], "TimeoutError"),
    "taken back": lambda world, at: act_on(
        world.env,
        world.actor("deputy"),
        Act.WITHDRAW,
        slot_id=at["done"],
        reason="有误",
        given={},
        key="taken back",
    ),
    "terminated": lambda world, at: terminate(
        world.env, world.actor("district_secretary"), case_id=1, reason="撤销", key="end"
    ),
}


@pytest.mark.parametrize("pair", list(combinations(RACES, 2)), ids="-".join)
def test_of_two_commands_at_once_each_is_carried_out_or_refused_as_a_whole(
    world: World, clock: Clock, pair: tuple[str, str]
) -> None:
    at = prepared(world, clock)
    line = threading.Barrier(2)

    def run(name: str) -> Any:
        line.wait(60)
        try:
            return RACES[name](world, at)
        except DutiesError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(pair, pool.map(run, pair), strict=True))
    clock.forward(minutes=10)
    while drain(world.env):
        pass
    sweep(world.env)
    while drain(world.env):
        pass
    assert [str(v) for v in violations(world.env.engine, local_day(clock.now))] == []
    for found in results.values():
        if isinstance(found, DutiesError):
            assert isinstance(found, AlreadyDecided), found
            assert found.details.get("at") or found.details, "nobody says when"
    refused = sum(isinstance(found, DutiesError) for found in results.values())
    assert refused <= 1


def prepared(world: World, clock: Clock) -> dict[str, Any]:
    """Parts under way, one reported; an effect is running, a wake waits, and steps are late."""
    start(world)
    approve(world)
    while drain(world.env):
        pass
    (notice, *_) = ready(world, 1)
    assert claim_effect(world.env, notice.id) is not None
    (done, *_) = [slot for slot, key, _ in world.open_slots() if key == "do"]
    world.answer("do")
    slots = world.open_slots()
    doing = [slot for slot, key, _ in slots if key == "do"]
    (confirm,) = [slot for slot, key, _ in slots if key == "confirm"]
    clock.forward(days=60)
    with world.env.engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO wake (branch_id, kind, attempts, try_at)"
                " SELECT id, 'advance', 0, opened_at FROM branch WHERE parent_id IS NULL"
            )
        )
    return {"effect": notice.id, "do": doing[0], "do 2": doing[1], "confirm": confirm, "done": done}
