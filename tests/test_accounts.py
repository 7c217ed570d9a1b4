"""Accounts are made with their persons; a password comes from the system or an administrator."""

import pytest
from sqlalchemy import Engine, func, select

from deployments.demo import TOWN, demo_logins, give, set_up_demo
from deployments.demo.set_up import LOGINS
from models.account import Account
from models.base import metadata, table
from services.accounts import set_passwords
from services.command import SYSTEM
from services.env import Clock, Env
from services.errors import NotAuthorised, NotFound
from services.session import NotSignedIn, WrongLogin, sign_in, signed_in
from tests.founded import HEADER, ON, load, person_of

_accounts = table(Account)


def test_an_account_without_a_password_cannot_sign_in(env: Env) -> None:
    set_up_demo(env, SYSTEM, ON)
    with pytest.raises(WrongLogin):
        sign_in(env, login=f"{TOWN}.secretary", password="", address="127.0.0.1")


def test_passwords_are_set_by_the_system_and_by_no_post(env: Env, engine: Engine) -> None:
    load(env, f"{HEADER}31,江海市,市,\n3199,滨河区,区,31\n3198,滨江区,区,31\n")
    new = {"3199.secretary": "a long enough password"}
    for login in ("3199.operator", "31.operator", "3199.secretary"):
        with pytest.raises(NotAuthorised):
            set_passwords(env, person_of(engine, login), new)
    set_passwords(env, SYSTEM, new)
    with pytest.raises(NotFound):
        set_passwords(env, SYSTEM, {"nobody": "a long enough password"})
    assert sign_in(
        env,
        login="3199.secretary",
        password="a long enough password",
        address="127.0.0.1",
    )


def test_the_demo_logins_are_new_each_time_and_nothing_readable_is_kept(
    sqlite_engine: Engine, clock: Clock
) -> None:
    engine, env = sqlite_engine, Env(sqlite_engine, clock)  # on one database: hashing is slow
    set_up_demo(env, SYSTEM, ON)
    logins = demo_logins(env)
    give(env, SYSTEM, logins)
    assert [login.login for login in logins] == list(LOGINS)
    assert logins[0].post == "区委巡察办联络员"
    assert len({login.password for login in logins}) == len(logins)
    with engine.connect() as db:
        given = select(func.count()).where(_accounts.c.password.is_not(None))
        assert db.execute(given).scalar_one() == len(logins)
        kept = [str(row) for t in metadata.sorted_tables for row in db.execute(select(t))]
    assert not any(login.password in row for login in logins for row in kept)
    last = logins[-1]
    given_to = sign_in(env, login=last.login, password=last.password, address="127.0.0.1")
    set_passwords(env, SYSTEM, {last.login: "another long password"})
    with pytest.raises(NotSignedIn):
        signed_in(env, given_to)
