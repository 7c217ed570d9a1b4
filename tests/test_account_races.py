"""Accounts and log-ins at once (PostgreSQL): each is counted, nobody meets a raw error."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from models.account import Account, AccountEvent, Administrator, LoginFailure
from policy.administration import AdministratorRole
from services.administration import LoginTaken, appoint_administrator
from services.command import SYSTEM
from services.errors import DutiesError
from services.session import WrongLogin, sign_in
from services.throttle import PER_PAIR, WINDOW, TooManyTries
from tests.account_scene import begun
from tests.rectification_cast import Rectification
from tests.test_change_races import Act, meet
from tests.web_house import PASSWORD, give_accounts
from tests.world import Clock

AT_ONCE = 16


@pytest.fixture
def case(postgresql_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Rectification:
    made = begun(postgresql_engine)
    give_accounts(made.world)
    # hashing is not what is looked at here
    monkeypatch.setattr("services.session.matches", lambda given, kept: given == PASSWORD and kept)
    return made


def tried(case: Rectification, login: str, address: str, password: str = "wrong") -> str:
    """What somebody is told, at one of several processes."""
    try:
        sign_in(replace(case.env), login=login, password=password, address=address)
    except DutiesError as error:
        return error.code
    return ""


def at_once(case: Rectification, *tries: tuple[str, str]) -> list[str]:
    """What each is told: all of them begin together."""
    line = threading.Barrier(len(tries))

    def one(given: tuple[str, str]) -> str:
        line.wait(60)
        return tried(case, *given)

    with ThreadPoolExecutor(len(tries)) as pool:
        return list(pool.map(one, tries))


def test_failures_at_once_are_all_counted_while_those_that_are_over_go(
    case: Rectification,
) -> None:
    clock = case.env.clock
    assert isinstance(clock, Clock)
    here, there = "192.0.2.1", "198.51.100.7"
    for n in range(PER_PAIR):
        tried(case, f"former-{n}", here)
    clock.forward(seconds=WINDOW.total_seconds())
    tries = [(("clerk", "deputy")[n % 2], (here, there)[n // 2 % 2]) for n in range(AT_ONCE)]
    said = at_once(case, *tries)
    assert said == [WrongLogin.code] * AT_ONCE, "no pair, log-in or address is at its limit"
    kept = case.rows(LoginFailure, "login", "address")
    assert len(kept) == AT_ONCE, "each failure is one row, and those that were over are gone"
    refused = [act for act, *_ in case.rows(AccountEvent, "act") if act == "refused"]
    assert len(refused) == AT_ONCE + PER_PAIR
    while tried(case, "clerk", here) == WrongLogin.code:
        pass
    assert tried(case, "clerk", here, PASSWORD) == TooManyTries.code


def appoints(case: Rectification, role: AdministratorRole, login: str) -> Act:
    of: Any = {"role": role, "organisation": "district", "login": login, "key": case.world.key()}
    return lambda: appoint_administrator(case.env, SYSTEM, **of)


def test_two_administrators_made_at_once_with_one_new_log_in_are_one_and_a_clear_error(
    case: Rectification,
) -> None:
    before = [len(case.rows(model, "id")) for model in (Account, Administrator)]
    roles = AdministratorRole.SECURITY, AdministratorRole.AUDIT
    first, second = meet(case.world, *(appoints(case, role, "fresh") for role in roles))
    assert first == "fresh"
    assert isinstance(second, LoginTaken)
    assert "用户名" in second.message
    after = [len(case.rows(model, "id")) for model in (Account, Administrator)]
    assert after == [count + 1 for count in before]
