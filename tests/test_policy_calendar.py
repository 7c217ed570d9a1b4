"""Working days with make-up days, and the horizon beyond which they are a guess."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import chinese_calendar
import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import Calendar, instant_on, local_day

CSV = Path(__file__).parents[1] / "models/data/calendar_cn.csv"
DAYS = st.dates(date(2024, 1, 1), date(2027, 6, 30))


def published() -> Calendar:
    rows = csv.DictReader(CSV.read_text(encoding="utf-8").splitlines())
    days = {date.fromisoformat(row["day"]): row["working"] == "1" for row in rows}
    return Calendar(1, date(2026, 12, 31), days)


CALENDAR = published()


def test_the_excerpt_says_what_two_independent_libraries_say() -> None:
    china = holidays.country_holidays("CN", years=[2024, 2025, 2026])
    day = date(2024, 1, 1)
    while day <= CALENDAR.horizon:
        ours = CALENDAR.is_working(day)
        assert ours == chinese_calendar.is_workday(day) == china.is_working_day(day), day
        day += timedelta(days=1)


def test_the_libraries_cannot_seed_2027_which_is_therefore_beyond_the_horizon() -> None:
    with pytest.raises(NotImplementedError):
        chinese_calendar.is_workday(date(2027, 2, 6))
    assert CALENDAR.is_provisional(date(2027, 1, 1))
    assert not CALENDAR.is_provisional(date(2026, 12, 31))


def test_a_make_up_saturday_is_a_working_day_and_the_week_of_spring_festival_is_not() -> None:
    assert CALENDAR.is_working(date(2026, 2, 14))
    assert not any(CALENDAR.is_working(date(2026, 2, d)) for d in range(15, 24))
    assert CALENDAR.add_working_days(date(2026, 2, 13), 2) == date(2026, 2, 24)
    assert CALENDAR.working_days_between(date(2026, 2, 13), date(2026, 3, 1)) == 6


def test_days_are_counted_in_shanghai() -> None:
    assert local_day(datetime(2026, 9, 30, 16, tzinfo=UTC)) == date(2026, 10, 1)
    assert instant_on(date(2026, 10, 1)) == datetime(2026, 9, 30, 16, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        local_day(datetime(2026, 9, 30))  # noqa: DTZ001 - the naive instant is the point


@given(DAYS, st.integers(1, 60))
def test_adding_working_days_lands_on_one_and_counts_back(start: date, n: int) -> None:
    end = CALENDAR.add_working_days(start, n)
    assert CALENDAR.is_working(end)
    assert CALENDAR.working_days_between(start, end) == n
    assert CALENDAR.working_days_between(end, start) == -n


@given(DAYS, st.integers(1, 40), st.integers(1, 40))
def test_working_days_add_up(start: date, a: int, b: int) -> None:
    there = CALENDAR.add_working_days(CALENDAR.add_working_days(start, a), b)
    assert there == CALENDAR.add_working_days(start, a + b)


@given(DAYS, st.integers(1, 40))
def test_going_back_undoes_going_forth_from_a_working_day(start: date, n: int) -> None:
    start = CALENDAR.working_on_or_after(start)
    assert CALENDAR.add_working_days(CALENDAR.add_working_days(start, n), -n) == start
    assert CALENDAR.add_working_days(start, 0) == start == CALENDAR.working_on_or_before(start)
