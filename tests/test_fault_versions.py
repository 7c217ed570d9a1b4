"""Two versions side by side: the older one leaves what it does not know, and says so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update

from models.base import table
from models.casework import Case, CaseState, Effect, Wake
from policy.calendar import local_day
from services.casework import Casework, claim_effect, drain, finish_effect
from services.casework.branch import EditionMissing
from services.casework.mechanism import BranchScript, Mechanism
from services.command import Work
from services.database import open_engine
from services.env import Env
from services.invariants import violations
from services.migration import OtherSchema, downgrade, migrate, newest
from services.runs import carried_on_here, due_wakes
from services.watch import sweep
from tests import parts
from tests.founded import counts
from tests.parts_case import cast, ready, run_effects, start, values
from tests.rectification_cast import begin
from tests.telling import desk
from tests.web_house import House, open_house
from tests.world import Clock, World

_cases, _effects, _wakes = table(Case), table(Effect), table(Wake)


def one(case: Casework) -> None:
    case.ask("draft", of=parts.asks("clerk"), due="rectification.plan")
    case.do("notice", parts.parts_notice, on_return="keep")
    case.each("parts", lambda here: [1, 2], part, on_return="redo")


def two(case: Casework) -> None:
    """The second edition asks somebody else first."""
    case.ask("check", of=parts.asks("secretary"), due="rectification.sign")
    one(case)


def part(case: Casework) -> None:
    case.ask("do", of=parts.asks("deputy"), due="rectification.revise")


def edition(number: int, script: Callable[[Casework], None]) -> dict[tuple[str, int], Mechanism]:
    scripts = {"": BranchScript(script), "part": BranchScript(part, "part")}
    return {("own", number): Mechanism("own", number, "", (), scripts)}


FIRST, SECOND = edition(1, one), edition(2, two)


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    for made in cast(engine, Clock()):
        made.env = replace(made.env, mechanisms=FIRST | SECOND)
        yield made


@pytest.fixture
def older(world: World) -> Env:
    """The environment of a process that knows the first edition only."""
    return replace(world.env, mechanisms=FIRST)


def sound(world: World) -> bool:
    on = local_day(world.env.clock())
    return not list(violations(world.env.engine, on))


def with_env(world: World, env: Env) -> World:
    return replace(world, env=env)


def test_an_older_process_decides_nothing_in_a_case_of_a_newer_edition(
    world: World, older: Env
) -> None:
    start(world, "own")
    before = counts(world.env.engine)
    with pytest.raises(EditionMissing, match="流程版本不在当前程序中，本次未保存"):
        with_env(world, older).answer("check")
    assert counts(world.env.engine) == before
    world.answer("check")
    assert world.waiting() == [("draft", "clerk")]
    assert sound(world)


def test_an_older_drain_leaves_what_it_does_not_know_to_a_newer_one(
    world: World, older: Env
) -> None:
    start(world, "own", "new")
    world.answer("check")
    world.answer("draft")
    known = start(with_env(world, older), "own", "old")
    world.answer("draft")
    wakes = len(values(world, select(_wakes.c.id)))
    assert wakes == 4
    assert drain(older, limit=2) == 2  # its own case's branches, also when others came first
    assert drain(older) == 0
    left = select(_wakes.c.attempts)
    assert values(world, left) == [0, 0]
    assert drain(world.env) == 2
    assert sorted(key for key, _ in world.waiting()) == ["do"] * 4
    assert values(world, select(_cases.c.edition).where(_cases.c.id == known)) == [1]


def test_an_older_worker_takes_no_effect_and_no_wake_of_a_newer_case(
    world: World, older: Env
) -> None:
    case_id = start(world, "own")
    world.answer("check")
    world.answer("draft")
    (effect,) = ready(world, case_id)
    with world.env.engine.begin() as db:
        db.execute(update(_cases).values(run_id="of-prefect"))
    assert claim_effect(older, effect.id) is None
    assert due_wakes(older, 10) == []
    assert not carried_on_here(older, case_id)
    assert carried_on_here(world.env, case_id)
    assert [due.case_id for due in due_wakes(world.env, 10)] == [case_id]
    assert run_effects(world, case_id) == ["parts_notice"]


def test_a_late_result_of_an_older_worker_changes_nothing(world: World, older: Env) -> None:
    case_id = start(world, "own")
    world.answer("check")
    world.answer("draft")
    (effect,) = ready(world, case_id)
    call = claim_effect(world.env, effect.id)
    assert call is not None
    with pytest.raises(EditionMissing):
        finish_effect(older, effect.id, {"n": 1})
    finish_effect(world.env, effect.id, {"n": 2})
    assert values(world, select(_effects.c.result)) == [{"n": 2}]


def test_an_older_watch_raises_nothing_of_a_newer_case_and_the_newer_one_does(
    world: World, older: Env
) -> None:
    start(world, "own")
    assert isinstance(world.env.clock, Clock)
    world.env.clock.forward(days=40)
    assert sweep(older) == 0
    assert sweep(world.env) == 1
    while drain(world.env):
        pass
    assert sound(world)


def test_a_case_of_either_edition_ends_with_the_scripts_it_began_with(
    world: World, older: Env
) -> None:
    cases = [start(with_env(world, older), "own", "old"), start(world, "own", "new")]
    world.answer("check")
    while world.waiting():
        world.answer(world.waiting()[0][0])
        for case_id in cases:
            run_effects(world, case_id)
        drain(world.env)
        drain(older)
    drain(world.env)
    assert values(world, select(_cases.c.state)) == [CaseState.ENDED] * 2
    assert sound(world)


@pytest.fixture
def house(engine: Engine) -> House:
    return open_house(begin(engine, Clock()))


def set_schema(engine: Engine, to: str | None) -> None:
    with engine.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": to})


def test_a_running_process_writes_nothing_into_a_newer_schema_and_still_shows_pages(
    house: House,
) -> None:
    house.case.answer("assign-roles")
    clerk, slot = house.sign_in("clerk"), house.slot("draft-plan")
    engine = house.world.env.engine
    before = counts(engine)
    set_schema(engine, "9999")
    refused = clerk.post(f"/steps/{slot}", {"answer": "done", "key": "decide-once"})
    assert refused.status_code == 503
    assert "已由其他版本的程序升级，本次未保存" in refused.text
    assert clerk.get(f"/steps/{slot}").status_code == 200
    with pytest.raises(OtherSchema):
        house.world.answer("draft-plan")
    assert counts(engine) == before
    set_schema(engine, newest())
    done = clerk.post(f"/steps/{slot}", {"answer": "done", "key": "decide-once"})
    assert done.status_code == 303


def test_workers_take_nothing_from_a_newer_schema(world: World) -> None:
    case_id = start(world, "own")
    world.answer("check")
    world.answer("draft")
    (effect,) = ready(world, case_id)
    set_schema(world.env.engine, "9999")
    with pytest.raises(OtherSchema):
        claim_effect(world.env, effect.id)
    assert drain(world.env) == 0
    set_schema(world.env.engine, newest())
    assert drain(world.env) == 2
    assert run_effects(world, case_id) == ["parts_notice"]


def test_nothing_leaves_the_house_from_a_newer_schema(env: Env) -> None:
    at = desk(env)
    at.channel("clerk")
    at.tell("clerk")
    set_schema(env.engine, "9999")
    with pytest.raises(OtherSchema):
        at.deliver()
    assert at.twin.posted == []
    set_schema(env.engine, newest())
    assert at.deliver().sent == 1


def test_a_migration_waits_for_the_command_under_way_and_none_slips_in_after_it(
    world: World, database_url: str
) -> None:
    """The other version here is an older one: it takes the newest tables away."""
    begun, engine = Event(), open_engine(database_url)

    def change() -> None:
        begun.set()
        downgrade(engine, "0001")

    def act(work: Work) -> dict[str, Any]:
        other.start()
        begun.wait()
        other.join(0.3)
        assert other.is_alive()
        return {"epoch": work.db.execute(text("SELECT epoch FROM installation")).scalar_one()}

    other = Thread(target=change)
    assert world.do(act) == {"epoch": 1}
    other.join()
    with pytest.raises(OtherSchema):
        world.do(lambda work: {})
    migrate(engine)
    assert world.do(lambda work: {}) == {}
    engine.dispose()


def test_a_database_of_a_newer_version_is_not_migrated(engine: Engine) -> None:
    set_schema(engine, "9999")
    with pytest.raises(OtherSchema):
        migrate(engine)
