"""Cases, branches, steps, slots, decisions: everything the replay reads and writes (design §4).

Rows that a script made carry ``key``, ``round`` and ``seq`` (their order in the branch), and
``voided`` once a return went back before them. The unit of lock is the branch row.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlmodel import Field

from models.base import Key, Row, instant, json_field, partial_index, words
from policy.acts import Place


class CaseState(StrEnum):
    """``terminated`` is 终止: ended by a person with a reason, not by its script."""

    OPEN = "open"
    ENDED = "ended"
    TERMINATED = "terminated"


class BranchState(StrEnum):
    """``voided`` is 停办: a return went back before the ``each`` that opened it, or its case was
    terminated. ``ended``: its script ran to its end.
    """

    OPEN = "open"
    ENDED = "ended"
    VOIDED = "voided"


class StepState(StrEnum):
    """``closed``: ended without an answer of its own (its case ended, or what it asked for came
    about otherwise: its answer is then ``overtaken``)."""

    OPEN = "open"
    DECIDED = "decided"
    VOIDED = "voided"
    CLOSED = "closed"


class SlotState(StrEnum):
    """``unreached`` is 未及办理: the step was settled by the other slots. ``held``: whoever was
    added before them (前加签) is heard first; ``removed``: added, and taken away again (减签)."""

    OPEN = "open"
    HELD = "held"
    ANSWERED = "answered"
    UNREACHED = "unreached"
    VOIDED = "voided"
    REMOVED = "removed"


class Origin(StrEnum):
    """Who opened a step: the script, a rung of a ladder, an effect that needs the operator, or
    somebody who asked for a later date (申请延期)."""

    SCRIPT = "script"
    RUNG = "rung"
    OPERATOR = "operator"
    EXTENSION = "extension"


class EffectState(StrEnum):
    """``failed``: for good, the operator is asked; ``withdrawn``: never started, a return came."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class WakeKind(StrEnum):
    """What a branch is woken for. ``date``: the script waits for a day; the watch, which believes
    the clock (INV-23), makes an ``advance`` of it when the day has come."""

    ADVANCE = "advance"
    DATE = "date"
    RAISE = "raise"
    STRIKE = "strike"


class Case(Row, table=True):
    """One run of one mechanism for one organisation (周期/事项): an edition, a frozen policy."""

    __tablename__ = "case"
    __table_args__ = (
        Index("ix_case_open", "state", "organisation_id"),
        partial_index("ix_case_untabled", "id", where="tabled IS NULL"),
    )
    number: str = Field(unique=True)
    mechanism: str
    edition: int
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    policy_id: int = Field(foreign_key="policy_version.id", sa_type=Key)
    state: CaseState = Field(default=CaseState.OPEN, sa_type=words(CaseState))
    urgent: bool = False
    opened_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    ended_by: int | None = Field(default=None, foreign_key="person.id", sa_type=Key, index=True)
    """Who terminated it (终止); None: its script came to its end."""
    ended_as: int | None = Field(default=None, foreign_key="post.id", sa_type=Key, index=True)
    """The post they held it by."""
    end_reason: str = Field(default="", sa_column_kwargs={"server_default": ""})
    run_id: str | None = Field(default=None, index=True)
    """The Prefect flow run, once it was created (rule H: later than the case)."""
    mirrored: str | None = None
    """State name and message last written to Prefect."""
    mirrored_at: datetime | None = instant(nullable=True)
    """When the mirror was last looked at or written."""
    tabled: str | None = None
    """Digest of the table of steps that Prefect has; None: its run has to be given it."""


class Branch(Row, table=True):
    """A part of a case with a life of its own: the unit of lock, loading and replay (rule B)."""

    __tablename__ = "branch"
    __table_args__ = (
        UniqueConstraint("fanout_id", "row_id"),
        Index("ix_branch_parent", "parent_id", "state"),
        Index("ix_branch_case", "case_id"),
        partial_index("ix_branch_blocked", "case_id", where="error IS NOT NULL"),
    )
    case_id: int = Field(foreign_key="case.id", sa_type=Key)
    parent_id: int | None = Field(default=None, foreign_key="branch.id", sa_type=Key)
    fanout_id: int | None = Field(
        default=None, sa_type=Key, sa_column_args=[ForeignKey("fanout.id", use_alter=True)]
    )
    script: str
    row_kind: str = ""
    row_id: int | None = Field(default=None, sa_type=Key)
    state: BranchState = Field(default=BranchState.OPEN, sa_type=words(BranchState))
    seq: int = 0
    """The last ``seq`` given out in this branch."""
    error: str | None = None
    """Why the branch is blocked (受阻), or None. Never a business text."""
    failures: int = 0
    audit_n: int = 0
    audit_hash: str = ""
    opened_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    paused_by: int | None = Field(default=None, sa_type=Key)
    """The pause, of this branch or of one above it, by which its clocks stand; None: they run."""


class Fanout(Row, table=True):
    """An ``each`` of a script: it ends once, and its end is stored."""

    __tablename__ = "fanout"
    __table_args__ = (UniqueConstraint("branch_id", "key", "round"),)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    key: str
    round: int
    seq: int
    ended: bool = False
    voided: bool = False
    on_return: str | None = None


class Step(Row, table=True):
    """One thing asked inside a branch, with one live deadline and a ladder."""

    __tablename__ = "step"
    __table_args__ = (
        UniqueConstraint("branch_id", "key", "round"),
        partial_index("ix_step_rung", "next_rung_at", where="next_rung_at IS NOT NULL"),
        partial_index("ix_step_provisional", "calendar_id", where="provisional AND state = 'open'"),
        Index("ix_step_case", "case_id"),
        Index("ix_step_opened", "opened_at"),
        Index("ix_step_closed", "closed_at"),
    )
    case_id: int = Field(foreign_key="case.id", sa_type=Key)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    key: str
    round: int
    seq: int
    origin: Origin = Field(default=Origin.SCRIPT, sa_type=words(Origin))
    mode: str = "one"
    turns: Any = json_field(nullable=True)
    """依次: the posts whose turn has not come, in order; they have no slot yet."""
    answers: Any = json_field()
    form: str = ""
    apart_from: Any = json_field()
    """Keys whose deciders must not decide this step (four eyes, CK-14)."""
    state: StepState = Field(default=StepState.OPEN, sa_type=words(StepState))
    answer: str | None = None
    """The outcome once decided."""
    voided: bool = False
    due_key: str = ""
    due_at: datetime | None = instant(nullable=True)
    original_due_at: datetime | None = instant(nullable=True)
    """The first date, never changed. None while it is provisional: frozen with its calendar."""
    provisional_due_at: datetime | None = instant(nullable=True)
    """The provisional date that was shown first, kept once the calendar was published."""
    provisional: bool = False
    deadline_version: int = 1
    calendar_id: int | None = Field(default=None, foreign_key="calendar_version.id", sa_type=Key)
    ladder: str = ""
    rungs_fired: int = 0
    paused_at: datetime | None = instant(nullable=True)
    """Since when its clock stands (暂停), or had stood when it ended; None: it runs."""
    next_rung_at: datetime | None = instant(nullable=True)
    opened_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)


class Slot(Row, table=True):
    """What one post is asked in a step; who holds it is resolved when shown, when decided (O)."""

    __tablename__ = "slot"
    __table_args__ = (
        UniqueConstraint("step_id", "post_id"),
        Index("ix_slot_post", "post_id", "state"),
        partial_index("ix_slot_post_open", "post_id", where="state = 'open'"),
        partial_index("ix_slot_added", "added_to", where="added_to IS NOT NULL"),
    )
    step_id: int = Field(foreign_key="step.id", sa_type=Key, index=True)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    position: int = 0
    state: SlotState = Field(default=SlotState.OPEN, sa_type=words(SlotState))
    closed_at: datetime | None = instant(nullable=True)
    added_to: int | None = Field(default=None, foreign_key="slot.id", sa_type=Key)
    """The slot whose holder added this one (加签); None: the script asked for the post."""
    place: Place | None = Field(default=None, sa_type=words(Place))
    """Before, beside or after it."""
    turns: Any = json_field(nullable=True)
    """后加签: the posts that are asked once this slot agreed, in order; they have no slot yet."""


class Decision(Row, table=True):
    """What a person answered to a slot; never changed, never deleted (triggers)."""

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_branch", "branch_id"),
        Index("ix_decision_person", "person_id", "at"),
        partial_index(
            "ix_decision_substitution", "substitution_id", where="substitution_id IS NOT NULL"
        ),
    )
    key: str = Field(unique=True)
    """The idempotency key of the request that made it."""
    slot_id: int = Field(foreign_key="slot.id", sa_type=Key, unique=True)
    step_id: int = Field(foreign_key="step.id", sa_type=Key, index=True)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    case_id: int = Field(foreign_key="case.id", sa_type=Key)
    answer: str
    reason: str = ""
    payload: Any = json_field(nullable=True)
    back_to: str | None = None
    """The key of the step a return went back to (退回到某环节)."""
    late: bool = False
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", sa_type=Key, index=True)
    appointment_id: int = Field(foreign_key="appointment.id", sa_type=Key, index=True)
    """By which the person held this post or, as a substitute, their own."""
    at: datetime = instant()
    substitution_id: int | None = Field(default=None, foreign_key="substitution.id", sa_type=Key)
    """On whose behalf (离岗委托); None: the post was the person's own."""


class Fact(Row, table=True):
    """What a script read (``fact``) or wrote (``record``), stored under its key."""

    __tablename__ = "fact"
    __table_args__ = (UniqueConstraint("branch_id", "kind", "key", "round"),)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    kind: str
    key: str
    round: int
    seq: int
    value: Any = json_field(nullable=True)
    on_return: str | None = None
    voided: bool = False


class Effect(Row, table=True):
    """Something a script had done outside the replay (rule I), run by the case's Prefect run."""

    __tablename__ = "effect"
    __table_args__ = (
        UniqueConstraint("branch_id", "key", "round"),
        partial_index("ix_effect_pending", "case_id", where="state IN ('queued', 'claimed')"),
    )
    case_id: int = Field(foreign_key="case.id", sa_type=Key)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key)
    key: str
    round: int
    seq: int
    name: str
    """The registered function; its idempotency key outside is ``effect-<id>``."""
    state: EffectState = Field(default=EffectState.QUEUED, sa_type=words(EffectState))
    on_return: str | None = None
    voided: bool = False
    undoes: str | None = None
    """The key this effect undoes; it runs after that one and before its next round."""
    result: Any = json_field(nullable=True)
    resolution: str | None = None
    """How a failure for good was settled: 重试, 人工录入结果 or 放弃."""
    attempts: int = 0
    error: str = ""
    queued_at: datetime = instant()
    claimed_at: datetime | None = instant(nullable=True)
    done_at: datetime | None = instant(nullable=True)


class Wake(Row, table=True):
    """A branch has something to look at; deleted by the transaction that looked (rules J, K)."""

    __tablename__ = "wake"
    __table_args__ = (Index("ix_wake_try", "try_at"),)
    branch_id: int = Field(foreign_key="branch.id", sa_type=Key, index=True)
    kind: WakeKind = Field(default=WakeKind.ADVANCE, sa_type=words(WakeKind))
    subject_id: int | None = Field(default=None, sa_type=Key)
    """raise, strike: the rung; date: the fact that holds the day."""
    try_at: datetime = instant()
    attempts: int = 0


class RunWake(Row, table=True):
    """A case's Prefect run has something to do: an effect, or to show the end (rule J)."""

    __tablename__ = "run_wake"
    __table_args__ = (Index("ix_run_wake_try", "try_at"),)
    case_id: int = Field(foreign_key="case.id", sa_type=Key, index=True)
    try_at: datetime = instant()
    attempts: int = 0


class Rung(Row, table=True):
    """A rung fired for a slot; unique, so it fires once per deadline version (INV-8)."""

    __tablename__ = "rung"
    __table_args__ = (UniqueConstraint("slot_id", "number", "deadline_version"),)
    step_id: int = Field(foreign_key="step.id", sa_type=Key, index=True)
    slot_id: int = Field(foreign_key="slot.id", sa_type=Key)
    number: int
    deadline_version: int
    kind: str
    post_id: int | None = Field(default=None, foreign_key="post.id", sa_type=Key, index=True)
    """The post it was raised to; None: a message to the holder only."""
    passed_over: Any = json_field(nullable=True)
    """Posts up the route that could not be asked: ``[{"post": id, "reason": "vacant"}]``."""
    note: str = ""
    """Why it did not act: ``overtaken`` by a later rung that was due at once (an outage)."""
    at: datetime = instant()


class DutyMember(Row, table=True):
    """An overdue slot on a superior's list step (rule N); struck when its own branch settles it."""

    __tablename__ = "duty_member"
    __table_args__ = (UniqueConstraint("step_id", "rung_id"),)
    step_id: int = Field(foreign_key="step.id", sa_type=Key)
    rung_id: int = Field(foreign_key="rung.id", sa_type=Key, index=True)
    struck_at: datetime | None = instant(nullable=True)
