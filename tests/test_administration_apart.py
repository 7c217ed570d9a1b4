"""Who sees and touches whose account when posts, substitutions and administrations change."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from models.account import Account
from models.base import table
from models.organisation import Appointment
from models.substitution import Substitution
from policy.administration import AdministratorRole
from services import account_care, account_making, account_record
from services.account_making import Slip, make_accounts, units_without
from services.account_record import Record
from services.administration import dismiss_administrator
from services.command import SYSTEM
from services.errors import NotFound
from tests.account_scene import account_id, administrator, bare, begun, enter, hold, leave
from tests.test_administration import administration
from tests.web_house import give_accounts
from tests.world import World

_accounts = table(Account)


@pytest.fixture
def world(engine: Engine) -> World:
    made = begun(engine).world
    give_accounts(made)
    for role in AdministratorRole:
        administrator(made, role)
    return made


def test_what_a_dismissed_administrator_did_stays_in_the_record(world: World) -> None:
    enter(world.env, "system")
    dismiss_administrator(world.env, SYSTEM, login="system", key=world.key())
    at = administration(world.env, world.actor("audit"))
    with world.env.engine.connect() as db:
        told = [line.act.value for line in Record(at, search="system").lines(db)]
    assert told == ["dismissed", "signed_in"]


@pytest.mark.parametrize("how", ["coming", "stands in"])
def test_who_is_to_have_a_post_elsewhere_is_not_theirs_to_reset(world: World, how: str) -> None:
    administrator(world, AdministratorRole.SECURITY, "town")
    today = world.env.clock().date()
    week = today + timedelta(days=7)
    clerk, other = world.people["clerk"], world.posts["outsider"]
    coming = {"post_id": other, "person_id": clerk, "starts_on": week}
    instead = {"post_id": other, "person_id": world.people["outsider"], "starts_on": today}
    instead |= {"substitute_post_id": world.posts["clerk"], "substitute_id": clerk}
    instead |= {"every_mechanism": True, "ends_on": week, "reason": "出差", "made_as": other}
    instead |= {"made_by": world.people["outsider"], "made_at": world.env.clock()}
    row = (Appointment, coming) if how == "coming" else (Substitution, instead)
    with world.env.engine.begin() as db:
        db.execute(insert(table(row[0])).values(row[1]))
    mine = {"account_id": account_id(world.env, "clerk")}
    with pytest.raises(NotFound):
        account_care.reset_password(
            world.env, world.actor("town.security"), **mine, key=world.key()
        )
    assert account_care.reset_password(
        world.env, world.actor("security"), **mine, key=world.key()
    ).password


def test_somebody_with_two_posts_lacks_one_account(world: World) -> None:
    bare(world, "宣传委员", "town")
    hold(world, "outsider", "宣传委员")
    with world.env.engine.connect() as db:
        found = units_without(db, administration(world.env, world.actor("system")))
    assert [(unit.name, unit.people) for unit in found if unit.name == "滨河区委"] == [
        ("滨河区委", 1)
    ]


def test_who_may_not_reset_costs_no_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes: list[str] = []

    def hash_it(given: str) -> str:
        hashes.append(given)
        return given

    monkeypatch.setattr(account_care, "hashed", hash_it)
    for by, of in (("clerk", account_id(world.env, "deputy")), ("security", 10**9)):
        with pytest.raises(NotFound):
            account_care.reset_password(world.env, world.actor(by), account_id=of, key=world.key())
    assert hashes == []


def test_of_two_makings_at_once_one_gives_the_first_password(postgresql_engine: Engine) -> None:
    made = begun(postgresql_engine).world
    bare(made, "宣传委员", "town")
    line = threading.Barrier(2)

    def make(n: int) -> list[Slip]:
        line.wait(60)
        return make_accounts(made.env, SYSTEM, unit_id=made.organisations["town"], key=f"{n}")

    with ThreadPoolExecutor(2) as pool:
        slips = [slip for found in pool.map(make, range(2)) for slip in found]
    mine = [slip for slip in slips if slip.post.endswith("宣传委员")]
    assert len(mine) == 1
    with made.env.engine.connect() as db:
        of = select(_accounts.c.id).where(_accounts.c.person_id == made.people["宣传委员"])
        assert db.execute(of).scalars().all() == [mine[0].account_id]
    assert enter(made.env, mine[0].login, mine[0].password).owes == "password"


def test_a_person_has_one_account_and_the_database_says_so(world: World) -> None:
    second = {"login": "another", "person_id": world.people["clerk"], "disabled": False}
    with pytest.raises(IntegrityError), world.env.engine.begin() as db:
        db.execute(insert(_accounts).values(second))


def test_an_account_that_others_made_meanwhile_is_no_second_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the turns that makings take did not hold."""
    bare(world, "宣传委员", "town")
    bare(world, "统战委员", "town")
    monkeypatch.setattr(account_making, "_take_turns", lambda db, people: None)
    seen = account_making._people_lacking

    def late(db: Connection, *given: Any) -> Any:
        found = seen(db, *given)
        if asked:
            other = {"login": "quicker", "person_id": world.people["宣传委员"], "disabled": False}
            db.execute(insert(_accounts).values(other))
        asked.append(True)
        return found

    asked: list[bool] = []
    monkeypatch.setattr(account_making, "_people_lacking", late)
    unit = world.organisations["town"]
    slips = make_accounts(world.env, SYSTEM, unit_id=unit, key=world.key())
    assert [slip.post[-4:] for slip in slips] == ["统战委员"]


def test_what_somebody_did_before_they_moved_stays_to_be_read_where_it_was(world: World) -> None:
    administrator(world, AdministratorRole.AUDIT, "town")
    enter(world.env, "clerk")
    world.env.clock.forward(days=2)  # type: ignore[attr-defined]
    leave(world, "clerk")
    hold(world, "outsider", "clerk")
    enter(world.env, "clerk")
    at = administration(world.env, world.actor("town.audit"))
    above = administration(world.env, world.actor("audit"))
    with world.env.engine.connect() as db:
        there = [line.act.value for line in Record(at, search="clerk").lines(db)]
        whole = Record(above, search="clerk").count(db)
    assert there == ["signed_in"]
    assert whole == 2


def test_a_long_record_is_counted_no_further_than_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_record, "COUNTED", 2)
    at = administration(world.env, world.actor("audit"))
    counts = []
    for _ in range(4):
        enter(world.env, "clerk")
        with world.env.engine.connect() as db:
            counts.append(Record(at).count(db))
    assert counts == [1, 2, 3, 3]
