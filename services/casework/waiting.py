"""Branches that wait for a day (``case.wait``): an alarm is set, and the watch rings it.

The drain leaves alarms alone: a clock that was put forward would let it ask people months too soon.
The watch rings them only while it believes the clock (INV-23).
"""

from datetime import date

from sqlalchemy import insert, select, update

from models.base import table
from models.casework import Wake, WakeKind
from policy.calendar import instant_on
from services.casework.branch import LockedBranch
from services.database import reading
from services.env import Env

_wakes = table(Wake)


def set_alarm(branch: LockedBranch, fact_id: int, day: date) -> None:
    """Have the branch replayed on the morning of a day to come; ``fact_id`` holds that day."""
    if day <= branch.work.today:
        return
    row = {"branch_id": branch.id, "kind": WakeKind.DATE, "subject_id": fact_id}
    branch.work.db.execute(insert(_wakes), {**row, "try_at": instant_on(day), "attempts": 0})


def is_to_come(branch: LockedBranch, fact_id: int) -> bool:
    """Whether the alarm for the day of this fact has not been rung yet."""
    alarm = _wakes.c.branch_id == branch.id, _wakes.c.kind == WakeKind.DATE
    query = select(_wakes.c.id).where(*alarm, _wakes.c.subject_id == fact_id)
    return branch.work.db.execute(query).first() is not None


def ringing(env: Env) -> list[int]:
    """The branches whose day has come."""
    due = _wakes.c.kind == WakeKind.DATE, _wakes.c.try_at <= env.clock()
    with reading(env.engine) as db:
        query = select(_wakes.c.branch_id).where(*due).group_by(_wakes.c.branch_id)
        return list(db.execute(query.order_by(_wakes.c.branch_id)).scalars())


def ring(branch: LockedBranch) -> int:
    """Hand the alarms of a locked branch that are due to the drain; how many."""
    work = branch.work
    due = _wakes.c.branch_id == branch.id, _wakes.c.kind == WakeKind.DATE
    rung = update(_wakes).where(*due, _wakes.c.try_at <= work.now)
    found = work.db.execute(rung.values(kind=WakeKind.ADVANCE, subject_id=None)).rowcount
    if found:
        work.after_commit(work.env.nudge)
    return found
