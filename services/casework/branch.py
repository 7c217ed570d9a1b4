"""A branch under its lock: the unit of every change to a case (rules B, K, L)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    false,
    func,
    insert,
    or_,
    select,
    update,
)
from structlog.contextvars import bind_contextvars

from models.base import table
from models.calendar import CalendarVersion
from models.casework import Branch, BranchState, Case, RunWake, Wake, WakeKind
from models.pause import Pause
from services.audit import append_branch
from services.casework.mechanism import BranchScript, Mechanism
from services.command import Work
from services.env import Env
from services.errors import Busy, NotFound

branches = table(Branch)
cases = table(Case)
_wakes = table(Wake)
_run_wakes = table(RunWake)
_pauses = table(Pause)
_newest_calendar = select(func.max(table(CalendarVersion).c.id)).scalar_subquery()

_SAVE = update(branches).where(branches.c.id == bindparam("p_branch"))
BRANCH_COLUMNS = (
    branches.c.id.label("branch_id"),
    branches.c.case_id,
    branches.c.parent_id,
    branches.c.script,
    branches.c.row_id,
    branches.c.state.label("branch_state"),
    branches.c.seq,
    branches.c.error,
    branches.c.failures,
    branches.c.audit_n,
    branches.c.audit_hash,
    branches.c.paused_by,
    cases.c.mechanism,
    cases.c.edition,
    cases.c.organisation_id,
    cases.c.policy_id,
    cases.c.state.label("case_state"),
    _newest_calendar.label("calendar_id"),
)


class EditionMissing(Busy):
    """这一事项所用的流程版本不在当前程序中，本次未保存，请联系系统运维员。"""

    code = "edition_missing"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a locked branch to go back to: notes, changed columns, and what it says it is."""

    notes: int
    changed: dict[str, Any]
    kept: tuple[int, BranchState, str | None, int]


@dataclass(frozen=True, slots=True)
class AsBefore:
    """How a step is asked anew whose decider took the answer back: of the same posts and, as that
    stops no clock, by the same date. A provisional one is counted anew from ``opened_at``."""

    key: str
    posts: tuple[int, ...]
    opened_at: datetime
    provisional: bool
    due_at: datetime
    original_due_at: datetime | None
    provisional_due_at: datetime | None
    paused_at: datetime | None = None
    """Since when its clock has stood in a pause that still is (暂停)."""


@dataclass(slots=True)
class LockedBranch:
    """A branch whose row this transaction holds. Changes are noted, and saved once at the end."""

    work: Work
    id: int
    case_id: int
    parent_id: int | None
    script_name: str
    row_id: int | None
    state: BranchState
    seq: int
    error: str | None
    failures: int
    mechanism_name: str
    edition: int
    organisation_id: int
    policy_id: int
    case_open: bool
    calendar_id: int
    _audit: tuple[int, str]
    paused_by: int | None = None
    """The pause by which its clocks stand (暂停); None: they run."""
    returning: bool = False
    """A return is being carried out: what is opened again is told as returned."""
    as_before: AsBefore | None = None
    """The step that is opened again as it was."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    _changed: dict[str, Any] = field(default_factory=dict)

    @property
    def mechanism(self) -> Mechanism:
        """The pinned edition of the case's mechanism (F); EditionMissing if the code lacks it."""
        self.require_edition()
        return self.work.env.mechanisms[self.mechanism_name, self.edition]  # type: ignore[no-any-return]

    def require_edition(self) -> None:
        """EditionMissing if this code lacks the pinned edition: it may not change the case (F)."""
        if (self.mechanism_name, self.edition) not in self.work.env.mechanisms:
            raise EditionMissing(mechanism=self.mechanism_name, edition=self.edition)

    @property
    def script(self) -> BranchScript:
        """The script of this branch."""
        return self.mechanism.scripts[self.script_name]

    def next_seq(self) -> int:
        """The next place in the branch's order."""
        self.seq += 1
        self._changed["seq"] = self.seq
        return self.seq

    def note(self, **change: Any) -> None:
        """Say what was changed, for the audit entry of this command."""
        self.notes.append(change)

    def set(self, **columns: Any) -> None:
        """Change columns of the branch row when it is saved."""
        self._changed.update(columns)
        for name in columns.keys() & {"state", "error", "failures", "paused_by"}:
            setattr(self, name, columns[name])

    def mark(self) -> "Mark":
        """A point to go back to with :meth:`reset` if a replay fails."""
        kept = self.seq, self.state, self.error, self.failures
        return Mark(len(self.notes), dict(self._changed), kept)

    def reset(self, mark: "Mark") -> None:
        """Forget what was noted since ``mark``; the savepoint forgets what was written."""
        self.seq, self.state, self.error, self.failures = mark.kept
        self._changed = dict(mark.changed)
        del self.notes[mark.notes :]

    def save(self) -> None:
        """Write this command's audit entry on the branch's chain, and the branch row, once."""
        work = self.work
        if self.paused_by is not None and self.state is not BranchState.OPEN:
            self._end_pause()
        if self.notes:
            body = work.signed({"branch": self.id, "case": self.case_id, "changes": self.notes})
            self._audit = append_branch(
                work.db, self.id, *self._audit, command_id=work.command_id, at=work.now, body=body
            )
            self._changed |= {"audit_n": self._audit[0], "audit_hash": self._audit[1]}
            self.notes = []
        if self._changed:
            work.db.execute(_SAVE, {"p_branch": self.id, **self._changed})
            self._changed = {}

    def _end_pause(self) -> None:
        """Nothing stands in what has come to its end."""
        live = _pauses.c.branch_id == self.id, _pauses.c.ended_at.is_(None)
        ended = update(_pauses).where(*live).values(ended_at=self.work.now)
        pause_id = self.work.db.execute(ended.returning(_pauses.c.id)).scalar()
        if pause_id is not None:
            self.note(act="pause_over", pause=pause_id)
        self.set(paused_by=None)

    def wake_parent(self) -> None:
        """A child that ends never locks its parent: it leaves an ``advance`` row (rule K)."""
        if self.parent_id is not None:
            wake(self.work, self.parent_id)

    def wake_run(self) -> None:
        """The case's Prefect run has something to do (rule J)."""
        wake_run(self.work, self.case_id)


def wake(work: Work, branch_id: int, *, at: datetime | None = None, attempts: int = 0) -> None:
    """Leave an ``advance`` row for a branch, due ``at`` (now); nudge the drain after the commit."""
    row = {
        "branch_id": branch_id,
        "kind": WakeKind.ADVANCE,
        "try_at": at or work.now,
        "attempts": attempts,
    }
    work.db.execute(insert(_wakes), row)
    work.after_commit(work.env.nudge)


def wake_run(work: Work, case_id: int) -> None:
    """Leave a row for a case's Prefect run: to be made, to do an effect, or to show the end."""
    work.db.execute(insert(_run_wakes), {"case_id": case_id, "try_at": work.now, "attempts": 0})


def fresh_branch(case_id: int, opened_at: datetime, *, script: str = "") -> dict[str, Any]:
    """The columns of a branch nothing has happened in yet; a root has no more than these."""
    return {
        "case_id": case_id,
        "script": script,
        "row_kind": "",
        "state": BranchState.OPEN,
        "seq": 0,
        "failures": 0,
        "audit_n": 0,
        "audit_hash": "",
        "opened_at": opened_at,
    }


def wake_root(branch: LockedBranch, kind: WakeKind, subject_id: int | None = None) -> None:
    """Leave a row for the case's root branch, which is not locked; ``subject_id`` is a rung."""
    work = branch.work
    root = select(branches.c.id).where(
        branches.c.case_id == branch.case_id, branches.c.parent_id.is_(None)
    )
    work.db.execute(
        insert(_wakes).values(
            branch_id=branch.id if branch.parent_id is None else root.scalar_subquery(),
            kind=kind,
            subject_id=subject_id,
            try_at=work.now,
            attempts=0,
        )
    )
    work.after_commit(work.env.nudge)


def known_edition(env: Env) -> ColumnElement[bool]:
    """Rows of ``case`` that this code can carry on; what another version opened is left to it."""
    known = [(cases.c.mechanism == name) & (cases.c.edition == n) for name, n in env.mechanisms]
    return or_(false(), *known)


def select_branch() -> Select[Any]:
    """The columns a :class:`LockedBranch` is made of; add a WHERE."""
    return select(*BRANCH_COLUMNS).select_from(
        branches.join(cases, branches.c.case_id == cases.c.id)
    )


def lock_branch(work: Work, branch_id: int, *, skip_locked: bool = False) -> LockedBranch:
    """Lock a branch row and load it. NotFound if absent (or locked, with ``skip_locked``);
    EditionMissing for a case that a newer version opened: it is left to that version.

    ``key_share``: whoever only points to the row (a child that wakes its parent) does not wait.
    """
    query = select_branch().where(branches.c.id == branch_id)
    lock = query.with_for_update(of=branches, key_share=True, skip_locked=skip_locked)
    row = work.db.execute(lock).first()
    if row is None:
        raise NotFound(branch=branch_id)
    branch = locked(work, row)
    branch.require_edition()
    return branch


def locked(work: Work, row: Row[Any]) -> LockedBranch:
    """A :class:`LockedBranch` from a row of :data:`BRANCH_COLUMNS` that was selected FOR UPDATE."""
    bind_contextvars(case_id=row.case_id, branch=row.branch_id)  # what is logged says so
    return LockedBranch(
        work=work,
        id=row.branch_id,
        case_id=row.case_id,
        parent_id=row.parent_id,
        script_name=row.script,
        row_id=row.row_id,
        state=row.branch_state,
        seq=row.seq,
        error=row.error,
        failures=row.failures,
        mechanism_name=row.mechanism,
        edition=row.edition,
        organisation_id=row.organisation_id,
        policy_id=row.policy_id,
        case_open=row.case_state == "open",
        calendar_id=row.calendar_id,
        _audit=(row.audit_n, row.audit_hash),
        paused_by=row.paused_by,
    )
