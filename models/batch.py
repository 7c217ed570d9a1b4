"""Imports in two steps: a file that is staged with what it would change, and what it did change."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, instant, json_field, words
from policy.batch import BatchState


class BatchKind(StrEnum):
    """What an import brings in."""

    ORGANISATION = "organisation"


class LineAct(StrEnum):
    """What a row of the file does to what is there."""

    NEW = "new"
    CHANGED = "changed"
    ENDED = "ended"
    UNCHANGED = "unchanged"


class ChangeAct(StrEnum):
    """What was done to a row of a table."""

    INSERT = "insert"
    UPDATE = "update"


class Batch(Row, table=True):
    """A file somebody sent. ``data`` is kept while it is staged only.

    ``organisation_id`` is whose 系统运维员 sent it, None: the system. ``fingerprint`` is of the
    difference that was shown last; ``on_day`` the day it was counted from. ``said`` holds the
    counts, what was read otherwise than written, and after the import the gaps that it left.
    """

    __tablename__ = "batch"
    kind: BatchKind = Field(sa_type=words(BatchKind))
    state: BatchState = Field(sa_type=words(BatchState))
    filename: str
    sha256: str
    data: bytes | None = Field(default=None, sa_type=LargeBinary)
    fingerprint: str
    on_day: date
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Key, index=True)
    organisation_id: int | None = Field(
        default=None, foreign_key="organisation.id", sa_type=Key, index=True
    )
    said: Any = json_field()
    staged_at: datetime = instant()
    applied_at: datetime | None = instant(nullable=True)
    undone_at: datetime | None = instant(nullable=True)


class BatchLine(Row, table=True):
    """A row of the file as people read it: what it does, to what, and each value from–to."""

    __tablename__ = "batch_line"
    __table_args__ = (UniqueConstraint("batch_id", "n"),)
    batch_id: int = Field(foreign_key="batch.id", sa_type=Key)
    n: int
    sheet: str
    row_number: int
    act: LineAct = Field(sa_type=words(LineAct))
    what: str
    fields: Any = json_field()


class BatchChange(Row, table=True):
    """A row of a table that an import inserted or updated, so that it can be undone.

    ``before`` and ``after`` hold the columns that were written; ``before`` is empty for an insert.
    """

    __tablename__ = "batch_change"
    __table_args__ = (Index("ix_batch_change_row", "batch_id", "table_name", "row_id"),)
    batch_id: int = Field(foreign_key="batch.id", sa_type=Key)
    table_name: str
    row_id: int = Field(sa_type=Key)
    act: ChangeAct = Field(sa_type=words(ChangeAct))
    before: Any = json_field()
    after: Any = json_field()
