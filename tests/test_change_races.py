"""Two changes of people and units at once, on PostgreSQL: the second meets the whole first one.

The first is carried out up to its COMMIT and held there until the second is done, or waits for it.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as done
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text

from models.base import table
from models.casework import Slot, SlotState
from models.message import Message
from models.organisation import Appointment, Organisation, Post, PostKind
from services.appointing import Abolished, Held
from services.casework import decide
from services.casework.vacancies import find_vacancies
from services.command import SYSTEM
from services.errors import AlreadyDecided, DutiesError, NotFound
from services.merging import ending, merge_unit
from services.organisers import Changed, unit_of
from services.posting import TitleTaken, abolish_post, abolition, create_post
from services.reorganising import move_unit, moving
from services.scope import in_force
from services.substitution import make, revoke
from services.substitution_terms import Terms
from tests.parts_case import start, values
from tests.vacancy_scene import come, gone, holds, settle, today, town, vacant
from tests.world import Clock, World

_held, _organisations, _posts = table(Appointment), table(Organisation), table(Post)
_messages, _slots = table(Message), table(Slot)
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
Act = Callable[[], Any]


@pytest.fixture
def world(postgresql_engine: Engine) -> Iterator[World]:
    yield from town(postgresql_engine, Clock())


def meet(world: World, first: Act, second: Act) -> tuple[Any, Any]:
    """The second begins when the first is about to commit, which goes on when the second is done or
    waits. What each returned, or its refusal."""
    engine, here, come_ = world.env.engine, threading.local(), threading.Event()
    later: list[Future[Any]] = []

    def waits() -> bool:
        with engine.connect().execution_options(read_only=True) as db:
            return bool(db.execute(_WAITING).scalar_one())

    def hold(db: Any) -> None:
        if getattr(here, "first", False) and not later:
            later.append(pool.submit(tried, second))
            come_.set()
            while not done(later, timeout=0.02).done and not waits():
                pass

    def begin() -> Any:
        here.first = True
        return tried(first)

    event.listen(engine, "commit", hold)
    try:
        with ThreadPoolExecutor(2) as pool:
            result = pool.submit(begin).result(60)
            assert come_.is_set(), f"the first never came to its commit: {result}"
            return result, later[0].result(60)
    finally:
        event.remove(engine, "commit", hold)


def tried(act: Act) -> Any:
    try:
        return act()
    except DutiesError as error:
        return error


def move(world: World, unit: str, to: str) -> Act:
    """The unit is put under another one, as it is seen now."""
    of = {"unit_id": world.organisations[unit], "to": world.organisations[to]}
    with world.env.engine.connect() as db:
        seen = moving(db, None, unit_of(db, None, of["unit_id"]), of["to"], today(world))
    key = world.key()
    return lambda: move_unit(world.env, SYSTEM, **of, seen=seen.fingerprint, key=key)


def merge(world: World, unit: str, into: str, target: str) -> Act:
    """The unit is merged as it is seen now; whatever waits on the clerk goes to the target."""
    of: Any = {"unit_id": world.organisations[unit], "into": world.organisations[into]}
    of["targets"] = {world.posts["clerk"]: world.posts[target]}
    with world.env.engine.connect() as db:
        unit_ = unit_of(db, None, of["unit_id"])
        found = ending(db, None, unit_, of["into"], of["targets"], today(world))
    key = world.key()
    return lambda: merge_unit(world.env, SYSTEM, **of, seen=found.moves.fingerprint, key=key)


def abolish(world: World, post: str, successor: str) -> Act:
    of: Any = {"post_id": world.posts[post], "successor_id": world.posts[successor]}
    with world.env.engine.connect() as db:
        found = abolition(db, None, of["post_id"], of["successor_id"], today(world))
    key = world.key()
    return lambda: abolish_post(world.env, SYSTEM, **of, seen=found.moves.fingerprint, key=key)


def test_two_moves_close_no_ring(world: World) -> None:
    acts = move(world, "town", "other"), move(world, "other", "town")
    done_, refused = meet(world, *acts)
    assert done_ is None
    assert isinstance(refused, Changed | DutiesError)
    rows = select(_organisations.c.id, _organisations.c.parent_id, _organisations.c.path)
    with world.env.engine.connect() as db:
        found = {row.id: row for row in db.execute(rows)}
    for row in found.values():
        above = found[row.parent_id].path if row.parent_id else "/"
        assert row.path == f"{above}{row.id}/"
    holds(world)


def test_a_move_into_a_unit_that_is_merged_finds_it_gone(world: World) -> None:
    acts = merge(world, "town", "other", "outsider"), move(world, "discipline", "town")
    merged, refused = meet(world, *acts)
    assert merged == 0
    assert isinstance(refused, NotFound | Changed)
    below = _organisations.c.parent_id == world.organisations["town"]
    assert values(world, select(_organisations.c.id).where(below)) == []


def test_two_appointments_to_one_post_are_one(world: World) -> None:
    gone(world, "clerk")
    first, second = meet(
        world, lambda: come(world, "clerk", "甲"), lambda: come(world, "clerk", "乙")
    )
    assert isinstance(first, int)
    assert isinstance(second, Held)
    mine = _held.c.post_id == world.posts["clerk"], in_force(_held.c, today(world))
    assert values(world, select(_held.c.id).where(*mine)) == [first]


@pytest.mark.parametrize("comes_first", [True, False])
def test_nobody_comes_to_hold_an_abolished_post(world: World, comes_first: bool) -> None:
    gone(world, "clerk")
    start(world)
    acts = [lambda: come(world, "clerk", "甲"), abolish(world, "clerk", "deputy")]
    first, second = meet(world, *(acts if comes_first else acts[::-1]))
    assert not isinstance(first, DutiesError)
    assert isinstance(second, Changed if comes_first else (NotFound, Abolished))
    settle(world)
    abolished = select(_posts.c.id).where(_posts.c.successor_id.is_not(None))
    lost = _held.c.post_id.in_(abolished), in_force(_held.c, today(world))
    assert values(world, select(_held.c.id).where(*lost)) == []
    assert world.waiting() == [("draft", "clerk" if comes_first else "deputy")]
    holds(world)


@pytest.mark.parametrize("merged_first", [True, False])
def test_a_decision_beside_a_merger_is_whole_and_what_follows_has_a_post(
    world: World, merged_first: bool
) -> None:
    start(world)
    [(slot, _, _)] = world.open_slots()
    actor, merger = world.actor("clerk"), merge(world, "town", "other", "outsider")

    def decides() -> Any:
        return decide(world.env, actor, slot_id=slot, answer="done", key="decides")

    results = meet(world, merger, decides) if merged_first else meet(world, decides, merger)
    refused = [one for one in results if isinstance(one, DutiesError)]
    assert all(isinstance(one, Changed | AlreadyDecided | NotFound) for one in refused), refused
    assert len(refused) <= 1
    settle(world)
    dead = select(_posts.c.id).where(_posts.c.successor_id.is_not(None))
    lost = _slots.c.state == SlotState.OPEN, _slots.c.post_id.in_(dead)
    assert values(world, select(_slots.c.id).where(*lost)) == []
    assert world.waiting(), "somebody is asked to go on"
    holds(world)


@pytest.mark.parametrize("left_first", [True, False])
def test_who_leaves_while_a_step_comes_to_their_post_leaves_a_vacancy(
    world: World, left_first: bool
) -> None:
    """Neither sees the other: the next look of the watch finds it, not the next day's."""
    start(world)
    find_vacancies(world.env)
    [(slot, _, _)] = world.open_slots()
    actor = world.actor("clerk")

    def decides() -> Any:
        return decide(world.env, actor, slot_id=slot, answer="done", key="decides")

    def leaves() -> Any:
        return gone(world, "discipline_secretary")

    results = meet(world, leaves, decides) if left_first else meet(world, decides, leaves)
    assert not [one for one in results if isinstance(one, DutiesError)]
    find_vacancies(world.env)
    settle(world)
    assert vacant(world) == ["discipline_secretary"]
    assert find_vacancies(world.env) == 0
    holds(world)


def test_two_posts_of_one_title_are_one(world: World) -> None:
    of: Any = {"unit_id": world.organisations["personnel"], "kind": PostKind.MEMBER, "rank": 3}

    def makes(key: str) -> Act:
        return lambda: create_post(world.env, SYSTEM, title="副部长", key=key, **of)

    first, second = meet(world, makes("a"), makes("b"))
    assert isinstance(first, int)
    assert isinstance(second, TitleTaken)


def test_who_only_points_to_a_substitution_does_not_wait_for_its_end(world: World) -> None:
    on = today(world)
    terms = Terms(world.posts["clerk"], world.posts["deputy"], on, on)
    made = make(world.env, world.actor("clerk"), terms=terms, reason="公差", key="make")
    pointing = text(f"SELECT id FROM substitution WHERE id = {made} FOR KEY SHARE NOWAIT")

    def points() -> int:
        with world.env.engine.connect() as db:
            return int(db.execute(pointing).scalar_one())

    def ends() -> None:
        revoke(world.env, world.actor("clerk"), substitution_id=made, key="end")

    assert meet(world, ends, points) == (None, made)


@pytest.mark.parametrize("told_first", [True, False])
def test_what_a_substitute_is_told_goes_with_the_substitution(
    world: World, told_first: bool
) -> None:
    on, deputy = today(world), world.people["deputy"]
    terms = Terms(world.posts["clerk"], world.posts["deputy"], on, on)
    made = make(world.env, world.actor("clerk"), terms=terms, reason="公差", key="make")
    start(world)
    world.answer("draft")
    slot = next(slot for slot, _, post in world.open_slots() if post == "discipline_secretary")
    of: Any = {"slot_id": slot, "answer": "return", "reason": "补充依据", "key": "back"}

    def tells() -> Any:
        """The clerk, and whoever stands in for them, is asked anew."""
        return decide(world.env, world.actor("discipline_secretary"), **of)

    def ends() -> None:
        revoke(world.env, world.actor("clerk"), substitution_id=made, key="end")

    results = meet(world, tells, ends) if told_first else meet(world, ends, tells)
    assert not [one for one in results if isinstance(one, DutiesError)], results
    asked = _messages.c.person_id == deputy, _messages.c.template.in_(("opened", "returned"))
    live = select(_messages.c.id).where(*asked, _messages.c.withdrawn_at.is_(None))
    assert values(world, live) == []
    assert "clerk" in {post for _, post in world.waiting()}
    holds(world)
