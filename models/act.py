"""What people did to a slot beside deciding it (转办、接办、催办 …): a line each, never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from models.base import Key, Row, instant, json_field, words
from policy.acts import Act, Relation


class ActRecord(Row, table=True):
    """An act of a person, by a post of theirs or in another's place (``substitution_id``)."""

    __tablename__ = "act"
    __table_args__ = (
        Index("ix_act_slot", "slot_id"),
        Index("ix_act_step", "step_id"),
        Index("ix_act_case", "case_id"),
        Index("ix_act_branch", "branch_id"),
        Index("ix_act_person", "person_id", "at"),
    )
    key: str = Field(unique=True)
    """The idempotency key of the request that did it."""
    act: Act = Field(sa_type=words(Act))
    relation: Relation = Field(sa_type=words(Relation))
    case_id: int = Field(foreign_key="case.id", sa_type=Key)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    step_id: int = Field(foreign_key="step.id", sa_type=Key)
    slot_id: int = Field(foreign_key="slot.id", sa_type=Key)
    deadline_version: int
    """Of the step, when it was done."""
    reason: str = ""
    given: Any = json_field()
    """What the act's own fields were given: ids and ISO dates by name."""
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", sa_type=Key, index=True)
    """The post by which they did it."""
    appointment_id: int = Field(foreign_key="appointment.id", sa_type=Key, index=True)
    substitution_id: int | None = Field(default=None, foreign_key="substitution.id", sa_type=Key)
    at: datetime = instant()
