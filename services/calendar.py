"""The working-day calendar as it was published, version by version (design §6).

What publishing the next version does to running cases is in ``services.publishing``.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from models.base import table
from models.calendar import CalendarDay, CalendarVersion
from policy.calendar import Calendar
from services.command import Work
from services.errors import DutiesError
from services.versions import Versions

_FIRST = Path(__file__).parents[1] / "models" / "data" / "calendar_cn.csv"
_versions = table(CalendarVersion)
_days = table(CalendarDay)


class NoCalendar(DutiesError):
    """尚未发布工作日历，请先运行数据库升级。"""

    status = 503
    code = "no_calendar"


@dataclass(frozen=True, slots=True)
class Day:
    """A day that differs from the Monday–Friday rule; ``name`` says why (春节, 国庆节调休上班)."""

    on: date
    working: bool
    name: str


def latest(db: Connection) -> Calendar:
    """The calendar in force: the newest version. :class:`NoCalendar` before the first."""
    newest = db.execute(select(func.max(_versions.c.id))).scalar()
    if newest is None:
        raise NoCalendar
    return version(db, int(newest))


def seed(work: Work) -> int:
    """Publish the first version from the file in the house, unless there is one; the newest's id.

    The file holds what the State Council announced; its horizon is the end of its last year.
    """
    newest = work.db.execute(select(func.max(_versions.c.id))).scalar()
    if newest is not None:
        return int(newest)
    with _FIRST.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    days = [Day(date.fromisoformat(r["day"]), r["working"] == "1", r["name"]) for r in rows]
    sources = "；".join(dict.fromkeys(row["source"] for row in rows))
    return insert_version(work, date(max(day.on for day in days).year, 12, 31), days, sources)


def insert_version(work: Work, horizon: date, days: Iterable[Day], source: str) -> int:
    """Write a version with all its days; its id. Nobody changes it afterwards."""
    version_id = int(
        work.db.execute(
            insert(_versions).returning(_versions.c.id),
            {"horizon": horizon, "source": source, "published_at": work.now},
        ).scalar_one()
    )
    rows = [
        {"version_id": version_id, "day": day.on, "working": day.working, "name": day.name}
        for day in days
    ]
    if rows:
        work.db.execute(insert(_days), rows)
    version.forget(work.db, version_id)
    return version_id


def days_of(db: Connection, version_id: int) -> Iterator[Day]:
    """The days of a version in order, with their names."""
    query = select(_days.c.day, _days.c.working, _days.c.name)
    for row in db.execute(query.where(_days.c.version_id == version_id).order_by(_days.c.day)):
        yield Day(row.day, row.working, row.name)


def _load(db: Connection, version_id: int) -> Calendar:
    horizon = db.execute(select(_versions.c.horizon).where(_versions.c.id == version_id)).scalar()
    if horizon is None:
        raise NoCalendar(calendar=version_id)
    return Calendar(version_id, horizon, {day.on: day.working for day in days_of(db, version_id)})


version = Versions(_load)
"""``version(db, id)``: a calendar by its id, read once per process; :class:`NoCalendar` if none."""
