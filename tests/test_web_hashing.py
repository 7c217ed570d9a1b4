"""Passwords are looked at a few at a time: whoever finds too many waiting comes again later."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from documents.turns import Turns
from models.account import LoginFailure
from services.errors import Busy
from tests.account_scene import begun
from tests.rectification_cast import begin
from tests.web_house import PASSWORD, open_house
from tests.world import Clock

NONE = Turns(0, 0, 0, Busy)
"""Nobody has a turn."""


def test_a_turn_that_ended_is_free_again_however_it_ended() -> None:
    turns = Turns(1, 0, 5.0, Busy)
    with pytest.raises(ZeroDivisionError), turns():
        raise ZeroDivisionError
    with turns(), pytest.raises(Busy), turns():
        pass
    with turns():
        pass


def test_who_waits_too_long_and_who_finds_too_many_waiting_are_told() -> None:
    turns = Turns(2, 1, 0.01, Busy)
    with ExitStack() as stack:
        stack.enter_context(turns())
        stack.enter_context(turns())
        for _ in range(3):
            with pytest.raises(Busy), turns():
                pass
    with turns(), turns():
        pass


def test_a_log_in_without_a_turn_says_so_and_counts_as_no_failure(engine: Engine) -> None:
    house = open_house(begin(engine, Clock()))
    site, given = house.app.state.site, {"login": "clerk", "password": PASSWORD}
    house.app.state.site = replace(site, hashing=NONE)
    answer = house.stranger().post("/login", given)
    assert answer.status_code == 503
    assert "系统繁忙" in answer.text
    house.app.state.site = site
    assert house.stranger().post("/login", given).status_code == 303


@pytest.mark.parametrize("what", ["confirm", "drop"])
def test_a_code_without_a_turn_says_so_and_counts_as_no_failure(engine: Engine, what: str) -> None:
    house = open_house(begun(engine))
    clerk, site = house.sign_in("clerk"), house.app.state.site
    clerk.post("/account/codes", {"key": "begin-codes"})
    given = {"code": "000000", "key": "wrong-code-1"}
    house.app.state.site = replace(site, hashing=NONE)
    answer = clerk.post(f"/account/codes/{what}", given)
    assert answer.status_code == 503
    assert "系统繁忙" in answer.text
    assert house.case.rows(LoginFailure, "id") == []
    house.app.state.site = site
    wrong = clerk.post(f"/account/codes/{what}", given)
    assert wrong.status_code == (422 if what == "confirm" else 404)
