"""The drain (rule K): what a commit left to look at, each branch in a transaction of its own.

Every web and worker process runs one: right after a commit, at start, and every five seconds. It
never goes through Prefect, so a kill between commit and advance costs seconds. By turns with it
the cases of launches are opened (rule H): so many at a time that nobody is held up.
"""

import logging
import secrets
import threading
from collections import defaultdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from models.base import table
from models.casework import Wake, WakeKind
from policy.calendar import local_day
from services.batch import each_apart
from services.casework.branch import branches, cases, known_edition, lock_branch
from services.casework.launching import open_due
from services.casework.raising import raise_in_root, strike_in_root
from services.casework.replay import advance
from services.casework.vacancies import tend
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.errors import Busy, NotFound
from services.metrics import ERROR, TURNS, WAKES, turned
from services.telling import tell_operator
from services.turns import breath

_wakes = table(Wake)
LOOP = "drain"
"""The drain as metrics and readiness call it."""
_FIRST_PAUSE, _LONGEST_PAUSE, _DOUBLINGS = timedelta(minutes=1), timedelta(hours=1), 6
_log = logging.getLogger(__name__)


def drain(env: Env, limit: int = 100) -> int:
    """Look at up to ``limit`` branches with due wakes, and tend vacancies; how much was settled.

    One that fails is logged, parked with growing pauses, and the operator is told; the others go
    on (fault matrix).
    """
    woken = each_apart(_log, _due(env, limit), lambda branch_id: _look_at(env, branch_id))
    return woken + tend(env, limit)


def _due(env: Env, limit: int) -> list[int]:
    query = (
        select(_wakes.c.branch_id)
        .join(branches, branches.c.id == _wakes.c.branch_id)
        .join(cases, cases.c.id == branches.c.case_id)
        .where(_wakes.c.try_at <= env.clock(), _wakes.c.kind != WakeKind.DATE, known_edition(env))
        .group_by(_wakes.c.branch_id)
        .order_by(func.min(_wakes.c.try_at), _wakes.c.branch_id)
        .limit(limit)
    )
    with reading(env.engine) as db:
        return list(db.execute(query).scalars())


def _look_at(env: Env, branch_id: int) -> int:
    """The wakes that were seen under the branch's lock are gone, so a new key doubles nothing."""
    key = f"drain:{branch_id}:{secrets.token_hex(8)}"

    def look(work: Work) -> dict[str, Any]:
        return {"wakes": _take(work, branch_id)}

    try:
        return int(execute(env, SYSTEM, "branch.drain", key, {}, look)["wakes"])
    except (Busy, NotFound):
        raise
    except Exception:
        _put_off(env, branch_id)  # the oldest would keep everybody else waiting
        raise


def _put_off(env: Env, branch_id: int) -> None:
    with env.engine.begin() as db:
        now = env.clock()
        due = (
            _wakes.c.branch_id == branch_id,
            _wakes.c.kind != WakeKind.DATE,
            _wakes.c.try_at <= now,
        )
        tried = db.execute(select(func.max(_wakes.c.attempts)).where(*due)).scalar() or 0
        pause = min(_FIRST_PAUSE * 2 ** min(tried, _DOUBLINGS), _LONGEST_PAUSE)
        later = {"try_at": now + pause, "attempts": _wakes.c.attempts + 1}
        db.execute(update(_wakes).where(*due).values(later))
        tell_operator(
            db,
            operator=env.operator,
            key=f"wake:{branch_id}:{local_day(now).isoformat()}",
            template="operator",
            context={"branch_id": branch_id},
            now=now,
        )


def _take(work: Work, branch_id: int) -> int:
    """Under the branch's lock: see what is due, do it, and drop exactly what was seen."""
    branch = lock_branch(work, branch_id, skip_locked=True)
    mine = _wakes.c.branch_id == branch_id, _wakes.c.kind != WakeKind.DATE
    due = work.db.execute(select(_wakes).where(*mine, _wakes.c.try_at <= work.now)).all()
    if not due:
        return 0
    work.db.execute(delete(_wakes).where(_wakes.c.id.in_([row.id for row in due])))
    subjects = _subjects(due)
    if subjects[WakeKind.RAISE]:
        raise_in_root(work, branch, subjects[WakeKind.RAISE])
    if subjects[WakeKind.STRIKE]:
        strike_in_root(work, branch, subjects[WakeKind.STRIKE])
    if subjects[WakeKind.ADVANCE]:
        advance(branch)
    branch.save()
    return len(due)


def _subjects(due: "list[Row[Any]] | Any") -> dict[WakeKind, list[int]]:
    found: dict[WakeKind, list[int]] = defaultdict(list)
    for row in sorted(due, key=lambda row: row.id):
        found[row.kind].append(row.subject_id or row.branch_id)
    return found


class Drain:
    """A thread that drains at start, when nudged, and every ``seconds``."""

    def __init__(self, env: Env, seconds: float = 5.0) -> None:
        self._env, self._seconds = env, seconds
        self._wanted, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the branch that is being looked at."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def nudge(self) -> None:
        """Something was committed: look now. Costs nothing, may be called from any thread."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(self._seconds)
            self._wanted.clear()
            self._all()

    def _all(self) -> None:
        try:
            while not self._stopping.is_set():
                settled = drain(self._env)
                WAKES.inc(settled)
                turned(LOOP)
                opened = open_due(self._env)
                if not settled + opened:
                    return
                if opened:
                    self._stopping.wait(breath(self._env.engine))
        except Exception:  # the database is away: the next five seconds will tell
            TURNS.labels(LOOP, ERROR).inc()
            _log.exception("the drain could not look for work")
