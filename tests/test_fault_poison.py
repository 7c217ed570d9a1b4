"""A row that cannot be dealt with is parked with growing pauses; the others go on as if nothing."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, insert, select

from deployments import run_wakes
from deployments.doctor import contents
from deployments.run_wakes import RunWakes
from models.base import table
from models.casework import Branch, Wake, WakeKind
from models.message import Message
from services import delivery
from services.casework import drain, draining, replay
from services.env import Env
from services.runs import Act
from tests.parts_case import cast, start, values
from tests.telling import Desk, desk
from tests.two_step_world import town
from tests.world import Clock, World

MINUTE = timedelta(minutes=1)
_branches, _messages, _wakes = table(Branch), table(Message), table(Wake)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    for made in cast(engine, clock):
        made.env = replace(made.env, operator=made.people["operator"])
        yield made


def poisoned(monkeypatch: pytest.MonkeyPatch, of: int) -> Callable[[], int]:
    """Let the branch fail whoever looks at it; how often somebody did."""
    looks, real = [], replay.advance

    def fails(branch: Any) -> None:
        if branch.id == of:
            looks.append(branch.id)
            raise ZeroDivisionError
        real(branch)

    monkeypatch.setattr(draining, "advance", fails)
    return lambda: len(looks)


def wake(world: World, branch: int) -> None:
    row = {"branch_id": branch, "kind": WakeKind.ADVANCE, "try_at": world.env.clock()}
    with world.env.engine.begin() as db:
        db.execute(insert(_wakes).values(row | {"attempts": 0}))


def test_a_branch_that_always_fails_is_tried_less_and_less_and_the_operator_told_once_a_day(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("a", "b"):
        start(world, number=number)
    bad, good = values(world, select(_branches.c.id).order_by(_branches.c.id))
    looks = poisoned(monkeypatch, bad)
    wake(world, bad)
    pauses, last = [], clock.now
    for _ in range(5 * 60):
        before = looks()
        wake(world, good)
        drain(world.env, limit=1)
        drain(world.env, limit=1)
        assert good not in values(world, select(_wakes.c.branch_id)), "it waits behind the other"
        if looks() > before:
            pauses.append((clock.now - last) // MINUTE)
            last = clock.now
        clock.forward(minutes=1)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    told = select(_messages.c.context).where(_messages.c.template == "operator")
    assert values(world, told) == [{"branch_id": bad}]
    findings = [found.what for found in contents(world.env.engine)]
    assert f"1 个流程分支多次失败，已放缓重试（编号 {bad}）" in findings


def test_a_branch_that_is_mended_goes_on_and_is_named_no_more(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(world)
    (bad,) = values(world, select(_branches.c.id))
    poisoned(monkeypatch, bad)
    wake(world, bad)
    for _ in range(10):
        drain(world.env)
        clock.forward(minutes=10)
    monkeypatch.undo()
    clock.forward(hours=1)
    assert drain(world.env) == 1
    assert not any("多次失败" in found.what for found in contents(world.env.engine))


def test_who_cannot_be_told_keeps_nobody_else_waiting(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: Desk = desk(env)
    at.env = replace(at.env, operator=at.world.people["operator"])
    for post in ("clerk", "deputy", "secretary"):
        at.channel(post)
        at.tell(post)
    claim, asked = delivery._claim, []

    def fails(env: Env, person_id: int) -> Any:
        if person_id == at.world.people["clerk"]:
            asked.append(env.clock())
            raise ZeroDivisionError
        return claim(env, person_id)

    monkeypatch.setattr(delivery, "_claim", fails)
    assert at.deliver().sent == 2
    for _ in range(179):
        at.clock.forward(minutes=1)
        at.deliver()
    pauses = [(later - sooner) // MINUTE for sooner, later in zip(asked, asked[1:], strict=False)]
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60]
    assert len(at.of_template("operator")) == 1
    monkeypatch.undo()
    at.clock.forward(hours=1)
    assert at.deliver().sent == 1


def test_a_case_whose_run_cannot_be_made_waits_and_a_server_that_is_away_is_no_fault_of_it(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = town(env)
    due = here.due(here.open())
    worker: Any = SimpleNamespace(client=None, name="worker")
    wakes = RunWakes(here.env, worker)

    def fails(*given: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(run_wakes, "label_of", fails)
    outcome = asyncio.run(wakes._tried(due, None))
    assert (outcome.act, outcome.run_id) == (Act.WAIT, None)

    async def away(*given: Any) -> Any:
        raise httpx.ConnectError("away")

    monkeypatch.undo()
    monkeypatch.setattr(run_wakes, "create", away)
    with pytest.raises(httpx.ConnectError):
        asyncio.run(wakes._tried(due, None))
