"""Evidence (佐证): what shows that a task was done or a problem put right, in versions."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, instant, words
from policy.evidence import FileKind


class EvidenceFile(Row, table=True):
    """A file that is kept, once for its content: it lies in a folder under its SHA-256 (INV-20)."""

    __tablename__ = "evidence_file"
    sha256: str = Field(unique=True)
    size: int
    """In bytes."""
    kind: FileKind = Field(sa_type=words(FileKind))
    kept_at: datetime = instant()


class Evidence(Row, table=True):
    """One piece of evidence for a problem, or for one of its tasks; its versions are the files."""

    __tablename__ = "evidence"
    case_id: int = Field(foreign_key="case.id", sa_type=Key, index=True)
    problem_id: int = Field(foreign_key="problem.id", sa_type=Key, index=True)
    task_id: int | None = Field(default=None, foreign_key="task.id", sa_type=Key, index=True)


class EvidenceVersion(Row, table=True):
    """A file of a piece of evidence: which, what it shows, and who gave it in which step."""

    __tablename__ = "evidence_version"
    __table_args__ = (UniqueConstraint("evidence_id", "number"),)
    evidence_id: int = Field(foreign_key="evidence.id", sa_type=Key)
    number: int
    file_id: int = Field(foreign_key="evidence_file.id", sa_type=Key, index=True)
    name: str
    note: str
    """What it shows, in one sentence."""
    slot_id: int = Field(foreign_key="slot.id", sa_type=Key, index=True)
    person_id: int = Field(foreign_key="person.id", sa_type=Key, index=True)
    post_id: int = Field(foreign_key="post.id", sa_type=Key, index=True)
    substitution_id: int | None = Field(default=None, foreign_key="substitution.id", sa_type=Key)
    """By which 离岗委托 they stood in for the holder of the post; None: they held it."""
    at: datetime = instant()


class EvidenceWithdrawal(Row, table=True):
    """A version was taken back (撤回), and why. It stays, and counts no more."""

    __tablename__ = "evidence_withdrawal"
    version_id: int = Field(foreign_key="evidence_version.id", sa_type=Key, unique=True)
    reason: str
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    substitution_id: int | None = Field(default=None, foreign_key="substitution.id", sa_type=Key)
    """By which 离岗委托 they stood in for the holder of the post; None: they held it."""
    at: datetime = instant()
