"""Rows that hold from a day to a day (appointments, portfolios, relations): ended, handed on."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert, select, update

from policy.spans import Days, uncovered
from services.command import Work


def end_dated(work: Work, rows: Table, ids: Sequence[int]) -> None:
    """End rows today; one that would begin later never begins."""
    begun = rows.c.starts_on <= work.today
    ends = update(rows).where(rows.c.id.in_(ids))
    work.db.execute(ends.where(begun).values(ends_on=work.today))
    work.db.execute(ends.where(~begun).values(ends_on=rows.c.starts_on))


def add_dated(work: Work, rows: Table, values: Mapping[str, Any], days: Days) -> None:
    """Let the same hold on these days, without the days on which it does already."""
    same = (rows.c[name].is_not_distinct_from(value) for name, value in values.items())
    taken = work.db.execute(select(rows.c.starts_on, rows.c.ends_on).where(*same))
    for span in uncovered(days, [Days(*row) for row in taken]):
        dates = {"starts_on": span.starts_on, "ends_on": span.ends_on}
        work.db.execute(insert(rows).values(**values, **dates))
