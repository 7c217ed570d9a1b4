"""Versions of the calendar: seeded, published, and carried into running cases."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays
import pytest
from sqlalchemy import Engine, bindparam, insert, select, update
from sqlalchemy.exc import StatementError

from models.audit import Audit, Command
from models.base import Instant, table
from models.calendar import CalendarDay, CalendarVersion
from models.casework import Step, StepState
from policy.calendar import instant_on, local_day
from services import calendar
from services.calendar import Day, NoCalendar
from services.command import SYSTEM, execute
from services.database import reading
from services.env import Env
from services.errors import Invalid, KeyReused, NotAuthorised
from services.invariants import violations
from services.publishing import publish, recompute
from services.watch import sweep
from tests import waiting
from tests.waiting import Walk

HORIZON = date(2027, 12, 31)
YEAR_2027 = (
    Day(date(2027, 1, 1), False, "元旦"),
    Day(date(2027, 1, 4), False, "元旦"),
    Day(date(2027, 2, 8), False, "春节"),
)
_days = table(CalendarDay)
_steps = table(Step)
_versions = table(CalendarVersion)


@pytest.fixture
def walk(env: Env, clock: Any) -> Iterator[Walk]:
    yield waiting.walk_in(env, clock)
    assert list(violations(env.engine, local_day(clock()))) == []


def published(walk: Walk, days: tuple[Day, ...] = YEAR_2027, **changed: Any) -> int:
    given = {"horizon": HORIZON, "source": "国办发明电〔2026〕8号", "key": "2027", **changed}
    return publish(walk.world.env, given.pop("actor", SYSTEM), days=days, **given)


def everything(walk: Walk) -> None:
    """Carry the newest calendar into every case."""
    with reading(walk.world.env.engine) as db:
        newest = calendar.latest(db).id
    while recompute(walk.world.env, newest, 100):
        pass


def test_the_seeded_calendar_is_what_two_libraries_say_for_every_day(walk: Walk) -> None:
    china = holidays.country_holidays("CN", years=[2024, 2025, 2026])
    with reading(walk.world.env.engine) as db:
        seeded = calendar.latest(db)
    assert seeded.horizon == date(2026, 12, 31)
    day = date(2024, 1, 1)
    while day <= seeded.horizon:
        working = seeded.is_working(day)
        assert working == chinese_calendar.is_workday(day) == china.is_working_day(day), day
        day += timedelta(days=1)


def test_seeding_again_changes_nothing(walk: Walk) -> None:
    count = select(_days.c.id)
    before = len(walk.rows(count))
    walk.world.do(lambda work: {"version": calendar.seed(work)})
    assert len(walk.rows(count)) == before
    assert len(walk.rows(select(_versions.c.id))) == 1


def test_without_a_calendar_nothing_is_counted(env: Env) -> None:
    with reading(env.engine) as db, pytest.raises(NoCalendar):
        calendar.latest(db)
    with reading(env.engine) as db, pytest.raises(NoCalendar):
        calendar.version(db, 7)


def test_a_new_version_keeps_the_old_one_and_its_days(walk: Walk) -> None:
    with reading(walk.world.env.engine) as db:
        old = calendar.latest(db)
    made = published(walk)
    with reading(walk.world.env.engine) as db:
        new = calendar.latest(db)
        assert calendar.version(db, old.id) == old
        names = {day.on: day.name for day in calendar.days_of(db, new.id)}
    assert (new.id, new.horizon) == (made, HORIZON)
    assert not new.is_working(date(2027, 1, 1))
    assert names[date(2026, 2, 17)] == names[date(2027, 2, 8)] == "春节"


def test_a_version_that_was_rolled_back_leaves_nothing_behind(walk: Walk) -> None:
    def fails(work: Any) -> dict[str, Any]:
        made = calendar.insert_version(work, HORIZON, [], "")
        calendar.version(work.db, made)
        raise Invalid

    with pytest.raises(Invalid):
        execute(walk.world.env, SYSTEM, "test", "fails", {}, fails)
    made = published(walk)
    with reading(walk.world.env.engine) as db:
        assert not calendar.version(db, made).is_working(date(2027, 1, 1))


def test_publishing_is_one_command_with_its_targets_on_its_own_chain(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    first = published(walk)
    assert published(walk) == first
    with pytest.raises(KeyReused):
        published(walk, source="另一文号")
    audits = table(Audit)
    [entry] = walk.rows(select(audits.c.body).where(audits.c.stream == "calendar"))
    assert f'"branches":[{walk.steps("plan")[0].branch_id}]' in entry.body
    everything(walk)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"source": " "}, "source"),
        ({"horizon": date(2026, 6, 30)}, "horizon"),
        ({"horizon": date(2027, 1, 2)}, "days"),
        ({"horizon": date(2028, 12, 31)}, "days"),
        ({"days": ()}, "days"),
    ],
)
def test_a_list_that_cannot_be_right_is_refused(
    walk: Walk, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        published(walk, **changed)
    assert refused.value.details == {"field": field}


def test_only_operators_publish(walk: Walk) -> None:
    with pytest.raises(NotAuthorised):
        published(walk, actor=walk.world.actor("secretary"))
    published(walk, actor=walk.world.actor("operator"))


def test_a_provisional_date_that_moves_begins_a_new_version_of_the_deadline(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    walk.until(date(2026, 12, 28))
    before = walk.steps("plan")[0]
    assert (before.provisional, before.rungs_fired) == (True, 1)
    made = published(walk)
    everything(walk)

    [step] = walk.steps("plan")
    assert step.provisional_due_at == before.due_at == instant_on(date(2027, 1, 12))
    assert step.due_at == step.original_due_at == instant_on(date(2027, 1, 14))
    assert (step.provisional, step.deadline_version, step.calendar_id) == (False, 2, made)
    assert step.next_rung_at == instant_on(date(2026, 12, 29), 9)
    walk.until(date(2027, 1, 14))
    assert [(row.number, row.deadline_version) for row in walk.rungs()] == [
        (1, 1),
        (1, 2),
        (3, 2),
    ]
    assert walk.told()["remind", "clerk"] == 2  # for each date that was shown
    walk.world.answer("plan")
    everything(walk)
    assert walk.steps("plan")[0].original_due_at == instant_on(date(2027, 1, 14))


def test_who_was_asked_under_a_date_that_moved_is_relieved(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    walk.until(date(2027, 1, 19), hours=(9,))
    assert [row.state for row in walk.steps("rung:")] == [StepState.OPEN]
    days = tuple(Day(date(2027, 1, d), False, "元旦") for d in range(1, 12))
    published(walk, days)
    everything(walk)
    walk.settle()

    assert [row.state for row in walk.steps("rung:")] == [StepState.CLOSED]
    walk.until(date(2027, 2, 8), hours=(9,))
    raised = [row for row in walk.rungs() if row.kind == "superior"]
    assert [row.deadline_version for row in raised] == [1, 2]
    assert len({row.post_id for row in raised}) == 1  # the ladder starts anew, with the first


def test_a_date_within_the_horizon_stays_whatever_is_corrected(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 9, 7), 10))
    before = walk.steps("plan")[0]
    corrected = tuple(Day(date(2026, 9, d), False, "抗洪停工") for d in (15, 16, 17, 18, 29))
    published(walk, corrected, horizon=date(2026, 12, 31))
    everything(walk)

    after = walk.steps("plan")[0]
    assert after.due_at == after.original_due_at == before.due_at == instant_on(date(2026, 9, 29))
    assert (after.deadline_version, after.calendar_id) == (1, before.calendar_id)
    walk.until(date(2026, 10, 15), hours=(9,))
    assert [(m[0], m[2]) for m in walk.messages()] == [
        ("opened", date(2026, 9, 7)),
        ("remind", date(2026, 9, 11)),
        ("due", date(2026, 9, 30)),  # 29 September became a day off
        ("raised", date(2026, 10, 13)),
    ]


def test_a_rung_beyond_the_horizon_follows_the_calendar_that_comes(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 9), 10))
    assert walk.steps("plan")[0].due_at == instant_on(date(2026, 12, 31))
    walk.until(date(2026, 12, 31), hours=(9,))
    assert walk.steps("plan")[0].next_rung_at == instant_on(date(2027, 1, 7), 9)
    published(walk)
    everything(walk)
    assert walk.steps("plan")[0].next_rung_at == instant_on(date(2027, 1, 11), 9)


def test_what_is_still_beyond_the_new_horizon_stays_provisional_with_its_first_date(
    walk: Walk,
) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    published(walk, (Day(date(2027, 1, 1), False, "元旦"),), horizon=date(2027, 1, 3))
    everything(walk)
    second = walk.steps("plan")[0]
    assert (second.provisional, second.original_due_at) == (True, None)
    assert second.due_at == instant_on(date(2027, 1, 13))
    published(walk, key="2027 bis")
    everything(walk)
    third = walk.steps("plan")[0]
    assert third.provisional_due_at == instant_on(date(2027, 1, 12))
    assert third.original_due_at == third.due_at == instant_on(date(2027, 1, 14))


def test_a_recompute_that_was_killed_is_run_again(
    walk: Walk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    made = published(walk)
    assert recompute(walk.world.env, made, 2) == 2
    poisoned = walk.steps("plan")[2].id
    spoiled = update(_steps).where(_steps.c.id == poisoned)
    walk.world.do(lambda work: {"n": work.db.execute(spoiled.values(due_key="no")).rowcount})
    with caplog.at_level(logging.ERROR):
        assert recompute(walk.world.env, made, 100) == 2
    assert "KeyError" in caplog.text
    mended = spoiled.values(due_key="rectification.plan")
    walk.world.do(lambda work: {"n": work.db.execute(mended).rowcount})
    assert recompute(walk.world.env, made, 100) == 1
    assert recompute(walk.world.env, made, 100) == 0
    commands = table(Command)
    done = commands.c.name == "calendar.recompute"
    assert len(walk.rows(select(commands.c.id).where(done))) == 5


def test_the_watch_carries_on_what_publishing_left(walk: Walk) -> None:
    walk.open("waiting_one", instant_on(date(2026, 12, 21), 10))
    published(walk)
    sweep(walk.world.env)
    assert not walk.steps("plan")[0].provisional


def test_an_instant_comes_back_aware_and_in_utc_from_both_databases(engine: Engine) -> None:
    for zone in (UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")):
        at = datetime(2026, 3, 8, 2, 30, 15, 123456, tzinfo=zone)
        values = {"horizon": HORIZON, "source": "", "published_at": at}
        with engine.begin() as db:
            made = db.execute(insert(_versions).returning(_versions.c.published_at), values)
            back = made.scalar_one()
            found = db.execute(
                select(_versions.c.published_at).where(_versions.c.published_at == at)
            ).scalars()
            assert back in list(found)
        assert (back, back.tzinfo) == (at.astimezone(UTC), UTC)


def test_a_naive_instant_is_refused_by_both_databases(engine: Engine) -> None:
    naive = datetime(2026, 3, 8)  # noqa: DTZ001 - the naive instant is the point
    values = {"horizon": HORIZON, "source": "", "published_at": naive}
    with engine.connect() as db:
        with pytest.raises(StatementError, match="time zone"):
            db.execute(insert(_versions), values)
        with pytest.raises(StatementError, match="time zone"):
            db.execute(select(bindparam("at", naive, type_=Instant)))
