"""A row that cannot be dealt with is parked with growing pauses; the others go on as if nothing."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, insert, select, update

from deployments import run_wakes
from deployments.doctor import contents
from deployments.run_wakes import RunWakes
from models.base import table
from models.casework import Branch, Wake, WakeKind
from models.message import Message
from notifications.outcome import Refused
from services import delivery, delivery_plan
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


def test_a_message_without_a_text_is_named_and_keeps_no_other_from_being_told(env: Env) -> None:
    at: Desk = desk(env)
    at.channel("clerk")
    good, bad, other = (at.tell("clerk") for _ in range(3))
    change(at.env, _messages.c.id == bad, template="of_a_later_version")
    at.clock.forward(minutes=1)
    assert named(at.env, "无法显示") == [f"1 条消息无法显示（编号 {bad}）"]
    assert at.deliver().sent == 1
    (posted,) = at.twin.posted
    assert "另有 1 项" in posted.body
    assert [at.message(id).send_after for id in (good, bad, other)] == [None] * 3
    assert named(at.env, "无法显示")
    change(at.env, _messages.c.id == bad, template="opened")
    assert named(at.env, "无法显示") == []


def test_a_message_that_alone_has_no_text_is_told_of_by_its_number(env: Env) -> None:
    at: Desk = desk(env)
    at.channel("clerk")
    bad = at.tell("clerk")
    change(at.env, _messages.c.id == bad, context=["not", "facts"])
    at.clock.forward(minutes=1)
    assert at.deliver().sent == 1
    assert str(bad) in at.twin.posted[0].body


def test_a_message_that_never_arrives_is_named(env: Env) -> None:
    at: Desk = desk(env)
    at.channel("clerk")
    lost = at.tell("clerk")
    at.twin.answer([Refused(permanent=False, detail="busy")] * 3)
    for tries in range(3):
        assert named(at.env, "没有发出") == [], tries
        at.clock.forward(minutes=30)
        assert at.deliver().refused == 1
    assert named(at.env, "没有发出") == [f"1 条消息一直没有发出（编号 {lost}）"]
    at.clock.forward(minutes=30)
    assert at.deliver().sent == 1
    assert named(at.env, "没有发出") == []


def test_a_message_whose_sending_cannot_even_begin_is_named(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: Desk = desk(env)
    for post in ("clerk", "deputy"):
        at.channel(post)
    bad, _ = at.tell("clerk"), at.tell("deputy")
    real = delivery_plan.Situation.look_at

    def fails(self: Any, message_id: int) -> Any:
        return 1 // 0 if message_id == bad else real(self, message_id)

    monkeypatch.setattr(delivery_plan.Situation, "look_at", fails)
    assert at.deliver().sent == 1
    assert named(at.env, "没有发出") == [f"1 条消息一直没有发出（编号 {bad}）"]


def change(env: Env, which: Any, **values: Any) -> None:
    with env.engine.begin() as db:
        db.execute(update(_messages).where(which).values(values))


def named(env: Env, what: str) -> list[str]:
    """What the doctor says of messages."""
    return [found.what for found in contents(env.engine) if what in found.what]
