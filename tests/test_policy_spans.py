"""What of a span of days is left once others are taken from it."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.spans import Days, uncovered

FIRST = date(2026, 1, 1)
_day = st.integers(0, 12).map(lambda n: FIRST + timedelta(days=n))


def _span() -> st.SearchStrategy[Days]:
    ends = st.none() | _day
    pairs = st.tuples(_day, ends).map(lambda pair: Days(*pair))
    return pairs.filter(lambda one: one.ends_on is None or one.ends_on >= one.starts_on)


def _days(span: Days) -> set[int]:
    """The days of a span within three weeks: what has no end lasts for all of them."""
    days = (FIRST + timedelta(days=n) for n in range(21))
    return {
        (day - FIRST).days
        for day in days
        if span.starts_on <= day and (span.ends_on is None or day < span.ends_on)
    }


@given(_span(), st.lists(_span(), max_size=4))
@settings(max_examples=150)
def test_each_day_is_left_exactly_once_unless_it_was_taken(wanted: Days, taken: list[Days]) -> None:
    left = uncovered(wanted, taken)
    days = [day for span in left for day in _days(span)]
    assert len(days) == len(set(days))
    assert set(days) == _days(wanted) - {day for span in taken for day in _days(span)}
    assert all(span.ends_on is None or span.starts_on < span.ends_on for span in left)
