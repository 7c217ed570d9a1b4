"""What a person is told (Message) and each attempt to tell them outside the house (Delivery)."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from models.base import Key, Row, instant, json_field, words


class DeliveryState(StrEnum):
    """How one attempt ended. ``unknown``: the process died, or the answer never came."""

    CLAIMED = "claimed"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Message(Row, table=True):
    """An outbox row and in-app message in one, written in the transaction of its cause.

    ``key`` is made of ids and ISO dates: the same cause tells a person once. The text is rendered
    from ``template`` and ``context`` (ids and dates, no names) when it is shown or sent.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_person", "person_id", "read_at"),
        Index("ix_message_send", "send_after"),
    )
    key: str = Field(unique=True)
    post_id: int | None = Field(default=None, foreign_key="post.id", sa_type=Key, index=True)
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    template: str
    context: Any = json_field()
    case_id: int | None = Field(default=None, foreign_key="case.id", sa_type=Key)
    step_id: int | None = Field(default=None, foreign_key="step.id", sa_type=Key, index=True)
    created_at: datetime = instant()
    read_at: datetime | None = instant(nullable=True)
    withdrawn_at: datetime | None = instant(nullable=True)
    send_after: datetime | None = instant(nullable=True)
    """Next time to try the person's outside channels; None: nothing (more) to send."""
    substitution_id: int | None = Field(default=None, foreign_key="substitution.id", sa_type=Key)
    """Told to the substitute of the post's holder; None: to the holder."""


class Channel(Row, table=True):
    """An Apprise address of a person. Used only once ``confirmed_at`` is set; never logged.

    ``inside``: it stays within the trusted network, so its texts may carry titles. ``refused_at``:
    it refused for good, and is not used until the person confirms it again.
    """

    __tablename__ = "channel"
    person_id: int = Field(foreign_key="person.id", sa_type=Key, index=True)
    url: str
    kind: str
    inside: bool = False
    confirmed_at: datetime | None = instant(nullable=True)
    refused_at: datetime | None = instant(nullable=True)
    code: str | None = None
    """The hash of the one-time code that was sent to the address, until it is used."""
    code_until: datetime | None = instant(nullable=True)
    code_tries: int = 0


class Delivery(Row, table=True):
    """One attempt to send one message over one channel. Append-only but for its outcome.

    The rows of one text (a digest) have the channel and ``started_at`` in common.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("message_id", "channel_id", "attempt"),
        Index("ix_delivery_channel", "channel_id", "started_at"),
        Index(
            "ix_delivery_claimed",
            "started_at",
            postgresql_where=text("state = 'claimed'"),
            sqlite_where=text("state = 'claimed'"),
        ),
    )
    message_id: int = Field(foreign_key="message.id", sa_type=Key)
    channel_id: int = Field(foreign_key="channel.id", sa_type=Key)
    attempt: int
    state: DeliveryState = Field(sa_type=words(DeliveryState))
    detail: str = ""
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
