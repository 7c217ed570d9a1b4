"""When somebody may be told outside our pages, at the exact instant of each boundary."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import Calendar, instant_on, local_day
from policy.delivery import (
    CLOSES,
    OPENS,
    PAUSE,
    TEXTS_A_DAY,
    TRIES,
    Past,
    back_off,
    finished,
    from_hours,
    in_hours,
    opens_at,
    worn_out,
)

NATIONAL = Calendar(
    1,
    date(2026, 12, 31),
    {date(2026, 9, 20): True, date(2026, 10, 10): True, date(2026, 9, 25): False}
    | {date(2026, 10, d): False for d in range(1, 8)},
)
MONDAY = date(2026, 11, 30)
NOON = instant_on(MONDAY, 12)
SECOND = timedelta(seconds=1)
INSTANTS = st.integers(0, 700 * 24 * 3600).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def test_the_hours_are_nine_to_six_and_six_is_outside() -> None:
    assert in_hours(instant_on(MONDAY, OPENS), NATIONAL)
    assert not in_hours(instant_on(MONDAY, OPENS) - SECOND, NATIONAL)
    assert in_hours(instant_on(MONDAY, CLOSES) - SECOND, NATIONAL)
    assert not in_hours(instant_on(MONDAY, CLOSES), NATIONAL)


@pytest.mark.parametrize(
    ("day", "opens"),
    [
        (date(2026, 12, 4), date(2026, 12, 7)),  # Friday evening
        (date(2026, 9, 30), date(2026, 10, 8)),  # the evening before 国庆
        (date(2026, 9, 18), date(2026, 9, 20)),  # a make-up Sunday follows
        (date(2026, 10, 9), date(2026, 10, 10)),
    ],
)
def test_what_comes_in_the_evening_may_leave_on_the_next_working_morning(
    day: date, opens: date
) -> None:
    assert from_hours(instant_on(day, CLOSES), NATIONAL) == instant_on(opens, OPENS)


@given(INSTANTS)
def test_texts_leave_in_hours_and_never_earlier_than_asked(at: datetime) -> None:
    opens = from_hours(at, NATIONAL)
    assert opens >= at
    assert in_hours(opens, NATIONAL)
    assert from_hours(opens, NATIONAL) == opens


def test_back_off_doubles_from_a_minute_to_four_hours() -> None:
    pauses = [back_off(n) for n in range(1, TRIES + 1)]
    assert pauses[0] == timedelta(minutes=1)
    assert pauses[-1] == timedelta(hours=4)
    assert all(b == min(a * 2, timedelta(hours=4)) for a, b in pairwise(pauses))
    assert back_off(0) == back_off(1)
    assert back_off(10**9) == timedelta(hours=4)


def test_an_unused_channel_is_open_at_once() -> None:
    assert opens_at(Past(), NOON, NATIONAL) == NOON


def test_after_a_text_that_may_have_arrived_comes_a_pause() -> None:
    assert opens_at(Past(last=NOON, maybe=True, today=1), NOON, NATIONAL) == NOON + PAUSE
    refused = Past(last=NOON, failures=1)
    assert opens_at(refused, NOON, NATIONAL) == NOON + back_off(1)
    lost = Past(last=NOON, failures=6, maybe=True, today=1)
    assert opens_at(lost, NOON, NATIONAL) == NOON + back_off(6)


def test_a_pause_that_ends_in_the_evening_ends_in_the_morning() -> None:
    late = instant_on(MONDAY, CLOSES) - SECOND
    tuesday = instant_on(MONDAY + timedelta(days=1), OPENS)
    assert opens_at(Past(last=late, maybe=True, today=1), late, NATIONAL) == tuesday


def test_a_full_day_opens_on_the_next_working_day() -> None:
    friday = instant_on(date(2026, 12, 4), 12)
    full = Past(last=friday - timedelta(hours=2), maybe=True, today=TEXTS_A_DAY)
    assert opens_at(full, friday, NATIONAL) == instant_on(date(2026, 12, 7), OPENS)
    nearly = Past(last=friday - timedelta(hours=2), maybe=True, today=TEXTS_A_DAY - 1)
    assert opens_at(nearly, friday, NATIONAL) == friday


@given(
    now=INSTANTS,
    ago=st.timedeltas(timedelta(0), timedelta(days=10)),
    failures=st.integers(0, 40),
    maybe=st.booleans(),
    today=st.integers(0, 9),
)
def test_a_channel_always_opens_within_days(
    now: datetime, ago: timedelta, failures: int, maybe: bool, today: int
) -> None:
    opens = opens_at(Past(now - ago, failures, maybe, today), now, NATIONAL)
    assert opens >= now
    assert local_day(opens) - local_day(now) <= timedelta(days=9)


def test_a_message_is_finished_when_it_arrived_or_may_have_twice() -> None:
    assert finished(sent=True, unknown=0)
    assert finished(sent=False, unknown=2)
    assert not finished(sent=False, unknown=1)


def test_a_channel_is_worn_out_by_the_last_try() -> None:
    assert worn_out(TRIES)
    assert not worn_out(TRIES - 1)
