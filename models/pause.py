"""暂停: what was paused, by whom and why, and how far each deadline moved because of it."""

from datetime import date, datetime

from sqlalchemy import Index, text
from sqlmodel import Field

from models.base import Key, Row, instant, words
from policy.duration import DurationKind
from policy.pause import PauseKind


class Pause(Row, table=True):
    """A branch with all below it stands, from ``at`` until ``ended_at``; the root is the case."""

    __tablename__ = "pause"
    __table_args__ = (
        Index(
            "ix_pause_live",
            "branch_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_pause_case", "case_id"),
        Index("ix_pause_branch", "branch_id"),
    )
    case_id: int = Field(foreign_key="case.id", sa_type=Key)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    kind: PauseKind = Field(sa_type=words(PauseKind))
    reason: str
    review_on: date
    """The day on which who paused is asked whether it is to go on."""
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    """The post by which they paused; whoever holds it is asked."""
    appointment_id: int = Field(foreign_key="appointment.id", sa_type=Key)
    at: datetime = instant()
    asked_at: datetime | None = instant(nullable=True)
    """When the post was asked last."""
    ended_at: datetime | None = instant(nullable=True)
    ended_by: int | None = Field(default=None, foreign_key="person.id", sa_type=Key)
    """Who resumed; None: the branch came to its end while it was paused."""
    ended_as: int | None = Field(default=None, foreign_key="post.id", sa_type=Key)
    end_reason: str = ""


class Standstill(Row, table=True):
    """A deadline that moved because its clock stood: the basis of that version of it."""

    __tablename__ = "standstill"
    __table_args__ = (
        Index("ix_standstill_step", "step_id"),
        Index("ix_standstill_pause", "pause_id"),
    )
    step_id: int = Field(foreign_key="step.id", sa_type=Key)
    pause_id: int = Field(foreign_key="pause.id", sa_type=Key)
    deadline_version: int
    """The version that this made."""
    unit: DurationKind = Field(sa_type=words(DurationKind))
    since: date
    until: date
    days: int
    """How many days of the unit stood from ``since`` to ``until``."""
    stood: int
    """The same for all pauses under ``due_on``, this one included."""
    due_on: date
    """The day it would end on without a pause."""
