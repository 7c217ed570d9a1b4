"""Part of the reconciler: an open branch that nothing would ever come back to (INV-5)."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, insert, literal, or_, select, true, update

from models.base import table
from models.casework import (
    Branch,
    BranchState,
    Case,
    CaseState,
    Effect,
    Origin,
    RunWake,
    Step,
    StepState,
    Wake,
    WakeKind,
)
from models.message import Message
from policy.clock import STEP
from services.casework.queue import unsettled
from services.env import Env

_branches = table(Branch)
_cases = table(Case)
_effects = table(Effect)
_steps = table(Step)
_messages = table(Message)
_wakes, _run_wakes = table(Wake), table(RunWake)
_LONGEST_PAUSE = timedelta(hours=1)
"""Nothing that was tried, or is an operator's to start again, rests for longer."""


def unstick(env: Env) -> int:
    """Leave an ``advance`` row for every open branch that has nothing to wait for; how many.

    There are none unless a wake was lost by hand or by a restored backup: replaying a branch once
    too often does no harm. What was put off by a clock that was ahead is due at once.
    """
    child = _branches.alias("child")
    of_case = and_(_branches.c.parent_id.is_(None), _effects.c.case_id == _branches.c.case_id)
    of_branch = or_(_effects.c.branch_id == _branches.c.id, of_case)
    waits = (
        exists().where(
            _steps.c.branch_id == _branches.c.id,
            _steps.c.state == StepState.OPEN,
            _steps.c.origin != Origin.RUNG,
        ),
        exists().where(child.c.parent_id == _branches.c.id, child.c.state == BranchState.OPEN),
        exists().where(
            of_branch,
            unsettled(),
        ),
        exists().where(
            _wakes.c.branch_id == _branches.c.id,
            _wakes.c.kind.in_((WakeKind.ADVANCE, WakeKind.DATE)),
        ),
    )
    with env.engine.begin() as db:
        _recall(db, env.clock())
        now = literal(env.clock(), _wakes.c.try_at.type)
        stuck = (
            select(_branches.c.id, literal(WakeKind.ADVANCE.value), literal(0), now)
            .join(_cases, _cases.c.id == _branches.c.case_id)
            .where(
                _branches.c.state == BranchState.OPEN,
                _cases.c.state == CaseState.OPEN,
                *(~condition for condition in waits),
            )
        )
        columns = ["branch_id", "kind", "attempts", "try_at"]
        # the count of an INSERT is gone with its cursor on PostgreSQL, unless it is asked for
        counted = insert(_wakes).execution_options(preserve_rowcount=True)
        woken = db.execute(counted.from_select(columns, stuck)).rowcount
    if woken:
        env.nudge()
    return int(woken)


def _recall(db: Connection, now: datetime) -> None:
    """Look now at what nobody but a wrong clock can have put off for so long (INV-23)."""
    beyond = now + _LONGEST_PAUSE + STEP
    for rows, put_off in ((_wakes, _wakes.c.kind != WakeKind.DATE), (_run_wakes, true())):
        db.execute(update(rows).where(rows.c.try_at > beyond, put_off).values(try_at=now))
    ahead = _messages.c.send_after > beyond, _messages.c.created_at > now + STEP
    db.execute(update(_messages).where(*ahead).values(send_after=now))
