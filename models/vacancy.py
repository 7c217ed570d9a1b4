"""Posts without a holder (缺位), and what whoever takes over a post is handed (新官理旧账)."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from models.base import Key, Row, instant


class Vacancy(Row, table=True):
    """A post that nobody holds while work waits on it. One is open for each post (rule O).

    ``case_id`` is the case that asks the superior for a holder; None until the drain opened it.
    """

    __tablename__ = "vacancy"
    __table_args__ = (
        Index(
            "ux_vacancy_open",
            "post_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    case_id: int | None = Field(default=None, foreign_key="case.id", sa_type=Key, unique=True)
    noted_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


class Handover(Row, table=True):
    """What was open on a post when somebody took it over; they confirm its receipt once."""

    __tablename__ = "handover"
    __table_args__ = (Index("ix_handover_post", "post_id"),)
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    appointment_id: int = Field(foreign_key="appointment.id", sa_type=Key, unique=True)
    made_at: datetime = instant()
    received_at: datetime | None = instant(nullable=True)
    received_by: int | None = Field(default=None, foreign_key="person.id", sa_type=Key)


class HandoverItem(Row, table=True):
    """A slot that was open on the post when it was taken over."""

    __tablename__ = "handover_item"
    __table_args__ = (UniqueConstraint("handover_id", "slot_id"),)
    handover_id: int = Field(foreign_key="handover.id", sa_type=Key)
    slot_id: int = Field(foreign_key="slot.id", sa_type=Key, index=True)
