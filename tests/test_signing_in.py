"""Who gets in and stays in: sessions, one-time codes, forced changes, and what a refusal tells."""

import json
import logging
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from models.account import Account, SecondFactor, Session
from models.base import metadata, table
from policy.administration import AdministratorRole
from services import password as passwords
from services.account_care import recover_factor, reset_password
from services.accounts import WrongPassword, change_password
from services.env import SignInRules
from services.errors import AlreadyDecided, DutiesError, Invalid, NotFound
from services.factor import (
    Entry,
    WrongOneTimeCode,
    begin_factor,
    confirm_factor,
    drop_factor,
    enrolment,
    in_use,
)
from services.one_time_code import NoKey, codes
from services.own_sessions import act_as, end_others, own_sessions
from services.session import FACTOR, NotSignedIn, SignedIn, WrongLogin, sign_in, signed_in
from services.session import PASSWORD as FIRST
from services.throttle import TooManyTries
from tests.account_scene import (
    administrator,
    begun,
    code_of,
    enter,
    hold,
    leave,
    with_rules,
)
from tests.web_house import PASSWORD, give_accounts
from tests.world import Clock, World

NEW = "seven quiet rivers"
HERE = "10.9.8.7"


@pytest.fixture
def world(engine: Engine) -> World:
    made = begun(engine).world
    give_accounts(made)
    return made


def token(world: World, login: str = "clerk", **given: Any) -> str:
    given = {"password": PASSWORD, "address": HERE, **given}
    return sign_in(world.env, login=login, **given)


def forward(world: World, **by: float) -> None:
    clock = world.env.clock
    assert isinstance(clock, Clock)
    clock.forward(**by)


def take_up(world: World, who: SignedIn) -> str:
    """One-time codes are in use from now on; the secret in base32."""
    begin_factor(world.env, who, key=world.key())
    with world.env.engine.connect() as db:
        shown = enrolment(world.env, db, who)
    assert shown is not None
    confirm_factor(world.env, who, entry(world, who))
    forward(world, seconds=60)
    return shown.secret


def entry(world: World, who: SignedIn, code: str = "") -> Entry:
    return Entry(code or code_of(world.env, who), HERE, world.key())


def test_a_session_ends_idle_after_half_an_hour_and_always_after_twelve(world: World) -> None:
    mine = token(world)
    for _ in range(24):
        forward(world, minutes=29)
        signed_in(world.env, mine)
    forward(world, minutes=24)
    assert signed_in(world.env, mine)
    forward(world, seconds=1)
    with pytest.raises(NotSignedIn):
        signed_in(world.env, mine)
    idle = token(world)
    forward(world, minutes=30, seconds=1)
    with pytest.raises(NotSignedIn):
        signed_in(world.env, idle)


@pytest.mark.parametrize("ended", ["left", "closed"])
def test_a_session_is_over_at_once_when_its_person_may_not_enter_any_more(
    world: World, ended: str
) -> None:
    mine = token(world)
    if ended == "left":
        leave(world, "clerk")
    else:
        shut = update(table(Account)).where(table(Account).c.login == "clerk")
        with world.env.engine.begin() as db:
            db.execute(shut.values(disabled=True))
    with pytest.raises(NotSignedIn):
        signed_in(world.env, mine)
    with pytest.raises(WrongLogin):
        token(world)


def test_a_leaver_comes_back_with_an_appointment_and_the_old_password(world: World) -> None:
    leave(world, "clerk")
    forward(world, days=40)
    hold(world, "deputy", "clerk")
    assert signed_in(world.env, token(world)).login == "clerk"


def test_every_log_in_is_a_new_session_and_no_token_is_kept(world: World) -> None:
    first, second = token(world), token(world)
    assert first != second
    with world.env.engine.connect() as db:
        kept = str(db.execute(select(table(Session))).all())
    assert first not in kept
    assert second not in kept


def test_a_person_sees_their_sessions_and_ends_the_others(world: World) -> None:
    other = token(world, browser="Edge, Windows")
    forward(world, minutes=2)
    who = signed_in(world.env, token(world, browser="Firefox, Linux"))
    token(world, "deputy")
    with world.env.engine.connect() as db:
        shown = own_sessions(db, who, world.env.clock())
    assert [(one.browser, one.address, one.here) for one in shown] == [
        ("Firefox, Linux", HERE, True),
        ("Edge, Windows", HERE, False),
    ]
    assert end_others(world.env, who, key=world.key()) == 1
    with pytest.raises(NotSignedIn):
        signed_in(world.env, other)
    assert enter(world.env, "deputy").owes == ""


def test_a_person_acts_as_a_post_they_hold_and_no_other(world: World) -> None:
    hold(world, "deputy", "clerk")
    mine = token(world)
    who = signed_in(world.env, mine)
    act_as(world.env, who, post_id=world.posts["deputy"], key=world.key())
    assert signed_in(world.env, mine).post_id == world.posts["deputy"]
    with pytest.raises(NotFound):
        act_as(world.env, who, post_id=world.posts["secretary"], key=world.key())


def test_whatever_was_wrong_the_answer_is_the_same_and_a_hash_was_computed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log-in that is not there costs what a wrong password costs."""
    leave(world, "deputy")
    take_up(world, enter(world.env, "secretary"))
    hashes: list[str] = []
    verify = passwords._hasher.verify

    def counted(given: str, kept: Any) -> bool:
        hashes.append(str(kept).rsplit("$", 2)[0])  # the method and its cost
        return verify(given, kept)

    monkeypatch.setattr(passwords._hasher, "verify", counted)
    tried = {
        "clerk": "wrong",
        "nobody": "wrong",
        "deputy": PASSWORD,  # left
        "secretary": PASSWORD,  # without the code
        "x" * 500: "y" * 100_000,
    }
    told = set()
    for login, given in tried.items():
        with pytest.raises(DutiesError) as error:
            token(world, login, password=given)
        told.add((error.value.code, error.value.message, error.value.status))
    assert len(told) == 1
    assert len(hashes) == len(tried)
    assert len(set(hashes)) == 1


def test_several_failures_are_waited_for_and_the_wait_is_told_of_once(world: World) -> None:
    given: dict[str, Any] = {"login": "clerk", "address": HERE}
    for _ in range(5):
        with pytest.raises(WrongLogin):
            sign_in(world.env, password="wrong", **given)
    for _ in range(3):
        with pytest.raises(TooManyTries, match="15 分钟"):
            sign_in(world.env, password=PASSWORD, **given)
    assert acts(world) == ["refused"] * 5 + ["held"]
    forward(world, minutes=15)
    assert sign_in(world.env, password=PASSWORD, **given)


def acts(world: World) -> list[str]:
    events = metadata.tables["account_event"]
    with world.env.engine.connect() as db:
        query = select(events.c.act).order_by(events.c.id)
        return [act.value for act in db.execute(query).scalars()]


def test_a_password_is_changed_by_the_old_one_and_ends_the_other_sessions(world: World) -> None:
    other, mine = token(world), token(world)
    who = signed_in(world.env, mine)
    given: dict[str, Any] = {"address": HERE}
    with pytest.raises(WrongPassword):
        change_password(world.env, who, old="wrong", new=NEW, **given)
    for weak in (
        "short",
        PASSWORD,
        "Password2026!",
        "联络员联络员联络员联络员",
        "clerk.clerk.clerk",
    ):
        with pytest.raises(Invalid):
            change_password(world.env, who, old=PASSWORD, new=weak, **given)
    change_password(world.env, who, old=PASSWORD, new=NEW, **given)
    assert signed_in(world.env, mine)
    with pytest.raises(NotSignedIn):
        signed_in(world.env, other)
    with pytest.raises(WrongLogin):
        token(world)
    assert token(world, password=NEW)


def test_the_old_password_is_not_guessed_at_from_within_either(world: World) -> None:
    who = enter(world.env, "clerk")
    for _ in range(5):
        with pytest.raises(WrongPassword):
            change_password(world.env, who, old="wrong", new=NEW, address=HERE)
    with pytest.raises(TooManyTries):
        change_password(world.env, who, old=PASSWORD, new=NEW, address=HERE)


def test_a_full_width_password_is_the_same_password(world: World) -> None:
    who = enter(world.env, "clerk")
    change_password(world.env, who, old=PASSWORD, new="ｓｅｖｅｎ quiet rivers", address="")
    assert token(world, password=NEW)


def test_a_password_grows_old_only_where_a_profile_says_so(world: World) -> None:
    who = enter(world.env, "clerk")
    change_password(world.env, who, old=PASSWORD, new=NEW, address=HERE)
    forward(world, days=400)
    assert enter(world.env, "clerk", NEW).owes == ""
    with_rules(world, password_days=90)
    assert enter(world.env, "clerk", NEW).owes == FIRST
    who = enter(world.env, "clerk", NEW)
    change_password(world.env, who, old=NEW, new="eight quiet rivers", address=HERE)
    forward(world, days=90)
    assert enter(world.env, "clerk", "eight quiet rivers").owes == ""
    forward(world, seconds=1)
    assert enter(world.env, "clerk", "eight quiet rivers").owes == FIRST


def test_a_code_is_asked_for_once_it_is_confirmed_and_each_is_taken_once(world: World) -> None:
    who = enter(world.env, "clerk")
    begin_factor(world.env, who, key=world.key())
    assert enter(world.env, "clerk"), "a secret that is not confirmed asks for nothing"
    with pytest.raises(WrongOneTimeCode):
        confirm_factor(world.env, who, entry(world, who, "000000"))
    confirm_factor(world.env, who, entry(world, who))
    used = code_of(world.env, who)
    for code in ("", "123456", used):
        with pytest.raises(WrongLogin):
            enter(world.env, "clerk", code=code)
    forward(world, seconds=30)
    code = code_of(world.env, who)
    assert enter(world.env, "clerk", code=f" {code[:3]} {code[3:]} ")
    with pytest.raises(WrongLogin):
        enter(world.env, "clerk", code=code)


def test_a_device_may_be_half_a_minute_off_and_no_more(world: World) -> None:
    who = enter(world.env, "clerk")
    take_up(world, who)
    forward(world, minutes=5)
    for seconds, taken in ((-60, False), (60, False), (30, True)):
        forward(world, seconds=seconds)
        shown = code_of(world.env, who)
        forward(world, seconds=-seconds)
        try:
            enter(world.env, "clerk", code=shown)
            assert taken, seconds
        except WrongLogin:
            assert not taken, seconds


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, the last six digits of its eight."""
    made = codes(b"12345678901234567890")
    times = {59: b"287082", 1111111109: b"081804", 20000000000: b"353130"}
    assert {at: made.generate(at) for at in times} == times


def test_codes_are_given_up_with_a_code_or_recovered_by_the_security_administrator(
    world: World,
) -> None:
    who = enter(world.env, "clerk")
    take_up(world, who)
    with pytest.raises(Invalid):
        begin_factor(world.env, who, key=world.key())
    with pytest.raises(WrongOneTimeCode):
        drop_factor(world.env, who, entry(world, who, "000000"))
    drop_factor(world.env, who, entry(world, who))
    with pytest.raises(NotFound):
        drop_factor(world.env, who, Entry("000000", HERE, world.key()))
    assert enter(world.env, "clerk")
    take_up(world, who)
    by = administrator(world, AdministratorRole.SECURITY)
    of: dict[str, Any] = {"account_id": who.account_id}
    recover_factor(world.env, world.actor(by), **of, key=world.key())
    with world.env.engine.connect() as db:
        assert not in_use(db, who)
    with pytest.raises(AlreadyDecided):
        recover_factor(world.env, world.actor(by), **of, key=world.key())
    assert enter(world.env, "clerk")


def test_a_wrong_code_counts_as_a_failed_log_in(world: World) -> None:
    who = enter(world.env, "clerk")
    begin_factor(world.env, who, key=world.key())
    for _ in range(5):
        with pytest.raises(WrongOneTimeCode):
            confirm_factor(world.env, who, entry(world, who, "000000"))
    with pytest.raises(TooManyTries):
        confirm_factor(world.env, who, entry(world, who))


def test_administrators_may_have_to_use_codes_before_anything_else(world: World) -> None:
    administrator(world, AdministratorRole.AUDIT)
    assert enter(world.env, "audit").owes == ""
    with_rules(world, administrators_need_codes=True)
    who = enter(world.env, "audit")
    assert who.owes == FACTOR
    assert enter(world.env, "clerk").owes == ""
    take_up(world, who)
    assert enter(world.env, "audit", code=code_of(world.env, who)).owes == ""


def test_a_secret_is_useless_without_the_installations_key(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    who = enter(world.env, "clerk")
    secret = take_up(world, who)
    with world.env.engine.connect() as db:
        kept = db.execute(select(table(SecondFactor).c.secret)).scalar_one()
    assert secret.replace(" ", "") not in kept
    for key in ("another key", ""):
        caplog.clear()
        with_rules(world, key=key)
        with pytest.raises(WrongLogin):  # as for a wrong password
            enter(world.env, "clerk", code="000000")
        assert "a one-time code cannot be checked" in caplog.text
    with pytest.raises(NoKey):
        begin_factor(world.env, enter(world.env, "deputy"), key=world.key())


def test_no_password_code_or_secret_is_kept_in_the_open(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """In no table – audit, command, record – and no log; nor in what errors say."""
    caplog.set_level(logging.DEBUG)
    who = enter(world.env, "clerk")
    secret = take_up(world, who)
    code = code_of(world.env, who)
    canaries = ["canary typed as a name", "canary typed as a password", PASSWORD, NEW, code]
    canaries += [secret, secret.replace(" ", "")]
    said = []
    for login, given in ((canaries[0], "x"), ("clerk", canaries[1])):
        with pytest.raises(WrongLogin) as error:
            token(world, login, password=given, code="000000")
        said.append(repr(error.value) + json.dumps(error.value.details))
    change_password(world.env, who, old=PASSWORD, new=NEW, address=HERE)
    mine = token(world, password=NEW, code=code)
    by = world.actor(administrator(world, AdministratorRole.SECURITY))
    slip = reset_password(world.env, by, account_id=who.account_id, key=world.key())
    canaries += [mine, slip.password]
    with world.env.engine.connect() as db:
        kept = [str(row) for t in metadata.sorted_tables for row in db.execute(select(t))]
    everything = "\n".join([*kept, caplog.text, *said, repr(world.env)])
    assert [canary for canary in canaries if canary in everything and canary != code] == []
    assert code not in "\n".join([caplog.text, *said])


def test_the_rules_of_an_installation_do_not_show_their_key() -> None:
    assert "hidden" not in repr(SignInRules(key="hidden"))
