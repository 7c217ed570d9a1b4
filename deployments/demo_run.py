"""``fourduties demo run``: a whole rectification on the virtual clock, with simulated deciders.

Everything goes the way it goes in earnest: the same commands, the same watch, the drain after each
commit, and effects claimed, run and finished as the case's Prefect run does it. Only the clock and
the people are not real.
"""

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import TextIO

from sqlalchemy import Connection, select

from deployments.demo.deciders import Deciders, PlannedTask, Waiting
from deployments.demo.holidays import DAYS, HORIZON, SOURCE
from deployments.demo.lines import Lines
from deployments.demo.set_up import DISTRICT, TOWN, feedback, set_up_demo
from deployments.demo.totals import write_totals
from flows.rectification import rectification
from models.account import Account
from models.base import table
from models.casework import (
    Branch,
    Effect,
    EffectState,
    Origin,
    Slot,
    SlotState,
    Step,
)
from models.problem import Task
from policy.calendar import instant_on, local_day
from policy.ladder import OFFICE_OPENS
from services import calendar
from services.casework import (
    claim_effect,
    decide,
    drain,
    finish_effect,
    mechanisms,
    ready_effects,
)
from services.catalogue import translated
from services.command import SYSTEM, Actor, execute
from services.database import open_engine, reading
from services.env import Env
from services.migration import migrate
from services.posts import holder
from services.problem_import import Imported, import_feedback
from services.publishing import publish
from services.rectification_roles_form import proposed_roles
from services.watch import sweep

START = datetime(2026, 12, 11, 1, 30, tzinfo=UTC)
"""Half past nine on a Friday in Shanghai: the day of the feedback."""
APPOINTED = date(2026, 1, 1)
_DAY = timedelta(days=1)
_accounts, _branches, _effects = table(Account), table(Branch), table(Effect)
_slots, _steps, _tasks = table(Slot), table(Step), table(Task)
SCRIPT = rectification
"""The mechanism that is played; importing it declares it."""
_QUEUED = select(_effects.c.id).where(_effects.c.state == EffectState.QUEUED)


def demo_run(seed: int, out: TextIO) -> int:
    """Play one rectification to its end and write its events and totals; the exit code.

    0 when every problem and the case ended, 1 otherwise. Its database is its own, in memory. The
    same seed writes the same bytes.
    """
    with _fresh(seed) as (env, clock):
        _publish_calendars(env)
        set_up_demo(env, SYSTEM, APPOINTED)
        lines = Lines(out, clock)
        imported = _import(env, lines)
        run = _Run(env, clock, lines, imported, Random(seed))
        run.play()
        with reading(env.engine) as db:
            return write_totals(db, out, lines, START)


@dataclass
class VirtualClock:
    """Stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def _fresh(seed: int) -> Iterator[tuple[Env, VirtualClock]]:
    """An environment on a migrated database in memory, which goes with the process."""
    clock, engine = VirtualClock(), open_engine("sqlite://")
    migrate(engine)
    try:
        drawn_by = f"demo-{seed}"
        yield Env(engine, clock, mechanisms(), words=translated, seed=lambda: drawn_by), clock
    finally:
        engine.dispose()


def _publish_calendars(env: Env) -> None:
    execute(env, SYSTEM, "calendar.seed", "seed", {}, lambda work: {"id": calendar.seed(work)})
    publish(env, SYSTEM, horizon=HORIZON, days=DAYS, source=SOURCE, key="calendar-2027")


def _import(env: Env, lines: Lines) -> Imported:
    """The inspection office's clerk imports the feedback, which opens the case."""
    with reading(env.engine) as db:
        login = f"{DISTRICT}.inspection.clerk"
        query = select(_accounts.c.person_id).where(_accounts.c.login == login)
        clerk = Actor(db.execute(query).scalar_one(), "demo")
    imported = import_feedback(
        env, clerk, organisation=TOWN, data=feedback(), filename="feedback.xlsx", key="feedback"
    )
    lines.number = imported.number
    lines.say(
        f"导入 反馈问题 {imported.problems} 个、具体表现 {imported.manifestations} 条、"
        f"整改任务 {imported.tasks} 项"
    )
    return imported


@dataclass(order=True)
class _Visit:
    """Somebody will come to answer a slot."""

    at: datetime
    order: int
    waiting: Waiting = field(compare=False)


class _Run:
    """The case, the clock, and who comes when."""

    def __init__(
        self, env: Env, clock: VirtualClock, lines: Lines, imported: Imported, random: Random
    ) -> None:
        if imported.case_id is None:
            raise LookupError("the import opened no case")
        self._env, self._clock, self._lines = env, clock, lines
        self._case_id = imported.case_id
        with reading(env.engine) as db:
            self._deciders = Deciders(random, _planned(db), calendar.latest(db))
        self._visits: list[_Visit] = []
        self._order = count()
        self._last_slot = 0
        self._next_sweep = instant_on(local_day(clock.now) + _DAY, OFFICE_OPENS)

    def play(self) -> None:
        """Until nobody is expected any more."""
        self._settle()
        while self._visits:
            if self._visits[0].at >= self._next_sweep:
                self._clock.now = self._next_sweep
                self._next_sweep += _DAY
                sweep(self._env)
            else:
                visit = heapq.heappop(self._visits)
                self._clock.now = visit.at
                self._answer(visit.waiting)
            self._settle()

    def _answer(self, waiting: Waiting) -> None:
        with reading(self._env.engine) as db:
            if not _is_open(db, waiting.slot_id):
                return
            who = holder(db, waiting.post_id, local_day(self._clock.now))
            roles = proposed_roles(db, self._case_id) if waiting.key == "assign-roles" else None
        if who is None:
            raise LookupError(f"nobody holds post {waiting.post_id}")
        given = self._deciders.answer(waiting)
        decide(
            self._env,
            Actor(who.person_id, "demo"),
            slot_id=waiting.slot_id,
            answer=given.answer,
            key=f"demo-{waiting.slot_id}",
            reason=given.reason,
            payload=roles,
            back_to=given.back_to,
        )

    def _settle(self) -> None:
        """Drain and run effects until nothing moves; then say what is new, and who comes for it."""
        while drain(self._env) + self._run_effects():
            pass
        with reading(self._env.engine) as db:
            self._lines.news(db)
            arrived = _arrived(db, self._last_slot)
        for waiting in arrived:
            self._last_slot = waiting.slot_id
            at = self._deciders.when(waiting, self._clock.now)
            heapq.heappush(self._visits, _Visit(at, next(self._order), waiting))

    def _run_effects(self) -> int:
        with reading(self._env.engine) as db:
            waits = db.execute(_QUEUED).first() is not None
            ready = ready_effects(db, self._case_id) if waits else []
        for ref in ready:
            call = claim_effect(self._env, ref.id)
            if call is not None:
                finish_effect(self._env, ref.id, call.run())
        return len(ready)


def _planned(db: Connection) -> list[PlannedTask]:
    names = ("id", "problem_id", "lead_unit_id", "due_on", "long_term")
    query = select(*(_tasks.c[name] for name in names)).order_by(_tasks.c.id)
    return [PlannedTask(*row) for row in db.execute(query)]


def _is_open(db: Connection, slot_id: int) -> bool:
    state = db.execute(select(_slots.c.state).where(_slots.c.id == slot_id)).scalar_one()
    return bool(state == SlotState.OPEN)


def _arrived(db: Connection, after: int) -> list[Waiting]:
    """The slots opened since, in their order."""
    rows = db.execute(
        select(
            _slots.c.id,
            _steps.c.key,
            _steps.c.round,
            _slots.c.position,
            _slots.c.post_id,
            _branches.c.row_id,
            _steps.c.due_at,
            _steps.c.answers,
            _steps.c.origin,
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_branches, _branches.c.id == _slots.c.branch_id)
        .where(_slots.c.id > after, _slots.c.state == SlotState.OPEN)
        .order_by(_slots.c.id)
    )
    return [
        Waiting(
            slot_id=row.id,
            key=row.key,
            round=row.round,
            position=row.position,
            post_id=row.post_id,
            row_id=row.row_id,
            due_at=row.due_at,
            answers=tuple(row.answers),
            by_script=row.origin == Origin.SCRIPT,
        )
        for row in rows
    ]
