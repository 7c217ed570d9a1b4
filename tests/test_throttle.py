"""How often a log-in may be tried, over all web processes, and what it keeps of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from models.account import AccountEvent, LoginFailure
from models.base import table
from services.session import WrongLogin, sign_in
from services.throttle import (
    PER_ADDRESS,
    PER_LOGIN,
    PER_PAIR,
    PER_SITE,
    WINDOW,
    TooManyTries,
)
from tests.account_scene import begun
from tests.web_house import PASSWORD, give_accounts
from tests.world import Clock, World

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
_failures, _events = table(LoginFailure), table(AccountEvent)


@pytest.fixture
def world(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    made = begun(engine).world
    give_accounts(made)
    # hashing is not what is looked at here
    monkeypatch.setattr("services.session.matches", lambda given, kept: given == PASSWORD and kept)
    return made


def enter(world: World, login: str, address: str, password: str = PASSWORD) -> str:
    return sign_in(world.env, login=login, password=password, address=address)


def fail(world: World, login: str, address: str, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(WrongLogin):
            enter(world, login, address, "wrong")


def forward(world: World, by: timedelta) -> None:
    clock = world.env.clock
    assert isinstance(clock, Clock)
    clock.forward(seconds=by.total_seconds())


def rows(world: World) -> list[Any]:
    with world.env.engine.connect() as db:
        return list(db.execute(select(_failures)).all())


def test_failures_at_several_processes_count_together(world: World) -> None:
    other = replace(world.env)
    for n in range(PER_PAIR):
        env = (world.env, other)[n % 2]
        with pytest.raises(WrongLogin):
            sign_in(env, login="clerk", password="wrong", address=HERE)
    for env in (world.env, other):
        with pytest.raises(TooManyTries):
            sign_in(env, login="clerk", password=PASSWORD, address=HERE)
    assert enter(world, "clerk", ELSEWHERE)


def test_an_address_waits_after_so_many_failures_whatever_was_tried(world: World) -> None:
    for n in range(PER_ADDRESS):
        fail(world, f"another-{n}", HERE)
    for login in ("clerk", "a third"):
        with pytest.raises(TooManyTries):
            enter(world, login, HERE)
    assert enter(world, "clerk", ELSEWHERE)


def test_a_network_of_ipv6_is_one_address(world: World) -> None:
    for n in range(PER_PAIR):
        fail(world, "clerk", f"2001:db8:0:1::{n + 1}")
    with pytest.raises(TooManyTries):
        enter(world, "clerk", "2001:db8:0:1:ffff::9")
    assert enter(world, "clerk", "2001:db8:1:2::1")
    fail(world, "deputy", f"::ffff:{HERE}", PER_PAIR)
    with pytest.raises(TooManyTries):
        enter(world, "deputy", HERE)


def test_who_has_a_site_of_ipv6_is_one_stranger_and_fills_nobodys_limit(world: World) -> None:
    home = "2001:db8:0:ffff::1"
    assert enter(world, "clerk", home)
    for n in range(PER_PAIR):
        fail(world, "clerk", f"2001:db8:0:{n:x}::1")
    for n in range(PER_PAIR, PER_LOGIN):
        with pytest.raises(TooManyTries):
            enter(world, "clerk", f"2001:db8:0:{n:x}::1", "wrong")
    assert enter(world, "clerk", "2001:db8:1::1"), "elsewhere"
    assert enter(world, "clerk", home), "where they signed in before"
    assert enter(world, "deputy", "2001:db8:0:1::1"), "another log-in"


def test_a_site_of_ipv6_waits_after_many_failures_whatever_was_tried(world: World) -> None:
    for n in range(PER_SITE):
        fail(world, f"another-{n}", f"2001:db8:0:{n:x}::1")
    with pytest.raises(TooManyTries):
        enter(world, "clerk", "2001:db8:0:ffff::1")
    assert enter(world, "clerk", "2001:db8:1::1")


@pytest.mark.parametrize("made_up", ["unknown", "x" * 5000, "fe80::1::2", "%_"])
def test_what_is_no_address_counts_as_one_and_is_not_kept(world: World, made_up: str) -> None:
    fail(world, "clerk", made_up, PER_PAIR - 1)
    fail(world, "clerk", f"{made_up} otherwise")
    with pytest.raises(TooManyTries):
        enter(world, "clerk", "neither this")
    assert {row.address for row in rows(world)} == {""}
    assert enter(world, "clerk", HERE)


@pytest.mark.parametrize("address", [f"{HERE}0", "nowhere"])
def test_an_address_that_is_like_the_beginning_of_others_is_its_own(
    world: World, address: str
) -> None:
    fail(world, "clerk", address, PER_PAIR)
    assert enter(world, "clerk", HERE)
    fail(world, "deputy", HERE, PER_PAIR)
    assert enter(world, "deputy", address)


@pytest.mark.parametrize("known", [HERE, "2001:db8:0:1::5"])
def test_strangers_do_not_lock_somebody_out_where_they_signed_in_before(
    world: World, known: str
) -> None:
    assert enter(world, "clerk", known)
    for n in range(PER_LOGIN):
        fail(world, "clerk", f"203.0.113.{n}")
    with pytest.raises(TooManyTries):
        enter(world, "clerk", ELSEWHERE)
    assert enter(world, "clerk", known)
    fail(world, "clerk", known, PER_PAIR)
    with pytest.raises(TooManyTries):
        enter(world, "clerk", known)


def test_what_others_fail_behind_the_same_address_keeps_nobody_out_who_signed_in_there(
    world: World,
) -> None:
    """A whole office may have one address."""
    assert enter(world, "clerk", HERE)
    for n in range(PER_ADDRESS):
        fail(world, f"another-{n}", HERE)
    with pytest.raises(TooManyTries):
        enter(world, "deputy", HERE)
    assert enter(world, "clerk", HERE)
    fail(world, "clerk", HERE, PER_PAIR)
    with pytest.raises(TooManyTries):
        enter(world, "clerk", HERE)


def test_who_gets_in_begins_anew(world: World) -> None:
    for _ in range(3):
        fail(world, "clerk", HERE, PER_PAIR - 1)
        assert enter(world, "clerk", HERE)


def test_the_wait_is_told_once_for_an_address_and_a_window(world: World) -> None:
    def held() -> int:
        with world.env.engine.connect() as db:
            acts = db.execute(select(_events.c.act)).scalars()
            return [act.value for act in acts].count("held")

    for login in ("clerk", "deputy"):
        fail(world, login, HERE, PER_PAIR)
    for login in ("clerk", "deputy", "clerk"):
        with pytest.raises(TooManyTries):
            enter(world, login, HERE)
    assert held() == 1
    forward(world, WINDOW)
    fail(world, "clerk", HERE, PER_PAIR)
    with pytest.raises(TooManyTries):
        enter(world, "clerk", HERE)
    assert held() == 2


def test_what_is_over_is_deleted_and_nothing_typed_is_kept(world: World) -> None:
    fail(world, "typed by mistake", HERE, 3)
    assert len(rows(world)) == 3
    assert "typed" not in str(rows(world))
    forward(world, WINDOW)
    fail(world, "clerk", ELSEWHERE)
    assert [row.address for row in rows(world)] == [ELSEWHERE]


def test_who_must_wait_costs_no_write(world: World) -> None:
    fail(world, "clerk", HERE, PER_PAIR)
    with pytest.raises(TooManyTries):
        enter(world, "clerk", HERE)
    written: list[str] = []

    def note(_: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    event.listen(world.env.engine, "before_cursor_execute", note)
    with pytest.raises(TooManyTries):
        enter(world, "clerk", HERE)
    event.remove(world.env.engine, "before_cursor_execute", note)
    assert written == []
