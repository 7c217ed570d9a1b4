"""What the Prefect side of the house has to do, as values (rules G, H, J, M). Knows no Prefect.

A case's run does its effects and shows its end. Whatever asks for that leaves a ``RunWake``; the
worker looks at the run as it is, does what :func:`act_for` says, and looks again until it is done.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    ScalarSelect,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from models.base import table
from models.casework import Case, CaseState, Effect, EffectState, RunWake
from models.organisation import Level, Organisation
from services.casework.branch import known_edition
from services.database import reading
from services.env import Env
from services.errors import NotFound
from services.restricted import RESTRICTED

_cases = table(Case)
_effects = table(Effect)
_wakes = table(RunWake)
_organisations = table(Organisation)

LEFT_ALONE = timedelta(hours=24)
"""How long a run that an operator cancelled stays stopped (rule M)."""
STOPPED = "运行已停"
"""``Case.mirrored`` while an operator's cancel holds (rule M): steps and deadlines go on."""
END = "end"
"""``Case.mirrored`` once Prefect shows that the case ended."""
KNOWN = (
    _cases.c.id,
    _cases.c.number,
    _cases.c.mechanism,
    _cases.c.organisation_id,
    _cases.c.run_id,
    _cases.c.state,
)
_FIRST_BACK_OFF = timedelta(seconds=0.25)
_LAST_BACK_OFF = timedelta(seconds=30)
_LEASE = timedelta(seconds=2)
"""How long a wake is left to the process that claimed it; acting upon one twice does no harm."""


class RunKind(StrEnum):
    """The type of a run's state, in Prefect's words."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Run:
    """A flow run as Prefect shows it; ``worker`` is the one that took it last, "" when none did."""

    id: str
    kind: RunKind
    since: datetime
    worker: str = ""
    of_case: bool = True
    elsewhere: bool = False
    """It is not of the work pool that is served now, so that no worker would ever take it."""


@dataclass(frozen=True, slots=True)
class Due:
    """A case whose run has something to do, and what is known of it."""

    case_id: int
    number: str
    mechanism: str
    organisation_id: int
    run_id: str | None
    ended: bool
    effects: int
    """Effects queued or claimed."""
    attempts: int
    last_wake: int
    """Wakes up to this id are covered by what is done now; later ones stay."""


class Act(StrEnum):
    """``create_waiting`` makes a run that is suspended from the start: nothing is to run yet.

    ``replace`` deletes one that no worker would take, so that the next look makes another.
    """

    CREATE = "create"
    CREATE_WAITING = "create_waiting"
    RESUME = "resume"
    RESTART = "restart"
    REPLACE = "replace"
    WAIT = "wait"
    STOPPED = "stopped"
    SETTLE = "settle"


CREATES = frozenset({Act.CREATE, Act.CREATE_WAITING})
_ASKED_FOR = CREATES | {Act.RESUME, Act.RESTART, Act.REPLACE}


def act_for(due: Due, run: Run | None, now: datetime) -> Act:
    """What to do about a wake, given the run as it is; doing it twice does no harm."""
    act = _act_for(due, run, now)
    lost = run is not None and run.elsewhere and run.kind is RunKind.SCHEDULED
    if lost or (run is not None and run.elsewhere and act in (Act.RESUME, Act.RESTART)):
        return Act.REPLACE
    return act


def _act_for(due: Due, run: Run | None, now: datetime) -> Act:
    work = due.ended or due.effects > 0
    done = due.ended and not due.effects  # one that was terminated may still have an effect
    if run is None:
        return Act.CREATE if work else Act.CREATE_WAITING
    match run.kind:
        case RunKind.PAUSED:
            return Act.RESUME if work else Act.SETTLE
        case RunKind.COMPLETED:
            return Act.SETTLE if done else Act.RESTART
        case RunKind.FAILED | RunKind.CRASHED:
            return Act.RESTART
        case RunKind.CANCELLED if done:
            return Act.SETTLE
        case RunKind.CANCELLED:
            return Act.STOPPED if now - run.since < LEFT_ALONE else Act.RESTART
        case _:
            return Act.WAIT


def claim(env: Env, found: Iterable[Due]) -> list[Due]:
    """Those of ``found`` whose wakes are this process's to act upon for :data:`_LEASE`."""
    wanted = {due.case_id: due for due in found}
    if not wanted:
        return []
    with env.engine.begin() as db:
        now = env.clock()
        claimed = db.execute(
            update(_wakes)
            .where(_wakes.c.case_id.in_(wanted), _wakes.c.try_at <= now)
            .values(try_at=now + _LEASE)
            .returning(_wakes.c.case_id)
        )
        mine = set(claimed.scalars())
    return [due for case_id, due in wanted.items() if case_id in mine]


def overlooked(due: Due, run: Run | None, now: datetime) -> bool:
    """Whether a case without a wake should have one: its wake was lost, or its run was."""
    act = act_for(due, run, now)
    return act in _ASKED_FOR or (act is Act.SETTLE and due.ended)


def back_off(attempts: int) -> timedelta:
    """The pause before a wake is looked at again: doubling, from a quarter to thirty seconds."""
    return min(_FIRST_BACK_OFF * (1 << min(attempts, 10)), _LAST_BACK_OFF)


def due_wakes(env: Env, limit: int) -> list[Due]:
    """Cases with a run and a due wake, urgent ones first; see ``run_queue`` for the others.

    What a newer version opened is left to it (rule F).
    """
    attempts, last = func.min(_wakes.c.attempts), func.max(_wakes.c.id)
    query = (
        select(
            *KNOWN,
            pending_effects().label("effects"),
            attempts.label("attempts"),
            last.label("last"),
        )
        .join(_cases, _cases.c.id == _wakes.c.case_id)
        .where(_wakes.c.try_at <= env.clock(), _cases.c.run_id.is_not(None), known_edition(env))
        .group_by(_cases.c.id)
        .order_by(_cases.c.urgent.desc(), func.min(_wakes.c.try_at))
        .limit(limit)
    )
    with reading(env.engine) as db:
        return [due_of(row) for row in db.execute(query)]


def anything_due(env: Env) -> bool:
    """Whether any wake is due: the cheap question before the dear ones."""
    due = select(_wakes.c.id).where(_wakes.c.try_at <= env.clock()).limit(1)
    with reading(env.engine) as db:
        return db.execute(due).first() is not None


def backlog(env: Env) -> int:
    """How many wakes of cases that have a run are due: what a writer of mirrors gives way to.

    Those that wait for a run of their own are paced (rule H), for an hour after a large launch:
    nobody else's mirror stands still for that.
    """
    due = (
        select(func.count())
        .select_from(_wakes.join(_cases, _cases.c.id == _wakes.c.case_id))
        .where(_wakes.c.try_at <= env.clock(), _cases.c.run_id.is_not(None))
    )
    with reading(env.engine) as db:
        return int(db.execute(due).scalar_one())


def case_of(env: Env, number: str) -> int:
    """The id of the case with this number. :class:`NotFound` when there is none."""
    with reading(env.engine) as db:
        found = db.execute(select(_cases.c.id).where(_cases.c.number == number)).scalar()
    if found is None:
        raise NotFound(number=number)
    return int(found)


def carried_on_here(env: Env, case_id: int) -> bool:
    """Whether this code has the edition of a case; another version's process has it otherwise."""
    with reading(env.engine) as db:
        query = select(_cases.c.id).where(_cases.c.id == case_id, known_edition(env))
        return db.execute(query).first() is not None


def unwoken(env: Env, after: int, limit: int) -> list[Due]:
    """Cases with no wake that should have a run or show their end, by id, for the reconciler."""
    shown = _cases.c.state.in_([CaseState.ENDED, CaseState.TERMINATED]) & (_cases.c.mirrored == END)
    query = (
        select(
            *KNOWN,
            pending_effects().label("effects"),
            literal(0).label("attempts"),
            literal(0).label("last"),
        )
        .where(_cases.c.id > after, ~shown, ~exists().where(_wakes.c.case_id == _cases.c.id))
        .order_by(_cases.c.id)
        .limit(limit)
    )
    with reading(env.engine) as db:
        return [due_of(row) for row in db.execute(query)]


def wake(env: Env, case_ids: Iterable[int]) -> None:
    """Have these cases' runs looked at."""
    found = list(case_ids)
    if found:
        with env.engine.begin() as db:
            now = env.clock()
            db.execute(
                insert(_wakes), [{"case_id": id, "try_at": now, "attempts": 0} for id in found]
            )


def pending_effects() -> ScalarSelect[int]:
    """How many effects of a case in an enclosing query are queued or claimed."""
    waiting = [EffectState.QUEUED, EffectState.CLAIMED]
    return (
        select(func.count())
        .where(_effects.c.case_id == _cases.c.id, _effects.c.state.in_(waiting))
        .correlate(_cases)
        .scalar_subquery()
    )


def due_of(row: Row[Any]) -> Due:
    """What is known of a case, from a row of :data:`KNOWN` and the rest."""
    ended = row.state != CaseState.OPEN
    return Due(
        row.id, row.number, row.mechanism, row.organisation_id, row.run_id, ended,
        row.effects, row.attempts, row.last,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done about a wake, and the run the case has now."""

    due: Due
    act: Act
    run_id: str | None


def record(env: Env, outcomes: Iterable[Outcome]) -> None:
    """Keep new run ids, drop the wakes that are settled, put the others off."""
    done = list(outcomes)
    if not done:
        return
    with env.engine.begin() as db:
        now = env.clock()
        for outcome in done:
            _record(db, outcome, now)


def is_stopped(case: Row[Any]) -> bool:
    """Whether an operator stopped the run of this row of ``case``, and it still matters."""
    return bool(case.state == CaseState.OPEN and case.mirrored == STOPPED)


def _record(db: Connection, outcome: Outcome, now: datetime) -> None:
    due = outcome.due
    kept: dict[str, Any] = {}
    if outcome.run_id != due.run_id:
        kept = {"run_id": outcome.run_id, "tabled": None}
    if outcome.act is Act.SETTLE and due.ended:
        kept |= {"mirrored": END, "mirrored_at": now, "tabled": None}
    elif outcome.act is Act.STOPPED:
        kept |= {"mirrored": STOPPED, "mirrored_at": now}
    if kept:
        db.execute(update(_cases).where(_cases.c.id == due.case_id).values(kept))
    covered = (_wakes.c.case_id == due.case_id) & (_wakes.c.id <= due.last_wake)
    if outcome.act in (Act.SETTLE, Act.CREATE_WAITING):
        # an effect may have been queued, or the case have ended, since it was read
        as_read = (
            select(pending_effects() == due.effects)
            .where(_cases.c.id == due.case_id)
            .scalar_subquery()
        )
        open_now = exists().where(_cases.c.id == due.case_id, _cases.c.state == CaseState.OPEN)
        db.execute(delete(_wakes).where(covered, as_read, open_now if not due.ended else true()))
    pause = timedelta(hours=1) if outcome.act is Act.STOPPED else back_off(due.attempts)
    db.execute(update(_wakes).where(covered).values(try_at=now + pause, attempts=due.attempts + 1))


def of_no_case(env: Env, run_ids: Iterable[str]) -> set[str]:
    """Those of the runs that are no case's."""
    found = set(run_ids)
    with reading(env.engine) as db:
        return found - set(
            db.execute(select(_cases.c.run_id).where(_cases.c.run_id.is_not(None))).scalars()
        )


@dataclass(frozen=True, slots=True)
class Label:
    """How a case's run is named and tagged in Prefect; nothing that says who or what about."""

    name: str
    tags: tuple[str, ...]


def label(env: Env, due: Due) -> Label:
    """``<number> <unit>`` and the tags mechanism and district; the number only when restricted."""
    if due.mechanism in RESTRICTED:
        return Label(due.number, ())
    with reading(env.engine) as db:
        unit = db.execute(
            select(_organisations.c.short_name, _organisations.c.path).where(
                _organisations.c.id == due.organisation_id
            )
        ).one()
        district = db.execute(
            select(_organisations.c.name).where(
                _organisations.c.level == Level.DISTRICT,
                literal(unit.path).startswith(_organisations.c.path),
            )
        ).scalar()
    tags = (due.mechanism, *([district] if district else []))
    return Label(f"{due.number} {unit.short_name}", tags)
