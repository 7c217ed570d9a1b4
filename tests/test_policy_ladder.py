"""When an undecided step is raised, to whom, and what colour it has."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import Calendar, instant_on, local_day
from policy.defaults import DEFAULT
from policy.duration import DurationKind
from policy.ladder import Ladder, Route, Rung, RungKind, next_rung, rung_at, rungs_from, urgency

NATIONAL = Calendar(
    1,
    date(2026, 12, 31),
    {date(2026, 9, 20): True, date(2026, 10, 10): True, date(2026, 9, 25): False}
    | {date(2026, 10, d): False for d in range(1, 8)},
)
LADDER = DEFAULT.ladders["default"]
LETTERS = DEFAULT.ladders["five_letters"]
TASK = LADDER.for_due(DurationKind.ROW)


def walk(ladder: Ladder, due_on: date, opened_on: date) -> list[tuple[str, date]]:
    at = instant_on(opened_on, 10)
    return [(r.kind.value, local_day(t)) for r, t in rungs_from(ladder, due_on, NATIONAL, 0, at)]


def test_a_step_of_weeks_is_reminded_once_fifteen_days_before_and_then_climbs() -> None:
    assert walk(LADDER, date(2026, 9, 30), date(2026, 9, 1)) == [
        ("remind", date(2026, 9, 15)),
        ("due", date(2026, 10, 8)),
        ("superior", date(2026, 10, 14)),
        ("superior2", date(2026, 10, 28)),
        ("deliberate", date(2026, 11, 11)),
    ]


def test_a_step_of_five_days_is_reminded_three_days_before() -> None:
    assert walk(LADDER, date(2026, 9, 30), date(2026, 9, 23))[0] == ("remind", date(2026, 9, 24))


def test_a_task_is_reminded_three_days_before_its_date_however_long_it_has() -> None:
    assert walk(TASK, date(2026, 9, 30), date(2026, 3, 2))[0] == ("remind", date(2026, 9, 24))
    assert DEFAULT.ladder_for("default", "row") == TASK
    assert DEFAULT.ladder_for("default", "rectification.plan") == LADDER
    assert DEFAULT.ladder_for("", "row") is None


def test_a_step_is_not_reminded_on_the_day_it_opened_nor_before() -> None:
    assert walk(LADDER, date(2026, 9, 18), date(2026, 9, 15))[0][0] == "due"


def test_a_step_that_opens_late_climbs_from_the_day_it_opened() -> None:
    climbed = walk(TASK, date(2026, 3, 2), date(2026, 9, 14))
    assert climbed[:2] == [("due", date(2026, 9, 15)), ("superior", date(2026, 9, 21))]


def test_four_letters_precede_the_deliberation_ten_working_days_apart() -> None:
    rungs = LETTERS.rungs
    assert [r.kind for r in rungs if r.offset > 0] == [
        RungKind.LETTER_SUPERVISE,
        RungKind.LETTER_GUIDE,
        RungKind.LETTER_REMIND,
        RungKind.LETTER_WARN,
        RungKind.DELIBERATE,
    ]
    assert [r.offset for r in rungs if r.offset > 0] == [5, 15, 25, 35, 45]
    assert all(r.route is not Route.HOLDER for r in rungs if r.offset > 0)


def test_after_the_last_rung_there_is_none() -> None:
    at = instant_on(date(2026, 9, 1), 10)
    assert next_rung(LADDER, date(2026, 9, 30), NATIONAL, 6, at) is None
    found = next_rung(LADDER, date(2026, 9, 30), NATIONAL, 3, at)
    assert found
    assert found[0].kind is RungKind.SUPERIOR


@pytest.mark.parametrize(
    ("day", "colour"),
    [
        (date(2026, 9, 14), "none"),
        (date(2026, 9, 15), "blue"),
        (date(2026, 9, 26), "blue"),
        (date(2026, 9, 27), "yellow"),
        (date(2026, 9, 30), "yellow"),
        (date(2026, 10, 13), "yellow"),
        (date(2026, 10, 14), "red"),
    ],
)
def test_the_colour_changes_at_the_boundary(day: date, colour: str) -> None:
    due = date(2026, 9, 30)
    assert urgency(due, instant_on(day), NATIONAL) == colour
    assert urgency(due, instant_on(day + timedelta(days=1)) - timedelta(seconds=1), NATIONAL) == (
        colour
    )


def test_the_superior_is_asked_on_the_first_day_that_is_red() -> None:
    at = rung_at(LADDER.rungs[3], date(2026, 9, 30), NATIONAL)
    assert urgency(date(2026, 9, 30), at, NATIONAL) == "red"
    assert urgency(date(2026, 9, 30), at - timedelta(hours=10), NATIONAL) == "yellow"


def test_rungs_that_are_not_numbered_upwards_are_refused() -> None:
    rung = Rung(1, RungKind.DUE, 0, Route.HOLDER)
    with pytest.raises(ValueError, match="numbered upwards"):
        Ladder("bad", (rung, rung), "", "")


@given(
    st.sampled_from([LADDER, LETTERS, TASK]),
    st.dates(date(2026, 1, 1), date(2027, 2, 1)),
    st.datetimes(datetime(2025, 12, 1), datetime(2027, 3, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_rungs_follow_each_other_on_working_days_after_the_opening(
    ladder: Ladder, due_on: date, opened_at: datetime
) -> None:
    found = list(rungs_from(ladder, due_on, NATIONAL, 0, opened_at))
    instants = [at for _, at in found]
    assert instants == sorted(set(instants))
    assert all(at > opened_at for at in instants)
    assert all(NATIONAL.is_working(local_day(at)) for at in instants)
    assert sum(r.kind is RungKind.REMIND for r, _ in found) <= 1
    assert all(at > instant_on(due_on, 24 - 1) for r, at in found if r.offset >= 0)
    for number in range(len(ladder.rungs) + 2):
        rest = list(rungs_from(ladder, due_on, NATIONAL, number, opened_at))
        assert rest == [pair for pair in found if pair[0].number > number]
