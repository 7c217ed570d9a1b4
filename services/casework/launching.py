"""Targets of launches become cases, each in a transaction of its own (rules H, L).

Every process opens what is due, beside its drain; what a killed one was at, the next one opens.
The case's id is written upon its target in the transaction that makes the case: one for each.
"""

import logging
import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, func, select, tuple_, update

from models.base import Instant, table
from models.operating import Launch, LaunchTarget
from models.organisation import Organisation
from policy.calendar import local_day
from policy.clock import STEP
from services.batch import each_apart
from services.casework.opening import open_case
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.errors import Busy, NotFound
from services.numbering import next_number
from services.telling import tell_operator

STREAM = "launch"
_LONGEST_PAUSE = timedelta(minutes=5)
_DOUBLINGS = 9
_launches = table(Launch)
_organisations = table(Organisation)
_targets = table(LaunchTarget)
_log = logging.getLogger(__name__)
_now = bindparam("p_now", type_=Instant)
_begun = (_launches.c.done_at.is_(None), _launches.c.due_at <= _now)
# what is put off for longer than anything was so by a clock that was ahead
_rested = (_targets.c.try_at <= _now) | (_targets.c.try_at > bindparam("p_latest", type_=Instant))
_DUE = (
    select(_targets.c.id, _targets.c.attempts)
    .join(_launches, _launches.c.id == _targets.c.launch_id)
    .where(*_begun, _targets.c.case_id.is_(None), _rested)
    .order_by(_targets.c.urgent.desc(), _targets.c.launch_id, _targets.c.id)
    .limit(bindparam("p_limit"))
)
_TARGET = (
    select(
        *(_targets.c[name] for name in ("organisation_id", "launch_id", "urgent")),
        *(_launches.c[name] for name in ("mechanism", "edition")),
        _organisations.c.ends_on,
    )
    .join(_launches, _launches.c.id == _targets.c.launch_id)
    .join(_organisations, _organisations.c.id == _targets.c.organisation_id)
    .where(_targets.c.id == bindparam("p_target"), _targets.c.case_id.is_(None))
    .with_for_update(of=_targets, skip_locked=True)
)
_KEEP = update(_targets).where(_targets.c.id == bindparam("p_target"))
_FULL = select(_launches.c.id).where(
    *_begun,
    ~exists().where(_targets.c.launch_id == _launches.c.id, _targets.c.case_id.is_(None)),
)


def open_due(env: Env, limit: int = 5) -> int:
    """Open up to ``limit`` cases of launches that are due, urgent ones first; how many.

    Few at a time: whoever calls it again and again leaves others a ``breath`` in between. What a
    newer version launched is left to it (rule F). One that cannot be opened is parked with growing
    pauses and the operator is told; the others go on. A launch is done with its last case.
    """
    here = tuple_(_launches.c.mechanism, _launches.c.edition).in_(list(env.mechanisms))
    with reading(env.engine) as db:
        now = env.clock()
        at = {"p_now": now, "p_latest": now + _LONGEST_PAUSE + STEP, "p_limit": limit}
        due = db.execute(_DUE.where(here), at).all()
    opened = each_apart(_log, due, lambda target: _open(env, target))
    _finish(env)
    return opened


def open_target(work: Work, target_id: int) -> int | None:
    """Open the case of a target, if it has none and nobody is at it (NotFound); its id. None for an
    organisation that was closed since it was launched for: it is left out."""
    target = work.db.execute(_TARGET, {"p_target": target_id}).first()
    if target is None:
        raise NotFound(target=target_id)
    if target.ends_on is not None and target.ends_on <= work.today:
        work.db.execute(delete(_targets).where(_targets.c.id == target_id))
        gone = {"launch": target.launch_id, "organisation": target.organisation_id}
        work.audit(STREAM, {"act": "launch_left_out", **gone})
        return None
    case_id = open_case(
        work,
        mechanism=target.mechanism,
        edition=target.edition,
        organisation_id=target.organisation_id,
        number=next_number(work, work.env.mechanisms[target.mechanism, target.edition].series),
        urgent=target.urgent,
    )
    work.db.execute(_KEEP, {"p_target": target_id, "case_id": case_id, "error": ""})
    return case_id


def _open(env: Env, target: Row[Any]) -> int:
    """A target that was seen under its lock has no case, so a new key doubles nothing."""
    key = f"launch.open:{target.id}:{secrets.token_hex(8)}"

    def act(work: Work) -> dict[str, int | None]:
        return {"case": open_target(work, target.id)}

    try:
        execute(env, SYSTEM, "launch.open", key, {"target": target.id}, act)
    except (Busy, NotFound):
        raise
    except Exception as error:
        _park(env, target, type(error).__name__)
        raise
    return 1


def _park(env: Env, target: Row[Any], error: str) -> None:
    """Only the kind of the error is kept: its text may hold what is nobody else's business."""
    pause = min(timedelta(seconds=2 ** min(target.attempts, _DOUBLINGS)), _LONGEST_PAUSE)
    with env.engine.begin() as db:
        now = env.clock()
        put_off = {"try_at": now + pause, "attempts": target.attempts + 1, "error": error}
        db.execute(_KEEP, {"p_target": target.id, **put_off})
        tell_operator(
            db,
            operator=env.operator,
            key=f"launch:{target.id}:{local_day(now).isoformat()}",
            template="operator",
            context={"target_id": target.id},
            now=now,
        )


def _finish(env: Env) -> None:
    with reading(env.engine) as db:
        full = list(db.execute(_FULL, {"p_now": env.clock()}).scalars())
    each_apart(_log, full, lambda launch_id: _done(env, launch_id))


def _done(env: Env, launch_id: int) -> int:
    def act(work: Work) -> dict[str, int]:
        ended = update(_launches).where(_launches.c.id == launch_id).values(done_at=work.now)
        work.db.execute(ended)
        of_launch = select(func.count()).where(_targets.c.launch_id == launch_id)
        cases = int(work.db.execute(of_launch).scalar_one())
        work.audit(STREAM, {"act": "launch_done", "launch": launch_id, "cases": cases})
        return {"cases": cases}

    execute(env, SYSTEM, "launch.done", f"launch.done:{launch_id}", {}, act)
    return 1
