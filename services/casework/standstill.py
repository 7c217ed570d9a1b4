"""What a pause does to deadlines: a clock that stood goes on from where it was (暂停, CK-19).

A deadline moves by what stood, counted in its own unit, when its clock runs again, or when its
step ends while it stands. The first date stays frozen; the row's date moves with the step that
follows it, so that both on-time rates are true.
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from models.base import table
from models.casework import Step
from models.pause import Pause, Standstill
from policy.calendar import instant_on, local_day
from policy.deadline import due_day
from policy.defaults import Policy
from policy.duration import DurationKind
from policy.pause import moved_by, stood_days
from services import calendar
from services.casework.branch import LockedBranch
from services.casework.here import here_of
from services.policy import frozen

_pauses = table(Pause)
_standstills = table(Standstill)
_steps = table(Step)


def move_by_pause(branch: LockedBranch, step_id: int, pause_id: int) -> Row[Any] | None:
    """Move the deadline of a step of a locked branch whose clock stands by what stood until now.

    The step as it is then, whether it stands on or not is its caller's to say; None for one
    without a deadline.
    """
    work = branch.work
    step = work.db.execute(select(_steps).where(_steps.c.id == step_id)).one()
    if step.due_at is None or step.paused_at is None:
        return None
    policy = frozen(work.db, branch.policy_id)
    kind = policy.durations[step.due_key].kind
    days = calendar.version(work.db, branch.calendar_id)
    base, before = _unpaused(work.db, step)
    since = local_day(step.paused_at)
    stood = stood_days(kind, since, work.today, days)
    until = moved_by(kind, base, before + stood, days)
    version = step.deadline_version + 1
    due_at = instant_on(until + timedelta(days=1))
    work.db.execute(
        insert(_standstills),
        {
            "step_id": step.id,
            "pause_id": pause_id,
            "deadline_version": version,
            "unit": kind,
            "since": since,
            "until": work.today,
            "days": stood,
            "stood": before + stood,
            "due_on": base,
        },
    )
    branch.note(act="stood", step=step.id, due=[step.due_at, due_at], deadline=version, days=stood)
    moved = {"due_at": due_at, "deadline_version": version, "rungs_fired": 0}
    changed = update(_steps).where(_steps.c.id == step.id).values(**moved).returning(_steps)
    row = work.db.execute(changed).one()
    if due_at != step.due_at:
        _move_row(branch, policy, step, until)
    return row


def _unpaused(db: Connection, step: Row[Any]) -> tuple[date, int]:
    """The day it would end on without a pause, and what stood under that day so far."""
    query = select(_standstills).where(_standstills.c.step_id == step.id)
    last = db.execute(query.order_by(_standstills.c.id.desc()).limit(1)).first()
    if last is None or last.deadline_version != step.deadline_version:
        return due_day(step.due_at), 0
    return last.due_on, last.stood


def stands_since(branch: LockedBranch, step_id: int) -> datetime | None:
    """Since when a decided step that is asked anew has stood, if its branch is paused: since it
    was decided, or since the pause began after that."""
    if branch.paused_by is None:
        return None
    began = select(_pauses.c.at).where(_pauses.c.id == branch.paused_by)
    closed = select(_steps.c.closed_at).where(_steps.c.id == step_id)
    db = branch.work.db
    since: datetime = max(db.execute(began).scalar_one(), db.execute(closed).scalar_one())
    return since


def stood_of(db: Connection, step_id: int) -> int:
    """What a step stood in all, in its own unit: for a date that is counted anew."""
    query = select(_standstills.c.days).where(_standstills.c.step_id == step_id)
    return sum(db.execute(query).scalars())


def _move_row(branch: LockedBranch, policy: Policy, step: Row[Any], until: date) -> None:
    move_row = branch.script.move_row
    if policy.durations[step.due_key].kind is DurationKind.ROW and move_row is not None:
        move_row(here_of(branch.work, branch), until)
