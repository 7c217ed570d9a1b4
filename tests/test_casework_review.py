"""What a second reader of the heart found: each was a fault once."""

from collections.abc import Iterator
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update

from models.base import table
from models.casework import Branch, Case, CaseState, Decision, Wake
from policy.calendar import local_day
from policy.outcome import RETURN
from services.casework import Casework, Here, drain
from services.casework.branch import lock_branch, wake
from services.casework.mechanism import BranchScript, Mechanism
from services.casework.script import NotReached
from services.casework.unstick import unstick
from services.command import SYSTEM, Work, execute
from services.env import Env
from services.errors import Invalid
from services.invariants import violations
from services.watch import sweep
from tests import parts
from tests.parts_case import approve, cast, run_effects, start, values, void_root
from tests.world import Clock, World

_branches = table(Branch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(engine, clock)


def found(world: World) -> list[Any]:
    return list(violations(world.env.engine, local_day(world.env.clock())))


def at_once(*acts: Any) -> list[BaseException]:
    """Run functions in threads of their own; what they raised."""
    raised: list[BaseException] = []

    def run(act: Any) -> None:
        try:
            act()
        except Exception as error:
            raised.append(error)

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_a_script_that_failed_for_hours_still_loses_no_decision(world: World) -> None:
    start(world)
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    with world.env.engine.begin() as db:
        db.execute(update(_branches).values(failures=1000, error="ValueError"))
    parts.OUTSIDE.failing.add("district_member")
    assert world.answer("review", "agree", "inspection_head").blocked
    assert len(values(world, select(table(Decision).c.id))) == 3


@pytest.fixture
def on_postgresql(postgresql_engine: Engine, clock: Clock) -> Iterator[World]:
    yield from cast(postgresql_engine, clock)


def test_a_child_wakes_its_parent_without_waiting_for_its_lock(on_postgresql: World) -> None:
    """A foreign key takes a share of the row it points to: FOR UPDATE would be a deadlock."""
    start(on_postgresql)
    approve(on_postgresql)
    root, child = values(on_postgresql, select(_branches.c.id).order_by(_branches.c.id))[:2]
    both, woken, tries = Barrier(2), Event(), {"parent": 0, "child": 0}

    def parent(work: Work) -> dict[str, Any]:
        tries["parent"] += 1
        lock_branch(work, root)
        both.wait(5)
        woken.wait(2)
        lock_branch(work, child)
        return {}

    def end(work: Work) -> dict[str, Any]:
        tries["child"] += 1
        lock_branch(work, child)
        both.wait(5)
        wake(work, root)
        woken.set()
        return {}

    assert at_once(lambda: on_postgresql.do(parent), lambda: on_postgresql.do(end)) == []
    assert tries == {"parent": 1, "child": 1}


def test_two_first_entries_of_a_stream_follow_each_other(engine: Engine) -> None:
    env, meet = Env(engine, Clock(), mechanisms={}), Barrier(3)
    together = engine.dialect.name == "postgresql"  # SQLite lets one in at a time

    def note(key: str) -> None:
        def act(work: Work) -> dict[str, Any]:
            if together:
                meet.wait(5)
            work.audit("fresh", {"key": key})
            return {}

        execute(env, SYSTEM, "note", key, {}, act)

    assert at_once(*(lambda key=key: note(key) for key in ("a", "b", "c"))) == []
    with engine.connect() as db:
        entries = text("SELECT n FROM audit WHERE stream = 'fresh' ORDER BY n")
        assert list(db.execute(entries).scalars()) == [1, 2, 3]
    assert list(violations(engine, local_day(env.clock()))) == []


def test_an_audit_body_holds_no_floats(world: World) -> None:
    with pytest.raises(TypeError):
        world.do(lambda work: work.audit("fresh", {"list": [{"n": 1.5}]}))


@pytest.mark.parametrize("unkept", ["a\0b", "\ud800"])
def test_what_no_database_keeps_is_refused_as_such(world: World, unkept: str) -> None:
    start(world)
    for given in ({"reason": unkept}, {"payload": {"text": unkept}}):
        with pytest.raises(Invalid, match="无法保存的字符"):
            world.answer("draft", **given)
    with pytest.raises(Invalid, match="无法保存的字符"):
        world.answer("draft", payload=float("nan"))
    world.answer("draft", reason=r"C:\u0000")


def test_who_was_told_of_a_return_was_told(world: World) -> None:
    start(world)
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    world.answer("approve", RETURN, back_to="draft", reason="请再斟酌")
    assert found(world) == []


@pytest.mark.parametrize(
    "forged",
    ["answer = 'agree'", "back_to = 'draft'", "post_id = 1", "appointment_id = 1"],
)
def test_a_decision_that_was_changed_past_the_triggers_is_found(world: World, forged: str) -> None:
    start(world)
    world.answer("draft")
    world.answer("review", RETURN, "inspection_head", reason="完成标准不可检查")
    with world.env.engine.begin() as db:
        of = " ON decision" if db.dialect.name == "postgresql" else ""
        db.execute(text(f"DROP TRIGGER decision_update_refused{of}"))
        db.execute(text(f"UPDATE decision SET {forged} WHERE answer = 'return'"))
    said = [violation.what for violation in found(world)]
    basis = ["办理的依据不是这一职务的任职"] if "_id" in forged else []
    assert said == ["办理意见与审计记录不符", *basis]


def test_a_branch_that_only_a_superior_still_sees_is_found_stuck(
    world: World, clock: Clock
) -> None:
    case_id = start(world)
    approve(world)
    for _ in range(3):
        world.answer("do")
    clock.forward(days=40)
    sweep(world.env)
    drain(world.env)
    for _ in range(3):
        world.answer("confirm", "agree")
    while run_effects(world, case_id):
        pass
    with world.env.engine.begin() as db:
        db.execute(table(Wake).delete())
    assert unstick(world.env) == 1
    drain(world.env)
    assert ("sign", "secretary") in world.waiting()


def test_a_case_does_not_end_over_branches_that_were_kept_and_passed_by(world: World) -> None:
    scripts = {"": BranchScript(_passing), "_kept": BranchScript(_kept, "part")}
    made = {**world.env.mechanisms, ("passing", 1): Mechanism("passing", 1, "", (), scripts)}
    world.env = Env(world.env.engine, world.env.clock, mechanisms=made)
    case_id = start(world, "passing")
    world.answer("plan", "agree")
    drain(world.env)
    void_root(world, case_id, "plan")
    world.answer("plan", "skip", reason="改走简易程序")
    assert world.answer("end").blocked
    assert values(world, select(table(Case).c.state)) == [CaseState.OPEN]
    assert NotReached.__name__ in values(world, select(_branches.c.error))


def _kept(case: Casework) -> None:
    case.ask("do", of=parts.asks("deputy"), due="rectification.revise")


def _passing(case: Casework) -> None:
    plan = case.ask(
        "plan", of=parts.asks("clerk"), due="rectification.plan", answers=("agree", "skip")
    )
    if plan.is_("agree"):
        case.each("kept", _one, _kept, on_return="keep")
    case.ask("end", of=parts.asks("secretary"), due="rectification.sign")


def _one(here: Here) -> list[int]:
    return [1]
