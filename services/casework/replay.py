"""``advance``: replay one branch under its lock; when it fails, no decision is lost (rule D)."""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, update
from sqlalchemy.exc import DBAPIError

from models.base import table
from models.casework import BranchState, Case, CaseState, Wake, WakeKind
from services.casework.branch import LockedBranch, wake
from services.casework.log import Log, load_log
from services.casework.script import Casework, Suspend
from services.command import Work
from services.posts import leading_post
from services.run_events import BRANCH_BLOCKED, CASE_ENDED, tell_prefect
from services.storage import refusal
from services.telling import tell, tell_operator

_cases = table(Case)
_wakes = table(Wake)
_BACK = "ROLLBACK TO SAVEPOINT replay"
_LONGEST_PAUSE = timedelta(minutes=5)
_DOUBLINGS = 9
"""After so many failures the pause is the longest; a bigger power would overflow."""


def advance(branch: LockedBranch, log: Log | None = None) -> None:
    """Replay a branch as far as it goes, in a savepoint.

    A script that fails leaves everything as the caller made it: the branch is blocked (受阻), the
    operator is told, and an ``advance`` row tries again with back-off. A lock that cannot be had is
    no failure of the script and is raised.
    """
    if branch.state is not BranchState.OPEN or not branch.case_open:
        return
    db, mark = branch.work.db, branch.mark()
    db.exec_driver_sql("SAVEPOINT replay")  # the commit releases it
    try:
        _replay(branch, log or load_log(db, branch.id))
    except DBAPIError as error:
        if refusal(error) is not None:
            raise
        db.exec_driver_sql(_BACK)
        branch.reset(mark)
        _block(branch, type(error).__name__)
    except Exception as error:  # whatever a script raises must not take the decision with it
        db.exec_driver_sql(_BACK)
        branch.reset(mark)
        _block(branch, type(error).__name__)
    else:
        if branch.error is not None:
            branch.set(error=None, failures=0)
            branch.note(act="unblocked")


def _replay(branch: LockedBranch, log: Log) -> None:
    case = Casework(branch, log)
    try:
        branch.script.run(case)
        case.finish()
    except Suspend:
        case.check_reached()
    else:
        case.check_reached()
        _end(branch)


def _end(branch: LockedBranch) -> None:
    now = branch.work.now
    branch.set(state=BranchState.ENDED, ended_at=now)
    branch.note(act="ended")
    if branch.parent_id is not None:
        branch.wake_parent()
        return
    branch.work.db.execute(
        update(_cases)
        .where(_cases.c.id == branch.case_id)
        .values(state=CaseState.ENDED, ended_at=now)
    )
    branch.wake_run()
    _tell_ended(branch)
    told = {"state": CaseState.ENDED.value}
    tell_prefect(branch.work, CASE_ENDED, f"ended:{branch.case_id}", branch.case_id, told)


def _tell_ended(branch: LockedBranch) -> None:
    """The head of the organisation learns that a case of theirs has ended."""
    work = branch.work
    with suppress(LookupError):
        tell(
            work.db,
            key=f"ended:{branch.case_id}",
            post_id=leading_post(work.db, branch.organisation_id),
            template="ended",
            context={},
            now=work.now,
            case_id=branch.case_id,
        )


def _later(work: Work) -> ColumnElement[bool]:
    """Tries that are put off already: one chain of them is enough."""
    return and_(_wakes.c.kind == WakeKind.ADVANCE, _wakes.c.try_at > work.now)


def _block(branch: LockedBranch, error: str) -> None:
    """Only the kind of the error is kept: its text may hold what is nobody else's business."""
    work, failures = branch.work, branch.failures + 1
    if branch.error is None:
        branch.note(act="blocked", error=error)
        _tell_blocked(branch, error)
    branch.set(error=error, failures=failures)
    work.db.execute(delete(_wakes).where(_wakes.c.branch_id == branch.id, _later(work)))
    pause = min(timedelta(seconds=2 ** min(failures, _DOUBLINGS)), _LONGEST_PAUSE)
    wake(work, branch.id, at=work.now + pause, attempts=failures)
    tell_operator(
        work.db,
        operator=work.env.operator,
        key=f"blocked:{branch.id}:{work.today.isoformat()}",
        template="operator",
        context={"branch_id": branch.id},
        now=work.now,
        case_id=branch.case_id,
    )


def _tell_blocked(branch: LockedBranch, error: str) -> None:
    """Once each time that it begins."""
    key = f"blocked:{branch.id}:{branch.work.command_id}"
    told: dict[str, str | int | None] = {"branch": branch.id, "error": error}
    tell_prefect(branch.work, BRANCH_BLOCKED, key, branch.case_id, told)
