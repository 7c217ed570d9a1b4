"""Cases without a run wait in a queue for theirs (rule H), which all workers take at one pace.

Urgent ones come first, then those whose run has something to do, then who has waited longest.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, func, select, update

from models.base import table
from models.casework import Case, CaseState, RunWake
from policy.pace import Pace
from services.casework.branch import known_edition
from services.database import reading
from services.env import Env
from services.pace import permits
from services.runs import KNOWN, Due, claim, due_of, pending_effects

CREATES = "runs"
"""The name of the pace at which runs are made."""
AT_ONCE = 10
"""Runs that one process makes before it looks again at the cases that have one."""
_cases = table(Case)
_wakes = table(RunWake)
_FORGET = (
    update(_cases)
    .where(_cases.c.id == bindparam("p_case"), _cases.c.run_id == bindparam("p_run"))
    .values(run_id=None)
)


def take_queued(env: Env, limit: int = AT_ONCE) -> list[Due]:
    """Up to ``limit`` of the queue whose runs are this process's to make now.

    The queue is put in order once a turn: after a large launch it is long. Who comes to its head
    while the pace is asked comes with the next turn.
    """
    waiting = queued(env, limit)
    if not waiting:
        return []
    allowed = permits(env, CREATES, Pace(env.runs_per_second), len(waiting))
    return claim(env, waiting[:allowed])


def queued(env: Env, limit: int) -> list[Due]:
    """Cases without a run that have a due wake, in the order in which they are to get one.

    What a newer version opened is left to it (rule F).
    """
    works = (pending_effects() > 0) | (_cases.c.state != CaseState.OPEN)
    attempts, last = func.min(_wakes.c.attempts), func.max(_wakes.c.id)
    query = (
        select(
            *KNOWN,
            pending_effects().label("effects"),
            attempts.label("attempts"),
            last.label("last"),
        )
        .join(_cases, _cases.c.id == _wakes.c.case_id)
        .where(_wakes.c.try_at <= env.clock(), _cases.c.run_id.is_(None), known_edition(env))
        .group_by(_cases.c.id)
        .order_by(_cases.c.urgent.desc(), works.desc(), func.min(_wakes.c.id))
        .limit(limit)
    )
    with reading(env.engine) as db:
        return [due_of(row) for row in db.execute(query)]


def forget_runs(env: Env, gone: Iterable[Due]) -> None:
    """The runs of these cases are gone from Prefect: they are queued for others."""
    lost = [{"p_case": due.case_id, "p_run": due.run_id} for due in gone]
    if lost:
        with env.engine.begin() as db:
            db.execute(_FORGET, lost)
