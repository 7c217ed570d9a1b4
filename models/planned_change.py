"""Changes of units that are planned for a later day (issue 5 point 5)."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from models.base import Key, Row, instant, json_field, words


class PlannedState(StrEnum):
    """Where a planned change is: it waits for its day, is carried out, was so, was withdrawn, or
    was halted on its day because something was no longer as it had been seen.
    """

    WAITING = "waiting"
    BEGUN = "begun"
    DONE = "done"
    WITHDRAWN = "withdrawn"
    HALTED = "halted"


class PlannedChange(Row, table=True):
    """A change of a unit as it was confirmed, for the day ``due_on``.

    ``given`` is what was filled in, ``seen`` what would move when it was looked at, with its
    fingerprint: on its day it is carried out only if that is still so.
    """

    __tablename__ = "planned_change"
    __table_args__ = (
        Index(
            "ix_planned_change_open",
            "due_on",
            postgresql_where=text("state IN ('waiting', 'begun')"),
            sqlite_where=text("state IN ('waiting', 'begun')"),
        ),
    )
    unit_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    what: str
    given: Any = json_field()
    seen: Any = json_field()
    due_on: date
    made_by: int = Field(foreign_key="person.id", sa_type=Key)
    made_at: datetime = instant()
    state: PlannedState = Field(default=PlannedState.WAITING, sa_type=words(PlannedState))
    ended_at: datetime | None = instant(nullable=True)
    ended_by: int | None = Field(default=None, foreign_key="person.id", sa_type=Key)
    """Who withdrew it; None: nobody did."""
    outcome: Any = json_field(nullable=True)
    """Of a halted one: ``changed``, how many of each kind came and went, and ``why``, a refusal."""
