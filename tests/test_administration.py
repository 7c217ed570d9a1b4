"""The three administrators: what each may do to accounts, and that none does another's work."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from models.account import AccountAct, AccountEvent, Administrator
from models.base import table
from policy.administration import PERMISSIONS, AdministratorRole, Permission
from policy.calendar import local_day
from services import account_care
from services.account_list import Accounts
from services.account_making import AlreadyShown, make_accounts, units_without
from services.account_record import Record
from services.administration import (
    Administration,
    HoldsPost,
    TwoRoles,
    administers,
    appoint_administrator,
    dismiss_administrator,
)
from services.command import SYSTEM, Actor
from services.env import Env
from services.errors import AlreadyDecided, NotAuthorised, NotFound
from services.session import WrongLogin
from tests.account_scene import (
    account_id,
    administrator,
    bare,
    begun,
    enter,
    hold,
    leave,
)
from tests.web_house import give_accounts
from tests.world import World

_events = table(AccountEvent)
SYSTEM_ROLE, SECURITY, AUDIT = AdministratorRole
ACTS: dict[Permission, Callable[[Env, Actor, World], Any]] = {
    Permission.MAKE_ACCOUNTS: lambda env, by, world: make_accounts(
        env, by, unit_id=world.organisations["town"], key=world.key()
    ),
    Permission.CLOSE_ACCOUNTS: lambda env, by, world: account_care.close_account(
        env, by, account_id=account_id(env, "clerk"), key=world.key()
    ),
    Permission.RESET_PASSWORDS: lambda env, by, world: account_care.reset_password(
        env, by, account_id=account_id(env, "clerk"), key=world.key()
    ),
    Permission.RECOVER_FACTORS: lambda env, by, world: account_care.recover_factor(
        env, by, account_id=account_id(env, "clerk"), key=world.key()
    ),
    Permission.END_SESSIONS: lambda env, by, world: account_care.end_all_sessions(
        env, by, account_id=account_id(env, "clerk"), key=world.key()
    ),
    Permission.READ_RECORD: lambda env, by, world: Record(administration(env, by)),
}
"""Every act of administration, tried on the clerk of the town."""


def administration(env: Env, by: Actor) -> Administration:
    """What somebody administers; NotFound as the pages say it."""
    with env.engine.connect() as db:
        found = administers(db, by.person_id, local_day(env.clock()))
    if found is None:
        raise NotFound
    return found


@pytest.fixture
def world(engine: Engine) -> World:
    made = begun(engine).world
    give_accounts(made)
    for role in AdministratorRole:
        administrator(made, role)
    return made


def test_no_act_belongs_to_two_roles_and_every_act_to_one() -> None:
    together = [act for acts in PERMISSIONS.values() for act in acts]
    assert sorted(together) == sorted(Permission)
    assert set(PERMISSIONS) == set(AdministratorRole)


def test_each_does_their_own_work_and_nobody_elses(world: World) -> None:
    for role in AdministratorRole:
        by = world.actor(role.value)
        for act, carry_out in ACTS.items():
            before = lines(world)
            try:
                carry_out(world.env, by, world)
                done = True
            except AlreadyDecided:
                done = True  # the clerk has no one-time codes to recover
            except NotFound:
                done = False
                assert lines(world) == before
            assert done == (act in PERMISSIONS[role]), (role, act)
            if act is Permission.CLOSE_ACCOUNTS and done:
                account_care.reopen_account(
                    world.env, by, account_id=account_id(world.env, "clerk"), key=world.key()
                )


@pytest.mark.parametrize("post", ["operator", "district_secretary", "clerk", "outsider"])
def test_who_holds_a_post_administers_nothing(world: World, post: str) -> None:
    """Not the 系统运维员 either, who keeps the system running."""
    for carry_out in ACTS.values():
        with pytest.raises(NotFound):
            carry_out(world.env, world.actor(post), world)


def lines(world: World) -> int:
    with world.env.engine.connect() as db:
        return db.execute(select(func.count()).select_from(_events)).scalar_one()


def test_an_account_elsewhere_is_not_there(world: World) -> None:
    administrator(world, SECURITY, "town")
    near, far = (account_id(world.env, login) for login in ("clerk", "outsider"))
    by = world.actor("town.security")
    with pytest.raises(NotFound):
        account_care.reset_password(world.env, by, account_id=far, key=world.key())
    assert account_care.reset_password(world.env, by, account_id=near, key=world.key()).password


def test_one_post_elsewhere_and_a_password_is_not_theirs_to_set(world: World) -> None:
    administrator(world, SECURITY, "town")
    hold(world, "outsider", "clerk")
    with pytest.raises(NotFound):
        account_care.reset_password(
            world.env,
            world.actor("town.security"),
            account_id=account_id(world.env, "clerk"),
            key=world.key(),
        )


def test_no_administrator_acts_on_another(world: World) -> None:
    by = world.actor("security")
    for login in ("system", "audit", "security"):
        with pytest.raises(NotFound):
            account_care.reset_password(
                world.env, by, account_id=account_id(world.env, login), key=world.key()
            )


def test_accounts_are_made_for_whoever_lacks_one_and_slips_are_shown_once(world: World) -> None:
    bare(world, "宣传委员", "town")
    bare(world, "组织委员", "town")
    by = world.actor("system")
    at = administration(world.env, by)
    with world.env.engine.connect() as db:
        assert [(unit.name, unit.people) for unit in units_without(db, at)] == [
            ("滨河区委", 2),
            ("梧桐路街道党工委", 2),
        ]
    town = world.organisations["town"]
    slips = make_accounts(world.env, by, unit_id=town, key="once")
    assert [slip.post for slip in slips] == ["梧桐路街道党工委宣传委员", "梧桐路街道党工委组织委员"]
    assert [slip.login for slip in slips] == [
        f"town.{world.people[name]}" for name in ("宣传委员", "组织委员")
    ]
    with pytest.raises(AlreadyShown):
        make_accounts(world.env, by, unit_id=town, key="once")
    assert make_accounts(world.env, by, unit_id=town, key="again") == []
    who = enter(world.env, slips[0].login, slips[0].password)
    assert who.owes == "password"


def test_a_reset_ends_sessions_and_the_old_password(world: World) -> None:
    clerk = enter(world.env, "clerk")
    of = {"account_id": clerk.account_id}
    slip = account_care.reset_password(world.env, world.actor("security"), **of, key="reset")
    with pytest.raises(AlreadyShown):
        account_care.reset_password(world.env, world.actor("security"), **of, key="reset")
    with pytest.raises(WrongLogin):
        enter(world.env, "clerk")
    assert enter(world.env, "clerk", slip.password).owes == "password"
    assert slip.post == "梧桐路街道党工委联络员"


def test_a_closed_account_lets_nobody_in_until_it_is_reopened(world: World) -> None:
    of: dict[str, Any] = {"account_id": account_id(world.env, "clerk")}
    account_care.close_account(world.env, world.actor("system"), **of, key=world.key())
    with pytest.raises(WrongLogin):
        enter(world.env, "clerk")
    with pytest.raises(AlreadyDecided):
        account_care.close_account(world.env, world.actor("system"), **of, key=world.key())
    account_care.reopen_account(world.env, world.actor("system"), **of, key=world.key())
    assert enter(world.env, "clerk").login == "clerk"


def test_an_administrator_who_gets_a_post_stops_administering_that_day(world: World) -> None:
    hold(world, "clerk", "security")
    who = enter(world.env, "security")
    assert who.role is None
    with pytest.raises(NotFound):
        administration(world.env, world.actor("security"))


def test_the_three_are_appointed_on_the_server_only_and_nobody_is_two(world: World) -> None:
    of: dict[str, Any] = {"role": SECURITY, "organisation": "district"}
    with pytest.raises(NotAuthorised):
        appoint_administrator(world.env, world.actor("system"), **of, key=world.key())
    with pytest.raises(HoldsPost):
        appoint_administrator(world.env, SYSTEM, **of, login="clerk", key=world.key())
    with pytest.raises(TwoRoles):
        appoint_administrator(world.env, SYSTEM, **of, login="audit", key=world.key())
    made = appoint_administrator(world.env, SYSTEM, **of, login="second", key=world.key())
    assert made == "second"
    dismiss_administrator(world.env, SYSTEM, login="second", key=world.key())
    of["role"] = AUDIT
    assert appoint_administrator(world.env, SYSTEM, **of, login="second", key=world.key())


def test_who_was_dismissed_is_out_at_once(world: World) -> None:
    enter(world.env, "audit")
    dismiss_administrator(world.env, SYSTEM, login="audit", key=world.key())
    with pytest.raises(WrongLogin):
        enter(world.env, "audit")
    with pytest.raises(NotFound):
        dismiss_administrator(world.env, SYSTEM, login="audit", key=world.key())


def test_the_list_is_searched_by_log_in_name_post_and_unit(world: World) -> None:
    leave(world, "deputy")
    at = administration(world.env, world.actor("system"))
    with world.env.engine.connect() as db:
        whole = Accounts(at)
        assert whole.count(db) == len(whole.lines(db)) == len(world.people)
        found = {
            text: [line.login for line in Accounts(at, text).lines(db)]
            for text in ("clerk", "联络员", "临江镇", "100%", "_")
        }
        states = {line.login: line.state for line in whole.lines(db)}
    assert set(found["clerk"]) == {login for login in world.people if "clerk" in login}
    assert "clerk" in found["联络员"]
    assert found["临江镇"] == ["outsider"]
    assert found["100%"] == []
    assert set(found["_"]) == {login for login in world.people if "_" in login}
    assert states["deputy"] == "left"
    assert states["clerk"] == "used"
    assert states["audit"] == "used"


def test_the_record_tells_who_did_what_to_whom_and_nothing_typed(world: World) -> None:
    for login, password in (("clerk", "a wrong pass word"), ("a pass word", "x" * 12)):
        with pytest.raises(WrongLogin):
            enter(world.env, login, password, address="10.1.2.3")
    account_care.reset_password(
        world.env,
        world.actor("security"),
        account_id=account_id(world.env, "clerk"),
        key=world.key(),
    )
    at = administration(world.env, world.actor("audit"))
    with world.env.engine.connect() as db:
        told = Record(at).lines(db)
        refused = Record(at, AccountAct.REFUSED, "10.1.2.3").lines(db)
        assert Record(at).count(db) == len(told)
    assert [(line.act.value, line.login, line.by) for line in told[:3]] == [
        ("password_reset", "clerk", "security"),
        ("refused", None, None),
        ("refused", "clerk", None),
    ]
    assert [line.login for line in refused] == [None, "clerk"]


def test_an_audit_administrator_reads_only_what_is_below_and_what_is_nobodys(world: World) -> None:
    administrator(world, AUDIT, "town")
    for login in ("outsider", "clerk", "nobody"):
        with pytest.raises(WrongLogin):
            enter(world.env, login, "wrong")
    at = administration(world.env, world.actor("town.audit"))
    with world.env.engine.connect() as db:
        assert [line.login for line in Record(at).lines(db)] == [None, "clerk"]


def test_a_person_has_one_open_role_whatever_the_code_forgets(world: World) -> None:
    again = {"person_id": world.people["audit"], "role": SECURITY}
    again |= {"organisation_id": world.organisations["district"]}
    rows = table(Administrator)
    with pytest.raises(Exception, match="(?i)unique"), world.env.engine.begin() as db:
        db.execute(rows.insert().values(again | {"begun_at": world.env.clock()}))


def test_a_session_ends_with_the_appointment_and_comes_back_with_the_next(world: World) -> None:
    from_before = enter(world.env, "deputy")
    assert from_before.owes == ""
    leave(world, "deputy")
    with pytest.raises(WrongLogin):
        enter(world.env, "deputy")
    hold(world, "clerk", "deputy")
    assert enter(world.env, "deputy").role is None
