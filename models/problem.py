"""What an inspection found (Problem, Manifestation) and what the plan sets against it (Task)."""

from datetime import date
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, words


class ProblemState(StrEnum):
    """Life of a problem (§3.5): closed (销号) ends it; what is basic (基本完成) or long-term
    (长期坚持) is looked at again on its review dates until it is closed."""

    OPEN = "open"
    CLOSED = "closed"
    BASIC = "basic"
    LONG_TERM = "long_term"


class TaskState(StrEnum):
    """Life of a task: a draft of the plan, published, done as the lead unit says, confirmed."""

    DRAFT = "draft"
    PUBLISHED = "published"
    CONFIRMED = "confirmed"


class Problem(Row, table=True):
    """One problem of a feedback (问题清单); texts are verbatim (原汁原味) and never change."""

    __tablename__ = "problem"
    __table_args__ = (UniqueConstraint("organisation_id", "batch", "number"),)
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    batch: str
    number: int
    category: str
    area: int
    text: str
    state: ProblemState = Field(default=ProblemState.OPEN, sa_type=words(ProblemState))
    case_id: int | None = Field(default=None, foreign_key="case.id", sa_type=Key, index=True)
    sets_topic_post_id: int | None = Field(
        default=None, foreign_key="post.id", sa_type=Key, index=True
    )
    takes_topic_post_id: int | None = Field(
        default=None, foreign_key="post.id", sa_type=Key, index=True
    )
    responsible_unit_id: int | None = Field(
        default=None, foreign_key="organisation.id", sa_type=Key, index=True
    )
    supervisor_post_id: int | None = Field(
        default=None, foreign_key="post.id", sa_type=Key, index=True
    )
    remains: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """What of it remains to be done, or to be kept up, as verified last."""
    measures: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """By what measures."""
    review_on: date | None = None
    """When it is looked at again; None: it is open, or closed for good."""


class Manifestation(Row, table=True):
    """How a problem shows (具体表现), one row each, with the units it names."""

    __tablename__ = "manifestation"
    __table_args__ = (UniqueConstraint("problem_id", "number"),)
    problem_id: int = Field(foreign_key="problem.id", sa_type=Key)
    number: int
    text: str


class ManifestationUnit(Row, table=True):
    """A unit concerned by a manifestation (涉及单位); ``name`` as written, also of a collective."""

    __tablename__ = "manifestation_unit"
    __table_args__ = (UniqueConstraint("manifestation_id", "name"),)
    manifestation_id: int = Field(foreign_key="manifestation.id", sa_type=Key)
    unit_id: int | None = Field(
        default=None, foreign_key="organisation.id", sa_type=Key, index=True
    )
    name: str


class Task(Row, table=True):
    """A task of the plan (任务清单). ``original_due_on`` is frozen at publication."""

    __tablename__ = "task"
    __table_args__ = (UniqueConstraint("problem_id", "number"),)
    problem_id: int = Field(foreign_key="problem.id", sa_type=Key, index=True)
    number: str
    measure: str
    standard: str
    leader_post_id: int = Field(foreign_key="post.id", sa_type=Key, index=True)
    lead_unit_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    due_on: date
    original_due_on: date | None = None
    long_term: bool = False
    state: TaskState = Field(default=TaskState.DRAFT, sa_type=words(TaskState))


class TaskSupport(Row, table=True):
    """A supporting unit of a task (配合部门); ``name`` keeps a collective such as 居民区党组织."""

    __tablename__ = "task_support"
    __table_args__ = (UniqueConstraint("task_id", "name"),)
    task_id: int = Field(foreign_key="task.id", sa_type=Key)
    unit_id: int | None = Field(
        default=None, foreign_key="organisation.id", sa_type=Key, index=True
    )
    name: str
