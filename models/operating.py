"""What operating a house of cases needs: launches, Prefect's events and pace, the installation."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from models.base import Key, Row, instant, json_field


class Launch(Row, table=True):
    """Cases of one mechanism to be opened for many organisations by one command (rule H).

    What is due (``due_at`` has come) and not done is opened from here, whatever became of Prefect.
    """

    __tablename__ = "launch"
    __table_args__ = (
        Index(
            "ix_launch_due",
            "due_at",
            postgresql_where=text("done_at IS NULL"),
            sqlite_where=text("done_at IS NULL"),
        ),
    )
    command_id: int = Field(foreign_key="command.id", sa_type=Key, index=True)
    mechanism: str
    edition: int
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Key)
    due_at: datetime = instant()
    at: datetime = instant()
    done_at: datetime | None = instant(nullable=True)


class LaunchTarget(Row, table=True):
    """One organisation of a launch: it gets exactly one case of it."""

    __tablename__ = "launch_target"
    __table_args__ = (
        UniqueConstraint("launch_id", "organisation_id"),
        Index(
            "ix_launch_target_open",
            "launch_id",
            postgresql_where=text("case_id IS NULL"),
            sqlite_where=text("case_id IS NULL"),
        ),
    )
    launch_id: int = Field(foreign_key="launch.id", sa_type=Key)
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key)
    urgent: bool = False
    case_id: int | None = Field(default=None, foreign_key="case.id", sa_type=Key, unique=True)
    attempts: int = 0
    try_at: datetime = instant()
    error: str = ""
    """The kind of what went wrong last, never a business text."""


class RunEvent(Row, table=True):
    """What Prefect's automations are told (rule G): deleted once its server has it."""

    __tablename__ = "run_event"
    key: str = Field(unique=True)
    """The id of the event at Prefect is made of it, so that it is one event however often sent."""
    kind: str
    case_id: int | None = Field(default=None, foreign_key="case.id", sa_type=Key)
    payload: Any = json_field()
    at: datetime = instant()


class Pace(Row, table=True):
    """When the next act of a kind may be done, over all processes (rule H)."""

    __tablename__ = "pace"
    name: str = Field(unique=True)
    free_at: datetime = instant()


class Installation(Row, table=True):
    """The one row (id 1) about this database as a whole."""

    __tablename__ = "installation"
    epoch: int = 1
    """One more after each restore of a backup (INV-22)."""
    restored_at: datetime | None = instant(nullable=True)
    holding: bool = False
    """After a restore messages wait until somebody has looked at what may have been told."""
    seen_at: datetime | None = instant(nullable=True)
    """The clock when the watch last looked and believed it (INV-23)."""
    doubted_at: datetime | None = instant(nullable=True)
    """The clock when the watch last found that it had jumped, until a second look agrees."""
    growing_since: datetime | None = instant(nullable=True)
    """Since when the outbox grows (``services.alarms``); None: it does not."""
    looked_at: datetime | None = instant(nullable=True)
    """The clock when the watch last came to the end of a look, whatever it thought of it."""


class Trouble(Row, table=True):
    """What is wrong with the house, or was (``services.alarms``): one row for each kind."""

    __tablename__ = "trouble"
    name: str = Field(unique=True)
    since: datetime = instant()
    seen_at: datetime = instant()
    """When any process last saw it."""
