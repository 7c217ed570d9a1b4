"""离岗委托: somebody else decides what waits on a post while its holder is away (design §8)."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from models.base import Key, Row, instant, words


class SubstitutionEnd(StrEnum):
    """Why a substitution ended: its last day is over, somebody revoked it, or one of the two does
    not hold the post any more by which they were named.
    """

    EXPIRED = "expired"
    REVOKED = "revoked"
    LEFT = "left"


class Substitution(Row, table=True):
    """``substitute_id`` decides in place of ``person_id`` what waits on ``post_id``.

    In force from ``starts_on`` until the day before ``ends_on``, while it is not ended and both
    hold their posts. The post stays its holder's: they may decide as well.
    """

    __tablename__ = "substitution"
    __table_args__ = (
        CheckConstraint("ends_on > starts_on", name="span"),
        CheckConstraint("person_id <> substitute_id", name="another"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ended"),
        Index("ix_substitution_post", "post_id", "ends_on"),
        Index(
            "ix_substitution_slot",
            "slot_id",
            postgresql_where=text("slot_id IS NOT NULL"),
            sqlite_where=text("slot_id IS NOT NULL"),
        ),
        Index("ix_substitution_person", "person_id", "ends_on"),
        Index("ix_substitution_substitute", "substitute_id", "ends_on"),
        Index(
            "ix_substitution_open",
            "ends_on",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    """Who held the post when it was made: the represented person."""
    substitute_post_id: int = Field(foreign_key="post.id", sa_type=Key)
    substitute_id: int = Field(foreign_key="person.id", sa_type=Key)
    every_mechanism: bool = True
    """Otherwise only the mechanisms of :class:`SubstitutionMechanism`, or one slot."""
    starts_on: date
    ends_on: date
    reason: str
    made_by: int = Field(foreign_key="person.id", sa_type=Key)
    made_as: int = Field(foreign_key="post.id", sa_type=Key)
    """The post by which they made it: the represented one, or a 系统运维员's."""
    made_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    ended_how: SubstitutionEnd | None = Field(default=None, sa_type=words(SubstitutionEnd))
    ended_by: int | None = Field(default=None, foreign_key="person.id", sa_type=Key)
    """Who revoked it; None: nobody did."""
    slot_id: int | None = Field(default=None, foreign_key="slot.id", sa_type=Key)
    """The only slot that it gives (委托); None: 离岗委托."""


class SubstitutionMechanism(Row, table=True):
    """A mechanism that a substitution is limited to."""

    __tablename__ = "substitution_mechanism"
    __table_args__ = (UniqueConstraint("substitution_id", "mechanism"),)
    substitution_id: int = Field(foreign_key="substitution.id", sa_type=Key)
    mechanism: str
