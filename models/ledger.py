"""Running work taken over (存量台账): a ledger that was imported, and what it said had happened.

What a ledger says is kept beside the rows it made: the replay and the figures read it, and nobody
is shown as having decided what it tells.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, instant, json_field, words
from policy.batch import BatchState


class Ledger(Row, table=True):
    """A ledger somebody sent: staged first, then the case it became. ``data`` only while staged.

    ``fingerprint`` is of what the preview showed; ``said`` holds the counts, and what was read
    otherwise than written.
    """

    __tablename__ = "ledger"
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    batch: str
    state: BatchState = Field(sa_type=words(BatchState))
    filename: str
    sha256: str
    data: bytes | None = Field(default=None, sa_type=LargeBinary)
    fingerprint: str
    said: Any = json_field()
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Key, index=True)
    staged_at: datetime = instant()
    applied_at: datetime | None = instant(nullable=True)
    case_id: int | None = Field(default=None, foreign_key="case.id", sa_type=Key, unique=True)


class LedgerProblem(Row, table=True):
    """What the ledger said of a problem: its stage in the ledger's words, where it stands."""

    __tablename__ = "ledger_problem"
    __table_args__ = (UniqueConstraint("problem_id"),)
    ledger_id: int = Field(foreign_key="ledger.id", sa_type=Key)
    problem_id: int = Field(foreign_key="problem.id", sa_type=Key)
    row_number: int
    stage: str
    applied_on: date | None = None
    closed_on: date | None = None
    evidence: str = ""


class LedgerTask(Row, table=True):
    """What the ledger said of a task; ``done_on`` None: it was not done then."""

    __tablename__ = "ledger_task"
    __table_args__ = (UniqueConstraint("task_id"),)
    task_id: int = Field(foreign_key="task.id", sa_type=Key)
    row_number: int
    done_on: date | None = None


class Extension(Row, table=True):
    """A date of a task that was moved, as somebody agreed on a day; ``number`` counts from 1."""

    __tablename__ = "extension"
    __table_args__ = (UniqueConstraint("task_id", "number"),)
    task_id: int = Field(foreign_key="task.id", sa_type=Key)
    number: int
    from_on: date
    to_on: date
    agreed_on: date
    agreed_by: str
    row_number: int
    """The row of the ledger that told it."""
