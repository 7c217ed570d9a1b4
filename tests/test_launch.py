"""Cases opened for many organisations by one command: one for each, whatever is killed (rule H)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Row, event, func, select

from flows.rectification import rectification
from models.audit import Audit
from models.base import table
from models.casework import Case, Step
from models.message import Message
from models.operating import Launch, LaunchTarget
from policy.calendar import local_day
from services.casework import Drain, mechanisms
from services.casework.launching import open_due
from services.command import SYSTEM, Actor
from services.editions import MissingEdition, missing_editions
from services.env import Env
from services.errors import Invalid, KeyReused, NotAuthorised
from services.inbox import Inbox
from services.invariants import violations
from services.launch import (
    OpenedWithMaterial,
    Progress,
    launch,
    launch_progress,
)
from services.launch_preview import preview
from services.scope import standing
from tests import two_step
from tests.conftest import SettableClock
from tests.many_towns import many_towns
from tests.prefect_house import until
from tests.world import World, build

TOWNS = 7
_cases, _launches, _targets = table(Case), table(Launch), table(LaunchTarget)
_audits, _messages, _steps = table(Audit), table(Message), table(Step)


@pytest.fixture(name="cast")
def _cast(env: Env) -> World:
    return build(replace(env, mechanisms=mechanisms()))


@pytest.fixture(name="towns")
def _towns(cast: World) -> list[int]:
    return many_towns(cast, TOWNS)


def begin(cast: World, towns: list[int], key: str = "launch", **given: Any) -> int:
    return launch(cast.env, SYSTEM, key=key, mechanism=two_step.NAME, organisations=towns, **given)


def open_all(env: Env) -> None:
    while open_due(env, 3):
        pass


def progress(cast: World, launch_id: int) -> Progress:
    return launch_progress(cast.env, launch_id)[0]


def rows(cast: World, query: Any) -> list[Row[Any]]:
    with cast.env.engine.connect() as db:
        return list(db.execute(query))


def opened_for(cast: World, launch_id: int) -> list[int]:
    """The organisations of all cases that this launch made, by the cases' ids."""
    query = (
        select(_cases.c.organisation_id)
        .join(_targets, _targets.c.case_id == _cases.c.id)
        .where(_targets.c.launch_id == launch_id)
        .order_by(_cases.c.id)
    )
    return [row.organisation_id for row in rows(cast, query)]


def test_each_organisation_gets_one_case_whose_first_step_is_in_its_holders_inbox(
    cast: World, towns: list[int]
) -> None:
    launch_id = begin(cast, towns)
    assert progress(cast, launch_id).opened == 0
    open_all(cast.env)
    assert opened_for(cast, launch_id) == towns
    assert len(rows(cast, select(_cases.c.id))) == TOWNS
    found = progress(cast, launch_id)
    assert (found.cases, found.opened, found.parked, found.done) == (TOWNS, TOWNS, 0, True)
    assert launch_progress(cast.env) == []
    assert inboxes(cast) == {town: ["draft"] for town in towns}
    assert list(violations(cast.env.engine, local_day(cast.env.clock()))) == []


def inboxes(cast: World) -> dict[int, list[str]]:
    """What waits on the holders of each town's clerk post, by the steps' keys."""
    query = (
        select(_cases.c.organisation_id, _steps.c.key, table(Message).c.person_id)
        .join(_steps, _steps.c.case_id == _cases.c.id)
        .join(_messages, _messages.c.step_id == _steps.c.id)
    )
    found: dict[int, list[str]] = {}
    with cast.env.engine.connect() as db:
        now = cast.env.clock()
        for row in db.execute(query).all():
            who = standing(db, row.person_id, local_day(now))
            items = Inbox(who).items(db, now)
            assert [item.unit for item in items] == [who.posts[0].organisation]
            found[row.organisation_id] = [row.key for _ in items]
    return found


def test_urgent_ones_are_opened_first_and_stay_urgent(cast: World, towns: list[int]) -> None:
    first = [towns[5], towns[2]]
    launch_id = begin(cast, towns, urgent=first)
    open_due(cast.env, 3)
    assert opened_for(cast, launch_id) == [towns[2], towns[5], towns[0]]
    urgent = rows(cast, select(_cases.c.organisation_id).where(_cases.c.urgent))
    assert {row.organisation_id for row in urgent} == set(first)


def test_nothing_is_opened_before_its_time_and_everything_at_it(
    cast: World, towns: list[int], clock: SettableClock
) -> None:
    due = clock.now + timedelta(days=36)
    launch_id = begin(cast, towns, due_at=due)
    clock.set(due - timedelta(microseconds=1))
    assert open_due(cast.env) == 0
    assert [one.id for one in launch_progress(cast.env)] == [launch_id]
    clock.set(due)
    assert open_due(cast.env, TOWNS) == TOWNS


def test_what_nobody_could_open_at_its_time_is_opened_later(
    cast: World, towns: list[int], clock: SettableClock
) -> None:
    begin(cast, towns, due_at=clock.now + timedelta(hours=1))
    clock.forward(timedelta(days=40))
    assert open_due(cast.env, TOWNS) == TOWNS


def test_the_same_request_is_the_same_launch_and_another_one_is_refused(
    cast: World, towns: list[int]
) -> None:
    first = begin(cast, towns)
    open_due(cast.env, 2)
    assert begin(cast, list(reversed(towns))) == first
    with pytest.raises(KeyReused):
        begin(cast, towns[1:])
    open_all(cast.env)
    assert len(rows(cast, select(_cases.c.id))) == TOWNS


def test_who_is_to_get_one_is_audited_with_the_command_and_the_end_too(
    cast: World, towns: list[int]
) -> None:
    launch_id = begin(cast, towns, urgent=towns[:1])
    open_all(cast.env)
    query = select(_audits.c.body).where(_audits.c.stream == "launch").order_by(_audits.c.n)
    said = [row.body for row in rows(cast, query)]
    assert len(said) == 2
    assert f'"organisations":[{",".join(map(str, towns))}]' in said[0]
    assert f'"urgent":[{towns[0]}]' in said[0]
    assert (
        f'"act":"launch_done","at":"2026-11-30T01:00:00+00:00","by":null,"cases":{TOWNS}'
        in (said[1])
    )
    assert f'"launch":{launch_id}' in said[0]


@pytest.mark.parametrize(
    ("mechanism", "wanted", "error"),
    [
        (rectification.__name__, [1], OpenedWithMaterial),
        ("nonsense", [1], Invalid),
        (two_step.NAME, [], Invalid),
        (two_step.NAME, [1, 99_999], Invalid),
    ],
)
def test_what_cannot_be_launched_is_refused_and_nothing_is_kept(
    cast: World, mechanism: str, wanted: list[int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        launch(cast.env, SYSTEM, key="no", mechanism=mechanism, organisations=wanted)
    assert rows(cast, select(_launches.c.id)) == []


@pytest.mark.parametrize("post", ["secretary", "district_secretary", "operator", "outsider"])
def test_nobodys_post_is_enough_to_launch(cast: World, towns: list[int], post: str) -> None:
    with pytest.raises(NotAuthorised):
        launch(
            cast.env,
            Actor(cast.people[post]),
            key="no",
            mechanism=two_step.NAME,
            organisations=towns,
        )
    with pytest.raises(NotAuthorised):
        preview(cast.env, Actor(cast.people[post]), two_step.NAME, towns)


def test_one_that_cannot_be_opened_is_parked_and_the_others_go_on(
    cast: World, towns: list[int], clock: SettableClock
) -> None:
    env = replace(cast.env, operator=cast.people["operator"])
    launch_id = begin(cast, towns)
    pauses, last = [], clock.now
    with poisoned(env.engine, towns[2]) as tries:
        open_all(env)
        assert opened_for(cast, launch_id) == [town for town in towns if town != towns[2]]
        for _ in range(200):
            clock.forward(timedelta(seconds=5))
            before = len(tries)
            open_due(env)
            if len(tries) > before:
                pauses.append(clock.now - last)
                last = clock.now
    found = progress(cast, launch_id)
    assert (found.opened, found.parked, found.done) == (TOWNS - 1, 1, False)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=5)
    told = rows(cast, select(_messages.c.person_id).where(_messages.c.template == "operator"))
    assert [row.person_id for row in told] == [cast.people["operator"]]
    kept = rows(cast, select(_targets.c.error).where(_targets.c.organisation_id == towns[2]))
    assert kept[0].error == "RuntimeError"
    clock.forward(timedelta(minutes=5))
    assert open_due(env) == 1
    assert progress(cast, launch_id).done


@contextmanager
def poisoned(engine: Engine, organisation_id: int) -> Iterator[list[int]]:
    """Every try to write a case of this organisation fails; what was tried."""
    tries: list[int] = []

    def refuse(db: Any, cursor: Any, statement: str, given: Any, *rest: Any) -> None:
        if statement.startswith('INSERT INTO "case"') and organisation_id in values(given):
            tries.append(organisation_id)
            raise RuntimeError("张三")

    event.listen(engine, "before_cursor_execute", refuse)
    yield tries
    event.remove(engine, "before_cursor_execute", refuse)


def values(given: Any) -> list[Any]:
    return list(given.values() if isinstance(given, dict) else given)


def test_a_script_that_fails_at_its_first_step_leaves_a_blocked_case_and_holds_up_nobody(
    cast: World, towns: list[int]
) -> None:
    without_clerk = cast.organisations["discipline"]
    launch_id = begin(cast, [without_clerk, *towns])
    open_all(cast.env)
    assert progress(cast, launch_id).done
    assert sorted(opened_for(cast, launch_id)) == sorted([without_clerk, *towns])
    assert len(rows(cast, select(_steps.c.id))) == TOWNS


def test_an_edition_that_came_meanwhile_does_not_change_what_was_launched(
    cast: World, towns: list[int]
) -> None:
    begin(cast, towns)
    newer = replace(cast.env.mechanisms[two_step.NAME, 1], edition=2)
    env = replace(cast.env, mechanisms={**cast.env.mechanisms, (two_step.NAME, 2): newer})
    open_all(env)
    assert {row.edition for row in rows(cast, select(_cases.c.edition))} == {1}


def test_an_edition_that_a_launch_still_needs_is_missed_like_that_of_an_open_case(
    cast: World, towns: list[int]
) -> None:
    begin(cast, towns)
    open_due(cast.env, 2)
    with cast.env.engine.connect() as db:
        assert missing_editions(db, []) == [MissingEdition(two_step.NAME, 1, TOWNS)]


def test_what_a_newer_version_launched_is_left_to_it(cast: World, towns: list[int]) -> None:
    begin(cast, towns)
    others = {key: made for key, made in mechanisms().items() if key[0] != two_step.NAME}
    older, oldest = replace(cast.env, mechanisms=others), replace(cast.env, mechanisms={})
    assert (open_due(older), open_due(oldest)) == (0, 0)
    assert launch_progress(cast.env)[0].parked == 0
    assert open_due(cast.env, TOWNS) == TOWNS


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(engine: Engine, commit: int, *, after: bool) -> Iterator[None]:
    """Dies at its n-th commit: before it is carried out, or when it was and nobody was told."""
    dialect: Any = engine.dialect
    usual: Callable[[Any], None] = dialect.do_commit
    left = [commit]

    def fatal(connection: Any) -> None:
        left[0] -= 1
        if left[0]:
            usual(connection)
            return
        if after:
            usual(connection)
        raise Killed

    dialect.do_commit = fatal
    try:
        with suppress(Killed):
            yield
    finally:
        dialect.do_commit = usual


kills = st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=kills, urgent=st.sets(st.integers(0, TOWNS - 1)))
def test_killed_anywhere_and_started_again_each_gets_exactly_one_case(
    cast: World, towns: list[int], kills: list[tuple[int, bool]], urgent: set[int]
) -> None:
    key, before = cast.key(), count(cast, _cases)
    first = [towns[number] for number in urgent]
    for commit, after in [*kills, (99, False)]:
        with killed_at(cast.env.engine, commit, after=after):
            launch_id = begin(cast, towns, key, urgent=first)
            open_all(cast.env)
    assert sorted(opened_for(cast, launch_id)) == towns
    assert count(cast, _cases) == before + TOWNS
    assert progress(cast, launch_id).done
    ends = select(_audits.c.id).where(_audits.c.body.contains(f'"launch":{launch_id},'))
    assert len(rows(cast, ends)) == 2


def count(cast: World, of: Any) -> int:
    return int(rows(cast, select(func.count()).select_from(of))[0][0])


def test_several_processes_at_once_open_each_once(cast: World) -> None:
    towns = many_towns(cast, 60)
    launch_id = begin(cast, towns)
    together = threading.Barrier(4)
    opened: list[int] = []

    def work() -> None:
        together.wait()
        for _ in range(60):
            opened.append(open_due(cast.env, 10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(opened) == 60
    assert sorted(opened_for(cast, launch_id)) == towns
    assert progress(cast, launch_id).done


def done(cast: World, launch_id: int) -> bool:
    return progress(cast, launch_id).done


def test_the_drain_of_any_process_opens_what_is_due(cast: World, towns: list[int]) -> None:
    drain = Drain(cast.env, seconds=3600)
    nudged = replace(cast, env=replace(cast.env, nudge=drain.nudge))
    drain.start()
    for some in (towns[:3], towns[3:]):
        launch_id = begin(nudged, some, key=cast.key())
        until(partial(done, cast, launch_id))
    drain.stop()
