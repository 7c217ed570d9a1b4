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
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Key)
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
