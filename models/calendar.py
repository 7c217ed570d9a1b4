"""Versions of the working-day calendar. A version is never changed, only followed by the next."""

from datetime import date, datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, instant


class CalendarVersion(Row, table=True):
    """Published holidays up to and including ``horizon``; later dates are provisional."""

    __tablename__ = "calendar_version"
    horizon: date
    source: str
    published_at: datetime = instant()


class CalendarDay(Row, table=True):
    """A day that differs from the Monday–Friday rule in one version."""

    __tablename__ = "calendar_day"
    __table_args__ = (UniqueConstraint("version_id", "day"),)
    version_id: int = Field(foreign_key="calendar_version.id", sa_type=Key)
    day: date
    working: bool
    name: str
