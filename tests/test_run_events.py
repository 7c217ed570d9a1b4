"""What Prefect's automations are told: a row with each cause, and what of it is sent (rule G)."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from models.base import table
from models.organisation import Person
from policy.calendar import instant_on
from policy.deadline import due_day
from services.casework import claim_effect, drain, fail_effect, ready_effects
from services.command import Work
from services.env import Env
from services.restricted import RESTRICTED
from services.run_events import (
    BRANCH_BLOCKED,
    CASE_ENDED,
    EFFECT_FAILED,
    INSTALLATION,
    RUNG,
    Telling,
    tell_prefect,
    to_tell,
    told,
)
from tests.conftest import SettableClock
from tests.two_step_world import Town, town
from tests.waiting import Walk, walk_in


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


@pytest.fixture(name="walk")
def _walk(env: Env, clock: SettableClock) -> Walk:
    return walk_in(env, clock)


def all_of(env: Env) -> list[Telling]:
    return to_tell(env, 1000)


def tell(town: Town, key: str, case_id: int | None = None, **payload: str | int | None) -> None:
    def act(work: Work) -> dict[str, Any]:
        tell_prefect(work, "fourduties.test", key, case_id, payload)
        return {}

    town.world.do(act)


def test_each_rung_that_fired_is_told_once_with_its_step_and_dates(walk: Walk) -> None:
    walk.open("waiting_both", walk.clock.now)
    walk.until(date(2026, 3, 20))
    acted = [rung for rung in walk.rungs() if rung.note != "overtaken"]
    found = all_of(walk.world.env)
    assert {telling.kind for telling in found} == {RUNG}
    assert len(found) == len(acted) > 4
    assert len({telling.event_id for telling in found}) == len(found)
    assert found[0].payload == {
        "number": "case test-2",
        "step": "sign",
        "rung": acted[0].kind,
        "rung_number": acted[0].number,
        "due_on": due_day(walk.steps("sign")[0].due_at).isoformat(),
    }


def test_a_rung_that_an_outage_overtook_is_not_told(walk: Walk) -> None:
    walk.open("waiting_one", walk.clock.now)
    walk.look(instant_on(date(2026, 4, 20), 9))
    told_of = [telling.payload["rung_number"] for telling in all_of(walk.world.env)]
    assert told_of == [max(rung.number for rung in walk.rungs())]


def test_a_case_that_ends_is_told_with_its_run_and_mechanism(town: Town) -> None:
    case_id = town.open_with_run("run")
    town.world.answer("draft")
    town.do_effects(case_id)
    town.world.answer("sign")
    (ended,) = all_of(town.env)
    assert (ended.kind, ended.at) == (CASE_ENDED, town.env.clock())
    assert (ended.run_id, ended.mechanism) == ("run", "two_step")
    assert ended.resource == f"fourduties.case.{town.case(case_id).number}"
    assert ended.payload == {"number": town.case(case_id).number, "state": "ended"}


def test_an_effect_that_failed_for_good_is_told_each_time_that_it_did(town: Town) -> None:
    case_id = town.open()
    town.world.answer("draft")
    for _ in range(2):
        with town.env.engine.connect() as db:
            (effect,) = ready_effects(db, case_id)
        claim_effect(town.env, effect.id)
        fail_effect(town.env, effect.id, "ValueError")
        fail_effect(town.env, effect.id, "ValueError")
        town.world.answer(f"operator:{effect.id}", "retry")
    found = all_of(town.env)
    assert [telling.kind for telling in found] == [EFFECT_FAILED] * 2
    assert found[0].payload["effect"] == "notice"
    assert found[0].payload["error"] == "ValueError"
    assert found[0].event_id != found[1].event_id


def test_a_blocked_branch_is_told_once_while_it_is(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: SettableClock
) -> None:
    town.open()

    def broken(*_: Any) -> None:
        raise ValueError("张三")

    with monkeypatch.context() as patch:
        patch.setattr("services.casework.replay.Casework.finish", broken)
        patch.setattr("services.casework.replay.Casework.check_reached", broken)
        town.world.answer("draft")
        clock.forward(timedelta(minutes=10))
        drain(town.env)
    (blocked,) = all_of(town.env)
    assert (blocked.kind, blocked.payload["error"]) == (BRANCH_BLOCKED, "ValueError")
    assert "张三" not in str(blocked)


def test_what_is_rolled_back_is_not_told(town: Town) -> None:
    def act(work: Work) -> dict[str, Any]:
        tell_prefect(work, RUNG, "key", None, {})
        raise LookupError

    with pytest.raises(LookupError):
        town.world.do(act)
    assert all_of(town.env) == []


def test_a_cause_is_told_once_and_a_repetition_is_the_same_event(
    town: Town, clock: SettableClock
) -> None:
    tell(town, "one", waiting=1)
    (first,) = all_of(town.env)
    clock.forward(timedelta(hours=1))
    tell(town, "one", waiting=2)
    assert all_of(town.env) == [first]
    assert (first.resource, first.payload) == (INSTALLATION, {"waiting": 1})


@pytest.mark.parametrize("mechanism", sorted(RESTRICTED))
def test_of_a_restricted_mechanism_the_number_only_is_told(town: Town, mechanism: str) -> None:
    case_id = town.open_with_run("run", mechanism=mechanism)
    tell(town, "one", case_id, step="reply", rung="raise")
    (one,) = all_of(town.env)
    assert one.payload == {"number": town.case(case_id).number}
    assert one.mechanism == ""


def test_events_come_by_the_order_of_their_rows_and_those_under_way_are_left_out(
    town: Town,
) -> None:
    for number in range(5):
        tell(town, f"key {number}", number=number)
    found = to_tell(town.env, 2)
    assert [one.payload for one in found] == [{"number": 0}, {"number": 1}]
    rest = to_tell(town.env, 10, [one.id for one in found])
    assert [one.payload["number"] for one in rest] == [2, 3, 4]
    told(town.env, [one.id for one in found])
    told(town.env, [])
    assert all_of(town.env) == rest


def test_no_person_is_named_to_prefect(walk: Walk) -> None:
    with walk.world.env.engine.begin() as db:
        db.execute(update(table(Person)).values(name="某某甲"))
    walk.open("waiting_letters", walk.clock.now)
    walk.until(date(2026, 3, 20))
    whole = str(all_of(walk.world.env))
    assert "letter_supervise" in whole
    assert "某某甲" not in whole
