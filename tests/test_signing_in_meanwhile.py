"""A log-in while something else is there: a change of what lets it in, a session before it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from models.account import Session
from models.base import table
from policy.administration import AdministratorRole
from services import session
from services.account_care import close_account, reset_password
from services.factor import Entry, begin_factor, confirm_factor
from services.session import NotSignedIn, WrongLogin, sign_in, signed_in
from tests.account_scene import account_id, administrator, begun, code_of, enter
from tests.web_house import PASSWORD, give_accounts
from tests.world import World

Meanwhile = Callable[[World], Any]


@pytest.fixture
def world(engine: Engine) -> World:
    made = begun(engine).world
    give_accounts(made)
    return made


def reset(world: World) -> None:
    who = world.actor(administrator(world, AdministratorRole.SECURITY))
    reset_password(world.env, who, account_id=account_id(world.env, "clerk"), key=world.key())


def close(world: World) -> None:
    who = world.actor(administrator(world, AdministratorRole.SYSTEM))
    close_account(world.env, who, account_id=account_id(world.env, "clerk"), key=world.key())


@pytest.mark.parametrize("meanwhile", [reset, close])
def test_it_opens_no_session_after_a_reset_or_a_close(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile
) -> None:
    real = vars(session)["matches"]

    def slow(password: str, kept: str | None) -> bool:
        fits = bool(real(password, kept))
        meanwhile(world)
        return fits

    monkeypatch.setattr(session, "matches", slow)
    with pytest.raises(WrongLogin):
        sign_in(world.env, login="clerk", password=PASSWORD, address="::1")
    live = select(func.count()).where(table(Session).c.revoked_at.is_(None))
    with world.env.engine.connect() as db:
        assert db.execute(live).scalar_one() == 0


def token(world: World, login: str, former: str = "", password: str = PASSWORD) -> str:
    given = {"login": login, "password": password, "former": former}
    return sign_in(world.env, **given, address="::1")


def test_signing_in_again_ends_the_session_that_the_browser_had(world: World) -> None:
    others = token(world, "clerk")
    for before, after in (("clerk", "clerk"), ("deputy", "clerk")):
        former = token(world, before)
        again = token(world, after, former=former)
        with pytest.raises(NotSignedIn):
            signed_in(world.env, former)
        assert signed_in(world.env, again).login == after
        with pytest.raises(WrongLogin):
            token(world, "clerk", former=again, password="wrong")
        assert signed_in(world.env, again), "who is not let in loses nothing"
    assert signed_in(world.env, others)


def test_a_wrong_code_takes_the_statements_of_a_wrong_password(world: World) -> None:
    """So that no clock tells somebody that the password was right."""
    who, said = enter(world.env, "clerk"), []
    begin_factor(world.env, who, key=world.key())
    entry = Entry(code_of(world.env, who), "::1", world.key())
    confirm_factor(world.env, who, entry)

    def note(_: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    event.listen(world.env.engine, "before_cursor_execute", note)
    for password in ("wrong", PASSWORD):
        said.append("---")
        with pytest.raises(WrongLogin):
            enter(world.env, "clerk", password, code="000000")
    event.remove(world.env.engine, "before_cursor_execute", note)
    again = said.index("---", 1)
    assert said[:again] == said[again:]
    assert any(one.startswith("INSERT INTO login_failure") for one in said)
