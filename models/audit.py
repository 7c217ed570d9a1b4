"""Commands already carried out, and the hash-chained record of what they did (rule L)."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, instant, json_field


class Command(Row, table=True):
    """One request, once: the same ``key`` again returns ``result``; another body is refused."""

    __tablename__ = "command"
    key: str = Field(unique=True)
    name: str
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Key, index=True)
    body_hash: str
    result: Any = json_field(nullable=True)
    at: datetime = instant()


class Audit(Row, table=True):
    """Entry ``n`` of a stream; ``body`` is canonical JSON exactly as hashed. Append-only."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("stream", "n"),)
    stream: str
    n: int
    prev: str
    hash: str
    body: str
    command_id: int = Field(foreign_key="command.id", sa_type=Key, index=True)
    at: datetime = instant()


class AuditHead(Row, table=True):
    """The head of a stream that hangs on no branch (organisation, settings, log-ins, reads)."""

    __tablename__ = "audit_head"
    stream: str = Field(unique=True)
    n: int
    hash: str


class SealKey(Row, table=True):
    """A public key that signs seals; the private one lies in the data folder. Append-only.

    ``endorsed`` is the signature of the key before it: '' for the first one.
    """

    __tablename__ = "seal_key"
    key_id: str = Field(unique=True)
    public: str
    endorsed: str
    at: datetime = instant()


class Seal(Row, table=True):
    """A signature over all heads up to a moment (``services.sealing``). Append-only."""

    __tablename__ = "seal"
    number: int = Field(unique=True)
    size: int = Field(index=True)
    """How many leaves the tree has by now."""
    root: str
    peaks: str
    """From which the next root follows: roots of the tree's perfect subtrees."""
    previous: str
    """The hash of what the seal before it signed."""
    at: datetime = instant()
    algorithm: str
    key_id: str
    signature: str
    entries: int
    """The last entry's id that was looked at: where the next look begins."""


class SealLeaf(Row, table=True):
    """A head that was sealed, at its place in the tree. Append-only."""

    __tablename__ = "seal_leaf"
    __table_args__ = (UniqueConstraint("stream", "n"),)
    place: int = Field(unique=True)
    stream: str
    n: int
    hash: str
