"""Publishing the next calendar, and what it does to running cases (replay.md, Deadlines; rule L).

Only dates that were shown as provisional move; when to look at a step again (``next_rung_at``) is
derived and follows the calendar in force. The decision is one command; each branch it reaches is
changed under its own lock, once per (calendar, branch), so that a killed run is simply run again.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)

from models.audit import Command
from models.base import table
from models.calendar import CalendarVersion
from models.casework import Rung, Step, StepState
from models.organisation import PostKind
from policy.calendar import Calendar, instant_on
from policy.deadline import Deadline, deadline, due_day
from policy.defaults import Policy
from policy.duration import Duration
from policy.ladder import next_rung
from policy.pause import moved_by
from services import calendar as calendars
from services.batch import each_apart
from services.calendar import Day
from services.casework.branch import LockedBranch, lock_branch
from services.casework.standstill import stood_of
from services.casework.steps import relieve
from services.command import SYSTEM, Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.policy import frozen
from services.sanitising import check_text
from services.scope import standing

_log = logging.getLogger(__name__)
_commands = table(Command)
_rungs = table(Rung)
_steps = table(Step)
_versions = table(CalendarVersion)


def publish(
    env: Env, actor: Actor, *, horizon: date, days: Sequence[Day], source: str, key: str
) -> int:
    """Publish the next version; its id. :func:`recompute` then carries it into running cases.

    ``days`` are added to those of the version before, or take their place; ``horizon`` is the
    last day that is known now. Only the system and its operators may (NotAuthorised). Invalid:
    an earlier horizon, a day beyond it, no source, or a year without any day off, which only a
    list that lacks it can have (trap 5).
    """
    body = {
        "horizon": horizon.isoformat(),
        "days": [[day.on.isoformat(), day.working, day.name] for day in days],
        "source": source,
    }

    def act(work: Work) -> dict[str, int]:
        _require_operator(work)
        return _publish(work, horizon, days, source)

    return int(execute(env, actor, "calendar.publish", key, body, act, rows=("CK-19",))["calendar"])


def recompute(env: Env, calendar_id: int, limit: int) -> int:
    """Carry a published calendar into at most ``limit`` branches; how many. 0: nothing is left.

    A branch that is locked or fails is left for the next call; the watch calls it every minute.
    """
    with reading(env.engine) as db:
        since = _first_change(db, calendar_id)
        targets = db.execute(_targets(calendar_id, since).limit(limit)).all()
    return each_apart(
        _log, targets, lambda target: _carry(env, calendar_id, since, target.branch_id, target.key)
    )


def _publish(work: Work, horizon: date, days: Sequence[Day], source: str) -> dict[str, int]:
    check_text(work.actor, "calendar.publish", "source", source)
    before = calendars.latest(work.db)
    merged = {day.on: day for day in calendars.days_of(work.db, before.id)}
    merged |= {day.on: day for day in days}
    _check(before, horizon, merged, source)
    calendar_id = calendars.insert_version(
        work, horizon, [merged[on] for on in sorted(merged)], source.strip()
    )
    targets = work.db.execute(_targets(calendar_id, _first_change(work.db, calendar_id)))
    work.audit(
        "calendar",
        {
            "act": "published",
            "calendar": calendar_id,
            "horizon": horizon,
            "source": source.strip(),
            "days": [[day.on, day.working, day.name] for day in sorted(days, key=lambda d: d.on)],
            "branches": list(targets.scalars()),
        },
    )
    return {"calendar": calendar_id}


def _require_operator(work: Work) -> None:
    person_id = work.actor.person_id
    if person_id is None or person_id == work.env.operator:
        return
    held = standing(work.db, person_id, work.today).posts
    if not any(post.kind is PostKind.OPERATOR for post in held):
        raise NotAuthorised


def _check(before: Calendar, horizon: date, days: dict[date, Day], source: str) -> None:
    if not source.strip():
        raise Invalid("请填写放假通知的文号。", field="source")
    if horizon < before.horizon:
        raise Invalid("新日历的截止日期不能早于现行日历。", field="horizon")
    if days and max(days) > horizon:
        raise Invalid("所列日期超出了新日历的截止日期。", field="days")
    off = {day.on.year for day in days.values() if not day.working}
    for year in range(before.horizon.year + 1, horizon.year + 1):
        if year not in off:
            raise Invalid(f"{year}年没有任何放假安排，请核对放假通知。", field="days")


def _first_change(db: Connection, calendar_id: int) -> datetime:
    """The instant from which a calendar says something that the version before did not."""
    earlier = select(func.max(_versions.c.id)).where(_versions.c.id < calendar_id)
    before_id = db.execute(earlier).scalar()
    after = calendars.version(db, calendar_id)
    if before_id is None:
        return instant_on(after.horizon + timedelta(days=1))
    before = calendars.version(db, int(before_id))
    known = before.working_exceptions.keys() | after.working_exceptions.keys()
    changed = {day for day in known if before.is_working(day) != after.is_working(day)}
    return instant_on(min(changed | {before.horizon + timedelta(days=1)}))


def _targets(calendar_id: int, since: datetime) -> Select[Any]:
    """Branches with something a calendar has still to be carried into, and the key of doing it.

    A provisional date is found by its calendar until it is moved. The instants to look again at
    carry no such mark: they are gone through once a branch, by the key that ends in 0.
    """
    named = literal(f"calendar:{calendar_id}:") + cast(_steps.c.branch_id, String) + ":"
    gone_through = select(_commands.c.id).where(_commands.c.key == named + "0").exists()
    provisional = func.min(case((_steps.c.provisional, _steps.c.id)))
    key = named + cast(func.coalesce(provisional, 0), String)
    return (
        select(_steps.c.branch_id, key.label("key"))
        .where(_reached(calendar_id, since), or_(_steps.c.provisional, ~gone_through))
        .group_by(_steps.c.branch_id)
        .order_by(_steps.c.branch_id)
    )


def _reached(calendar_id: int, since: datetime) -> ColumnElement[bool]:
    moves = or_(_steps.c.provisional, _steps.c.next_rung_at >= since)
    return (_steps.c.state == StepState.OPEN) & (_steps.c.calendar_id < calendar_id) & moves


def _carry(env: Env, calendar_id: int, since: datetime, branch_id: int, key: str) -> int:
    def act(work: Work) -> dict[str, int]:
        branch = lock_branch(work, branch_id, skip_locked=True)
        calendar = calendars.version(work.db, calendar_id)
        policy = frozen(work.db, branch.policy_id)
        query = select(_steps).where(_steps.c.branch_id == branch_id, _reached(calendar_id, since))
        steps = work.db.execute(query.order_by(_steps.c.id)).all()
        for step in steps:
            _recount(branch, step, policy, calendar)
        branch.save()
        return {"steps": len(steps)}

    execute(env, SYSTEM, "calendar.recompute", key, {"branch": branch_id}, act, rows=("CK-19",))
    return 1


def _recount(branch: LockedBranch, step: Row[Any], policy: Policy, calendar: Calendar) -> None:
    if not step.provisional:
        again = _look_again(step, policy, calendar, due_day(step.due_at), step.rungs_fired)
        _set(branch, step.id, next_rung_at=again)
        return
    duration = policy.durations[step.due_key]
    first = deadline(duration, step.opened_at, calendar)
    due = _counted(calendar, duration, first, stood_of(branch.work.db, step.id))
    moved = due.due_at != step.due_at
    columns = _frozen_dates(step, due, first, calendar)
    fired = step.rungs_fired
    if moved:
        if fired:
            relieve(branch, _rungs.c.step_id == step.id)
        fired = 0
        columns |= {"deadline_version": step.deadline_version + 1, "rungs_fired": fired}
    stands = step.paused_at is not None
    again = None if stands else _look_again(step, policy, calendar, due.on, fired)
    _set(branch, step.id, **columns, next_rung_at=again)
    branch.note(
        act="calendar",
        step=step.id,
        calendar=calendar.id,
        due=[step.due_at, due.due_at],
        provisional=due.provisional,
        deadline=columns.get("deadline_version", step.deadline_version),
    )


def _counted(calendar: Calendar, duration: Duration, first: Deadline, stood: int) -> Deadline:
    """The date as it is counted now, moved by what its clock stood (暂停)."""
    on = moved_by(duration.kind, first.on, stood, calendar)
    due_at = instant_on(on + timedelta(days=1))
    return Deadline(due_at, on, first.provisional or calendar.is_provisional(on))


def _frozen_dates(
    step: Row[Any], due: Deadline, first: Deadline, calendar: Calendar
) -> dict[str, Any]:
    """Both values stay: what was shown first, and the date as it is frozen now."""
    return {
        "due_at": due.due_at,
        "provisional": due.provisional,
        "provisional_due_at": step.provisional_due_at or step.due_at,
        "original_due_at": None if due.provisional else first.due_at,
        "calendar_id": calendar.id,
    }


def _look_again(
    step: Row[Any], policy: Policy, calendar: Calendar, due_on: date, fired: int
) -> datetime | None:
    ladder = policy.ladder_for(step.ladder, step.due_key)
    if ladder is None:
        return None
    found = next_rung(ladder, due_on, calendar, fired, step.opened_at)
    return found[1] if found else None


def _set(branch: LockedBranch, step_id: int, **columns: Any) -> None:
    branch.work.db.execute(update(_steps).where(_steps.c.id == step_id).values(**columns))
