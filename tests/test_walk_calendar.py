"""Cases are walked through their whole life, several looks a day, and what was sent is counted."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models.base import table
from models.casework import SlotState, StepState
from models.vacancy import Vacancy
from policy.calendar import instant_on, local_day
from services.calendar import Day
from services.command import SYSTEM
from services.env import Env
from services.invariants import violations
from services.publishing import publish
from tests import waiting
from tests.waiting import PLAN, Walk


@pytest.fixture
def walk(env: Env, clock: Any, caplog: pytest.LogCaptureFixture) -> Iterator[Walk]:
    yield waiting.walk_in(env, clock)
    assert list(violations(env.engine, local_day(env.clock()))) == []
    assert not caplog.records, "something failed and was left for the next time"


def test_around_spring_festival_nobody_is_told_anything_on_a_day_off(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 4, 15))

    assert [row.due_at for row in walk.steps("plan")] == [datetime(2026, 3, 6, 16, tzinfo=UTC)]
    assert walk.messages() == [
        ("opened", "clerk", date(2026, 2, 9)),
        ("remind", "clerk", date(2026, 2, 14)),  # a make-up Saturday; −15 days is in the holidays
        ("due", "clerk", date(2026, 3, 9)),
        ("raised", "secretary", date(2026, 3, 16)),
        ("raised", "district_member", date(2026, 3, 30)),
        ("deliberate", "town_discipline_secretary", date(2026, 4, 14)),  # after 清明节
    ]
    assert [row.number for row in walk.rungs()] == [1, 3, 4, 5, 6]
    assert [row.next_rung_at for row in walk.steps("plan")] == [None]
    assert [row.key for row in walk.steps("rung:")] == [
        f"rung:superior:{PLAN.posts['secretary']}:2026-03-16",
        f"rung:superior2:{PLAN.posts['district_member']}:2026-03-30",
        f"rung:deliberate:{PLAN.posts['town_discipline_secretary']}:2026-04-14",
    ]


def test_around_national_day_the_letters_are_drafted_one_after_the_other(walk: Walk) -> None:
    walk.open("waiting_letters", instant_on(date(2026, 8, 31), 10))
    walk.until(date(2026, 12, 1))

    assert walk.messages() == [
        ("opened", "clerk", date(2026, 8, 31)),
        ("remind", "clerk", date(2026, 9, 4)),  # −15 days is a Saturday
        ("due", "clerk", date(2026, 9, 21)),
        ("raised", "inspection_head", date(2026, 9, 29)),  # 25 September is 中秋节
        ("raised", "inspection_head", date(2026, 10, 19)),  # 10 October is made up for
        ("raised", "inspection_head", date(2026, 11, 2)),
        ("raised", "town_discipline_secretary", date(2026, 11, 16)),
        ("deliberate", "town_discipline_secretary", date(2026, 11, 30)),
    ]
    assert [tuple(row.answers) for row in walk.steps("rung:letter")] == [
        ("issued", "not_issued")
    ] * 4


def test_beyond_the_horizon_the_date_is_provisional_until_the_calendar_is_published(
    walk: Walk,
) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    [step] = walk.steps("plan")
    provisional = datetime(2027, 1, 11, 16, tzinfo=UTC)
    assert (step.due_at, step.provisional, step.original_due_at) == (provisional, True, None)

    walk.until(date(2026, 12, 28))
    days = [Day(date(2027, 1, 1), False, "元旦"), Day(date(2027, 1, 3), True, "元旦调休上班")]
    days += [Day(date(2027, 2, d), False, "春节") for d in range(5, 12)]
    horizon = date(2027, 12, 31)
    publish(
        walk.world.env, SYSTEM, horizon=horizon, days=days, source="国办发明电", key="calendar 2027"
    )
    walk.look(instant_on(date(2026, 12, 28), 23) + timedelta(minutes=1))
    [step] = walk.steps("plan")
    frozen = datetime(2027, 1, 11, 16, tzinfo=UTC)
    assert (step.due_at, step.provisional, step.original_due_at) == (frozen, False, frozen)
    assert (step.provisional_due_at, step.deadline_version) == (provisional, 1)

    walk.until(date(2027, 2, 24))
    assert walk.messages() == [
        ("opened", "clerk", date(2026, 12, 21)),
        ("remind", "clerk", date(2026, 12, 25)),
        ("due", "clerk", date(2027, 1, 12)),
        ("raised", "secretary", date(2027, 1, 19)),
        ("raised", "district_member", date(2027, 2, 2)),
        ("deliberate", "town_discipline_secretary", date(2027, 2, 23)),
    ]


def test_an_outage_of_weeks_is_followed_by_one_catch_up_and_no_storm(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 2, 14))
    walk.look(instant_on(date(2026, 4, 1), 3))  # in the night, too: the rungs are long due
    walk.look(instant_on(date(2026, 4, 1), 10))

    assert walk.messages() == [
        ("opened", "clerk", date(2026, 2, 9)),
        ("remind", "clerk", date(2026, 2, 14)),
        ("due", "clerk", date(2026, 4, 1)),
        ("raised", "secretary", date(2026, 4, 1)),
    ]
    assert [(row.number, row.note) for row in walk.rungs()] == [
        (1, ""),
        (3, "overtaken"),
        (4, "overtaken"),
        (5, ""),
    ]
    walk.until(date(2026, 4, 14))
    assert walk.told()["deliberate", "town_discipline_secretary"] == 1


def test_160_overdue_tasks_of_one_post_are_one_duty_of_its_superior(walk: Walk) -> None:
    PLAN.tasks, PLAN.due_on = 160, date(2026, 3, 31)
    walk.open("waiting_many", instant_on(date(2026, 3, 30), 10))
    walk.until(date(2026, 4, 9), hours=(9, 15))

    [duty] = walk.steps("rung:")
    assert len(walk.members()) == 160
    assert walk.told() == {
        ("opened", "clerk"): 160,
        ("due", "clerk"): 160,
        ("raised", "secretary"): 1,
    }
    [raised] = [row for row in walk.rows(waiting.MESSAGES) if row.template == "raised"]
    assert raised.context == {"count": 160, "post_id": PLAN.posts["clerk"]}

    for _ in range(159):
        walk.world.answer("do")
    walk.settle()
    [duty] = walk.steps("rung:")
    assert duty.state == StepState.OPEN
    walk.world.answer("do")
    walk.settle()
    [duty] = walk.steps("rung:")
    assert duty.state == StepState.CLOSED
    assert all(row.struck_at for row in walk.members())
    [raised] = [row for row in walk.rows(waiting.MESSAGES) if row.template == "raised"]
    assert raised.withdrawn_at is not None
    assert walk.world.open_slots() == []


def test_tasks_that_become_late_the_same_day_join_the_open_list(walk: Walk) -> None:
    PLAN.tasks, PLAN.due_on = 2, date(2026, 3, 31)
    walk.open("waiting_many", instant_on(date(2026, 3, 2), 10))
    walk.open("waiting_many", instant_on(date(2026, 3, 3), 10))
    walk.until(date(2026, 4, 9))

    assert [row.round for row in walk.steps("rung:")] == [1, 1]  # a list for each case's root
    assert len(walk.members()) == 4


def test_a_decided_step_hears_nothing_further(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 3, 20))
    decided = walk.world.answer("plan")
    assert decided.late
    walk.settle()
    before = walk.told()
    walk.until(date(2026, 4, 15))

    assert walk.told() == before
    assert len(walk.rungs()) == 3
    assert [row.state for row in walk.steps("rung:")] == [StepState.CLOSED]
    assert [row.state for row in walk.rows(waiting.SLOTS)] == [
        SlotState.ANSWERED,
        SlotState.UNREACHED,
    ]


def test_a_vacant_superior_is_passed_over_and_the_reason_kept(walk: Walk) -> None:
    walk.vacate("secretary")
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 4, 20))

    superior, superior2 = walk.rungs()[2:4]
    vacant = {"post": PLAN.posts["secretary"], "reason": "vacant"}
    asked = {"post": PLAN.posts["district_member"], "reason": "asked"}
    assert (superior.post_id, superior.passed_over) == (PLAN.posts["district_member"], [vacant])
    assert superior2.post_id == PLAN.posts["district_secretary"]
    assert superior2.passed_over == [vacant, asked]


def test_an_owner_who_is_their_own_superior_is_passed_over(walk: Walk) -> None:
    walk.give("secretary", "clerk")
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 3, 16))

    [superior] = [row for row in walk.rungs() if row.kind == "superior"]
    owner = {"post": PLAN.posts["secretary"], "reason": "owner"}
    assert (superior.post_id, superior.passed_over) == (PLAN.posts["district_member"], [owner])


def test_who_was_asked_through_another_post_is_not_asked_again(walk: Walk) -> None:
    walk.give("district_member", "secretary")
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 3, 30))

    [superior2] = [row for row in walk.rungs() if row.kind == "superior2"]
    assert superior2.post_id == PLAN.posts["district_secretary"]
    assert [passed["reason"] for passed in superior2.passed_over] == ["asked", "asked"]


def test_at_the_top_it_goes_to_the_discipline_commission_and_stops(walk: Walk) -> None:
    for name in ("secretary", "district_member", "district_secretary"):
        walk.vacate(name)
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 4, 10))

    superior, superior2 = walk.rungs()[2:]
    assert superior.post_id == PLAN.posts["discipline_secretary"]
    assert (superior2.post_id, superior2.note) == (None, "nobody")
    assert {passed["reason"] for passed in superior2.passed_over} == {"vacant", "asked"}
    assert len(walk.steps("rung:")) == 1


def test_the_discipline_commissions_own_step_goes_to_the_higher_one(walk: Walk) -> None:
    walk.open("waiting_discipline", instant_on(date(2026, 8, 31), 10))
    walk.until(date(2026, 12, 31), hours=(9,))

    raised = [(template, post) for template, post, _ in walk.messages()][3:]
    assert raised == [("raised", "inspection_head")] * 3 + [
        ("raised", "discipline_secretary"),
        ("deliberate", "discipline_secretary"),
    ]


def test_a_vacant_post_has_one_vacancy_and_its_ladder_goes_on(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 2, 9), 10))
    walk.clock.forward(timedelta(days=1))
    walk.vacate("clerk")
    walk.until(date(2026, 3, 13))
    assert walk.told() == {("opened", "clerk"): 1}  # its case asks the superior: test_vacancy
    assert [row.note for row in walk.rungs()] == ["vacant", "vacant"]

    walk.until(date(2026, 3, 16))  # the ladder goes on all the same
    assert walk.told()["raised", "secretary"] == 1
    with walk.world.env.engine.connect() as db:
        noted = db.execute(select(table(Vacancy).c.post_id)).scalars().all()
    assert noted == [PLAN.posts["clerk"]]


def test_two_who_sign_together_are_raised_each_for_themselves(walk: Walk) -> None:
    walk.open("waiting_both", instant_on(date(2026, 2, 9), 10))
    walk.until(date(2026, 3, 5))
    walk.world.answer("sign", "agree", post="clerk")
    walk.until(date(2026, 3, 16))

    assert walk.told() == {
        ("opened", "clerk"): 1,
        ("opened", "deputy"): 1,
        ("remind", "clerk"): 1,
        ("remind", "deputy"): 1,
        ("due", "deputy"): 1,
        ("raised", "secretary"): 1,
    }
    assert len(walk.members()) == 1
