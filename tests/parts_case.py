"""A case of ``tests.parts`` on a real database, and how tests move it along."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, text

from services.casework import claim_effect, drain, finish_effect, open_case, ready_effects
from services.casework.branch import lock_branch
from services.casework.log import load_log
from services.casework.opening import root_of
from services.casework.replay import advance
from services.casework.returning import void_to
from services.command import Work
from services.env import Env
from tests import parts
from tests.world import Clock, World, build

CASE = "试〔2026〕1号"


def cast(engine: Engine, clock: Clock) -> Iterator[World]:
    """The cast of ``tests.world`` with the test mechanism, for a fixture."""
    with engine.begin() as db:
        db.execute(text("CREATE TABLE published (branch_id INTEGER)"))
    parts.OUTSIDE.seen.clear()
    parts.OUTSIDE.failing.clear()
    made = build(Env(engine, clock, mechanisms=parts.EDITION))
    parts.OUTSIDE.posts = made.posts
    yield made
    parts.OUTSIDE.failing.clear()


def start(world: World, mechanism: str = parts.NAME, number: str = CASE) -> int:
    """Open a case for the town; its id."""
    town = world.organisations["town"]
    opened = world.do(
        lambda work: {
            "case": open_case(work, mechanism=mechanism, organisation_id=town, number=number)
        }
    )
    return int(str(opened["case"]))


def approve(world: World) -> None:
    """Up to the published plan."""
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    world.answer("approve", "agree")
    drain(world.env)


def run_effects(world: World, case_id: int) -> list[str]:
    """Run what is ready now, as the case's Prefect run does; the names of the effects."""
    done = []
    for ref in ready(world, case_id):
        call = claim_effect(world.env, ref.id)
        assert call is not None
        finish_effect(world.env, call.effect_id, call.run())
        done.append(ref.name)
    return done


def values(world: World, query: Any) -> list[Any]:
    """The first column of what a query finds."""
    with world.env.engine.connect() as db:
        return list(db.execute(query).scalars())


def ready(world: World, case_id: int) -> list[Any]:
    """The effects that may be run now."""
    with world.env.engine.connect() as db:
        return ready_effects(db, case_id)


def void_root(world: World, case_id: int, key: str) -> None:
    """What a person's return does while the branches are still running (a later act, 撤回)."""

    def act(work: Work) -> dict[str, Any]:
        branch = lock_branch(work, root_of(work.db, case_id))
        void_to(branch, load_log(work.db, branch.id), key, before=10**6)
        advance(branch)
        branch.save()
        return {}

    world.do(act)
