"""When a step is due, by each kind of duration."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import Calendar, instant_on
from policy.deadline import deadline, due_day
from policy.defaults import DEFAULT, OURS, Policy, from_json, to_json
from policy.duration import Duration, DurationKind

HORIZON = date(2026, 12, 31)
PLAIN = Calendar(1, HORIZON, {})
SPRING = Calendar(
    2,
    HORIZON,
    {date(2026, 2, 14): True, date(2026, 2, 28): True}
    | {date(2026, 2, d): False for d in range(15, 24)},
)
OPENINGS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001
DURATIONS = st.sampled_from(
    [d for d in DEFAULT.durations.values() if d.kind is not DurationKind.ROW]
)


def opened(day: date, hour: int = 10) -> datetime:
    return instant_on(day, hour)


def test_fifteen_working_days_over_spring_festival() -> None:
    due = deadline(DEFAULT.durations["rectification.plan"], opened(date(2026, 2, 9)), SPRING)
    assert due.on == date(2026, 3, 6)
    assert due.due_at == datetime(2026, 3, 6, 16, tzinfo=UTC)
    assert not due.provisional


def test_the_day_of_opening_is_the_one_in_shanghai_and_is_not_counted() -> None:
    one = Duration(DurationKind.WORKING_DAYS, 1)
    before, after = datetime(2026, 6, 1, 15, 59, tzinfo=UTC), datetime(2026, 6, 1, 16, tzinfo=UTC)
    assert deadline(one, before, PLAIN).on == date(2026, 6, 2)
    assert deadline(one, after, PLAIN).on == date(2026, 6, 3)


@pytest.mark.parametrize(
    ("day", "on"),
    [
        (date(2025, 1, 31), date(2025, 2, 28)),
        (date(2024, 1, 31), date(2024, 2, 29)),
        (date(2026, 1, 31), date(2026, 2, 28)),  # a make-up Saturday
    ],
)
def test_a_month_after_the_31st_of_january_is_the_last_of_february(day: date, on: date) -> None:
    assert deadline(Duration(DurationKind.MONTHS, 1), opened(day), SPRING).on == on


def test_days_that_end_on_a_day_off_end_on_the_next_working_day() -> None:
    due = deadline(Duration(DurationKind.DAYS, 30), opened(date(2026, 1, 20)), SPRING)
    assert due.on == date(2026, 2, 24)


def test_a_fixed_date_is_the_next_one() -> None:
    january = DEFAULT.durations["annual_report"]
    assert deadline(january, opened(date(2026, 12, 1)), PLAIN).on == date(2027, 1, 31)
    assert deadline(january, opened(date(2027, 1, 31)), PLAIN).on == date(2027, 1, 31)
    assert deadline(january, opened(date(2027, 2, 1)), PLAIN).on == date(2028, 1, 31)
    leap = Duration(DurationKind.FIXED, day="02-29")
    assert deadline(leap, opened(date(2026, 3, 1)), PLAIN).on == date(2027, 2, 28)


def test_the_date_of_the_row_stands_even_beyond_the_horizon() -> None:
    row = DEFAULT.durations["row"]
    due = deadline(row, opened(date(2026, 11, 24)), PLAIN, date(2027, 6, 30))
    assert (due.on, due.provisional) == (date(2027, 6, 30), False)
    with pytest.raises(ValueError, match="needs that date"):
        deadline(row, opened(date(2026, 11, 24)), PLAIN)


def test_working_days_counted_beyond_the_horizon_are_provisional() -> None:
    plan = DEFAULT.durations["rectification.plan"]
    assert deadline(plan, opened(date(2026, 12, 10)), PLAIN).on == date(2026, 12, 31)
    assert not deadline(plan, opened(date(2026, 12, 10)), PLAIN).provisional
    assert deadline(plan, opened(date(2026, 12, 11)), PLAIN).provisional


@given(OPENINGS, DURATIONS)
def test_a_deadline_is_the_end_of_its_day_and_never_before_the_opening(
    at: datetime, duration: Duration
) -> None:
    due = deadline(duration, at, SPRING)
    assert due.due_at == instant_on(due.on + timedelta(days=1)) > at
    assert due_day(due.due_at) == due.on


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 3, 1), timezones=st.just(UTC)), DURATIONS)  # noqa: DTZ001
def test_who_opens_later_is_never_due_earlier(at: datetime, duration: Duration) -> None:
    later = deadline(duration, at + timedelta(days=1), SPRING)
    assert later.on >= deadline(duration, at, SPRING).on


@pytest.mark.parametrize(
    "bad", [("wd", 0, ""), ("row", 3, ""), ("fixed", 0, ""), ("wd", 1, "01-31")]
)
def test_a_duration_that_says_nothing_or_two_things_is_refused(bad: tuple[str, int, str]) -> None:
    kind, amount, day = bad
    with pytest.raises(ValueError, match="not a"):
        Duration(DurationKind(kind), amount, day=day)
    with pytest.raises(ValueError, match="day is out of range|month must be"):
        Duration(DurationKind.FIXED, day="13-40")


def test_every_proposal_has_a_label_and_says_on_what_basis() -> None:
    for key, duration in DEFAULT.durations.items():
        assert duration.label, key
        assert duration.legal_basis, key
        assert duration.effective_from, key
    assert DEFAULT.durations["rectification.verify"].legal_basis == OURS


def test_a_frozen_policy_reads_back_equal() -> None:
    frozen = to_json(DEFAULT)
    back = from_json(frozen)
    kept = dict(DEFAULT.durations), dict(DEFAULT.ladders), dict(DEFAULT.portions)
    assert back == Policy(*kept)
    assert to_json(back) == frozen
