"""The watch (rule N, phase 1): fires the rungs that are due, per branch and under its lock.

Nothing is queued: a step stores when to look at it again (``next_rung_at``), and what is to be
done then follows from its state, its deadline and the calendar. A missed run loses nothing
(trap 4), and after an outage only the last rung that is due acts. A clock that was moved fires
nothing before a second look agrees with it (INV-23).
"""

import logging
import secrets
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Row, Select, insert, or_, select, update

from models.base import table
from models.casework import Rung, Slot, SlotState, Step, StepState, WakeKind
from policy import ladder as ladders
from policy.calendar import Calendar
from policy.deadline import due_day
from policy.ladder import Route, RungKind
from policy.route import Choice
from services import calendar
from services.batch import each_apart
from services.casework.branch import LockedBranch, lock_branch, wake_root
from services.casework.gap import note_gap
from services.casework.vacancies import find_vacancies
from services.casework.waiting import ring, ringing
from services.changes.planned import carry_out_due
from services.clock_watch import believed, looked
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.delivery import deliver
from services.env import Env
from services.pause_review import ask_pausers
from services.policy import frozen
from services.publishing import recompute
from services.run_events import RUNG, tell_prefect
from services.rungs import AskedOf, Known, Routes
from services.substitution import end_due
from services.telling import tell_many

OVERTAKEN, VACANT, NOBODY = "overtaken", "vacant", "nobody"
"""Why a rung did not act: a later one was due as well, the post has no holder, nor has the route
anybody left to ask."""
_log = logging.getLogger(__name__)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)


def look(env: Env) -> None:
    """One look of the watch: what is overdue is raised, and what is to be told is sent.

    Neither while the clock is doubted: the next look, a minute later, makes up for it. Only a look
    that came to its end counts as one (``services.alarms``).
    """
    if believed(env):
        sweep(env)
        deliver(env)
    looked(env)


def sweep(env: Env, limit: int = 200) -> int:
    """Fire every rung that is due, and ring for what waited for a day; how many. Any number may
    run at once.

    ``limit`` is how many steps are read at a time. Dates that a published calendar has still to
    move are moved first, so that nothing is raised by a calendar that no longer holds.
    """
    with reading(env.engine) as db:
        newest = calendar.latest(db).id
    while recompute(env, newest, limit):
        pass
    each_apart(_log, (carry_out_due, end_due, find_vacancies, ask_pausers), lambda look: look(env))
    known: Known = {}
    pages = chain((ringing(env),), _due(env, limit))
    return sum(
        each_apart(_log, page, lambda branch_id: _fire(env, branch_id, known)) for page in pages
    )


def _due(env: Env, limit: int) -> Iterator[list[int]]:
    """Pages of branches in the order of their rungs; each step is met once, also a poisoned one."""
    now, after = env.clock(), None
    while True:
        with reading(env.engine) as db:
            rows = db.execute(_page(now, after, limit)).all()
        if not rows:
            return
        yield list(dict.fromkeys(row.branch_id for row in rows))
        after = rows[-1]


def _page(now: datetime, after: Row[Any] | None, limit: int) -> Select[Any]:
    names = ("id", "branch_id", "next_rung_at")
    query = select(*(_steps.c[name] for name in names)).where(
        _steps.c.next_rung_at <= now, _steps.c.state == StepState.OPEN
    )
    if after is not None:
        at = after.next_rung_at
        query = query.where(
            or_(
                _steps.c.next_rung_at > at,
                (_steps.c.next_rung_at == at) & (_steps.c.id > after.id),
            )
        )
    return query.order_by(_steps.c.next_rung_at, _steps.c.id).limit(limit)


def _fire(env: Env, branch_id: int, known: Known) -> int:
    """A new key each time: what is fired twice is prevented under the lock, and a look that came to
    nothing, because the clock stepped back meanwhile, must not use its key up."""

    def act(work: Work) -> dict[str, int]:
        return _look(work, branch_id, known)

    key, body = f"watch:{branch_id}:{secrets.token_hex(8)}", {"branch": branch_id}
    done = execute(env, SYSTEM, "watch", key, body, act, rows=("CK-8", "CK-19"))
    return int(done["raised"])


def _look(work: Work, branch_id: int, known: Known) -> dict[str, int]:
    branch = lock_branch(work, branch_id, skip_locked=True)
    watch = _Watch(work, branch, known)
    rows = work.db.execute(
        select(_steps)
        .where(
            _steps.c.branch_id == branch_id,
            _steps.c.state == StepState.OPEN,
            _steps.c.next_rung_at <= work.now,
        )
        .order_by(_steps.c.id)
    ).all()
    raised = sum(watch.climb(row) for row in rows) + ring(branch)
    branch.save()
    return {"raised": raised}


class _Watch:
    """One look at one locked branch."""

    def __init__(self, work: Work, branch: LockedBranch, known: Known) -> None:
        self._work = work
        self._branch = branch
        self._calendar: Calendar = calendar.latest(work.db)
        self._routes = Routes(work.db, work.today, known)

    def climb(self, step: Row[Any]) -> int:
        """Fire what is due of a step and note when to look again; 1 if a rung acted."""
        ladder = frozen(self._work.db, self._branch.policy_id).ladder_for(step.ladder, step.due_key)
        if ladder is None or step.due_at is None:
            self._set(step.id, next_rung_at=None)
            return 0
        climbed = ladders.climb(
            ladder,
            due_day(step.due_at),
            self._calendar,
            step.rungs_fired,
            step.opened_at,
            now=self._work.now,
        )
        if climbed.acting is None:
            self._set(step.id, next_rung_at=climbed.next_at)
            return 0
        self._act(step, climbed.acting, climbed.overtaken)
        self._set(step.id, rungs_fired=climbed.acting.number, next_rung_at=climbed.next_at)
        return 1

    def _act(self, step: Row[Any], rung: ladders.Rung, overtaken: Sequence[ladders.Rung]) -> None:
        slots = self._open_slots(step.id)
        told = self._tell(step, rung, [slot.post_id for slot in slots])
        for slot in slots:
            choice = self._choice(step, slot, rung)
            note = self._note(rung, slot.post_id in told, choice)
            rung_id = self._insert(step, slot.id, rung, overtaken, choice, note)
            if choice.post_id is not None:
                wake_root(self._branch, WakeKind.RAISE, rung_id)
            self._tell_prefect(step, rung_id, rung)
            self._branch.note(
                act="rung",
                step=step.id,
                slot=slot.id,
                rung=rung_id,
                number=rung.number,
                kind=rung.kind.value,
                deadline=step.deadline_version,
                calendar=self._calendar.id,
                post=choice.post_id,
                passed=[[post_id, why.value] for post_id, why in choice.passed_over],
                note=note,
            )

    def _tell_prefect(self, step: Row[Any], rung_id: int, rung: ladders.Rung) -> None:
        told = {
            "step": step.key,
            "rung": rung.kind.value,
            "rung_number": rung.number,
            "due_on": due_day(step.due_at).isoformat(),
        }
        tell_prefect(self._work, RUNG, f"rung:{rung_id}", self._branch.case_id, told)

    def _open_slots(self, step_id: int) -> Sequence[Row[Any]]:
        query = select(_slots.c.id, _slots.c.post_id).where(
            _slots.c.step_id == step_id, _slots.c.state == SlotState.OPEN
        )
        return self._work.db.execute(query.order_by(_slots.c.id)).all()

    def _choice(self, step: Row[Any], slot: Row[Any], rung: ladders.Rung) -> Choice:
        if rung.route is Route.HOLDER:
            return Choice(None)
        asked_of = AskedOf(
            slot.id,
            slot.post_id,
            self._branch.organisation_id,
            step.rungs_fired,
            self._branch.mechanism_name,
        )
        return self._routes.choice(rung.route, asked_of)

    def _note(self, rung: ladders.Rung, held: bool, choice: Choice) -> str:
        if rung.route is Route.HOLDER:
            return "" if held else VACANT
        return "" if choice.post_id is not None else NOBODY

    def _tell(self, step: Row[Any], rung: ladders.Rung, wanted: Sequence[int]) -> frozenset[int]:
        """Tell the holders, once for each date: whoever missed the due notice gets it with a later
        rung. A vacant post has a case of its own."""
        due_on: date = due_day(step.due_at)
        template = "remind" if rung.kind is RungKind.REMIND else "due"
        told = tell_many(
            self._work.db,
            key=f"{template}:{step.id}:{due_on.isoformat()}",
            posts=wanted,
            template=template,
            context={"due_on": due_on.isoformat()},
            now=self._work.now,
            case_id=self._branch.case_id,
            step_id=step.id,
        )
        for post_id in wanted:
            if post_id not in told:
                note_gap(self._branch, step.id, post_id)
        return told

    def _insert(
        self,
        step: Row[Any],
        slot_id: int,
        rung: ladders.Rung,
        overtaken: Sequence[ladders.Rung],
        choice: Choice,
        note: str,
    ) -> int:
        passed = [{"post": post_id, "reason": why.value} for post_id, why in choice.passed_over]
        common = {
            "step_id": step.id,
            "slot_id": slot_id,
            "deadline_version": step.deadline_version,
            "at": self._work.now,
        }
        rows = [
            {**common, **_silent(missed), "post_id": None, "passed_over": [], "note": OVERTAKEN}
            for missed in overtaken
        ]
        if rows:
            self._work.db.execute(insert(_rungs), rows)
        acting = {**common, **_silent(rung), "post_id": choice.post_id, "passed_over": passed}
        made = self._work.db.execute(
            insert(_rungs).returning(_rungs.c.id), {**acting, "note": note}
        )
        return int(made.scalar_one())

    def _set(self, step_id: int, **columns: Any) -> None:
        self._work.db.execute(update(_steps).where(_steps.c.id == step_id).values(**columns))


def _silent(rung: ladders.Rung) -> dict[str, Any]:
    return {"number": rung.number, "kind": rung.kind.value}
