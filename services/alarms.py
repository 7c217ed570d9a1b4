"""What the operator has to know of the house itself, told once a day each in their messages.

Any process that lives looks (``deployments.attending``), so it does not take the worker to hear
that the worker is dead, nor Prefect to hear that Prefect is. Texts name no person, unit or case.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, select, text, update

from models.audit import Command
from models.base import Instant, table
from models.message import Message
from models.operating import Installation
from policy.calendar import Calendar, local_day
from policy.delivery import from_hours, in_hours
from services.calendar import latest
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.run_events import tell_prefect
from services.telling import tell_operator

OUTBOX_GROWING = "fourduties.outbox.growing"
"""Event: what is to be sent or looked at waits too long: ``messages``, ``minutes``."""
WATCH_LATE = timedelta(minutes=3)
"""The watch looks every minute; later than this it is late."""
STREAM = "installation"
_commands, _installation, _messages = table(Command), table(Installation), table(Message)
# a case without a run waits for its turn to get one, which is no fault (rule H)
_OLDEST_WAKE = (
    text(
        "SELECT min(at) AS at FROM (SELECT min(try_at) AS at FROM wake WHERE try_at <= :now"
        ' UNION ALL SELECT min(w.try_at) FROM run_wake w JOIN "case" c ON c.id = w.case_id'
        " WHERE w.try_at <= :now AND c.run_id IS NOT NULL) oldest"
    )
    .bindparams(bindparam("now", type_=Instant))
    .columns(at=Instant)
)


class Alarm(StrEnum):
    """``run_crashed``: a run of ours ended without saying how; it is taken up again by itself."""

    WATCH_LATE = "watch_late"
    PREFECT_AWAY = "prefect_away"
    OUTBOX_GROWING = "outbox_growing"
    RUN_CRASHED = "run_crashed"


@dataclass(frozen=True, slots=True)
class Outside:
    """What a process knows that the database does not: since when it is up, how Prefect does."""

    since: datetime
    prefect_away: bool = False
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What should have left: how many messages, how long they and the oldest wake wait."""

    messages: int
    sending: timedelta
    wakes: timedelta


HIGH = Backlog(5000, timedelta(minutes=10), timedelta(minutes=5))
"""More than any of these, and the outbox grows."""
LOW = Backlog(2500, timedelta(minutes=5), timedelta(minutes=1))
"""Not more than all of these, and it does no longer."""


def grows(backlog: Backlog, already: bool) -> bool:
    """Whether the outbox counts as growing: it takes less to go on than to begin."""
    limit = LOW if already else HIGH
    return (
        backlog.messages > limit.messages
        or backlog.sending > limit.sending
        or backlog.wakes > limit.wakes
    )


def look(env: Env, outside: Outside) -> frozenset[Alarm]:
    """What is wrong now; the operator is told of each once a day."""
    now = env.clock()
    with reading(env.engine) as db:
        kept = db.execute(_KEPT).one()
        backlog = _backlog(db, now, sending=_sends(env, kept.holding))
    growing = grows(backlog, kept.growing_since is not None)
    if growing != (kept.growing_since is not None):
        _note(env, backlog, growing)
    found = {
        Alarm.WATCH_LATE: now - max(kept.seen_at or outside.since, outside.since) > WATCH_LATE,
        Alarm.PREFECT_AWAY: outside.prefect_away,
        Alarm.OUTBOX_GROWING: growing,
        Alarm.RUN_CRASHED: outside.crashed,
    }
    alarms = frozenset(alarm for alarm, wrong in found.items() if wrong)
    for alarm in sorted(alarms):
        _tell(env, alarm)
    return alarms


_KEPT = select(*(_installation.c[name] for name in ("seen_at", "growing_since", "holding"))).where(
    _installation.c.id == 1
)


def _sends(env: Env, holding: bool) -> bool:
    """What somebody has switched off may wait."""
    return env.sending and env.channels is not None and not holding


def _backlog(db: Connection, now: datetime, *, sending: bool) -> Backlog:
    waiting = _messages.c.send_after <= now
    row = db.execute(select(func.count(), func.min(_messages.c.send_after)).where(waiting)).one()
    count, oldest = row
    wake = db.execute(_OLDEST_WAKE, {"now": now}).scalar()
    calendar = latest(db)
    return Backlog(
        messages=count if sending and in_hours(now, calendar) else 0,
        sending=_waits(oldest, now, calendar) if sending else timedelta(),
        wakes=now - wake if wake is not None else timedelta(),
    )


def _waits(oldest: datetime | None, now: datetime, calendar: Calendar) -> timedelta:
    """Since when the oldest message might have left; at night nothing leaves."""
    if oldest is None or not in_hours(now, calendar):
        return timedelta()
    return now - from_hours(oldest, calendar)


def _note(env: Env, backlog: Backlog, growing: bool) -> None:
    """Keep whether the outbox grows; of many processes that see it, one tells Prefect."""

    def act(work: Work) -> dict[str, Any]:
        since = _installation.c.growing_since
        was = since.is_(None) if growing else since.is_not(None)
        at = work.now if growing else None
        found = work.db.execute(update(_installation).where(was).values(growing_since=at))
        if found.rowcount and growing:
            longest = max(backlog.sending, backlog.wakes)
            told = {"messages": backlog.messages, "minutes": int(longest.total_seconds() // 60)}
            tell_prefect(work, OUTBOX_GROWING, f"outbox:{work.now.isoformat()}", None, told)
        return {}

    key = f"alarm:outbox:{'on' if growing else 'off'}:{env.clock().isoformat()}"
    execute(env, SYSTEM, "alarm.outbox", key, {"growing": growing}, act)


def _tell(env: Env, alarm: Alarm) -> None:
    key = f"alarm:{alarm}:{local_day(env.clock()).isoformat()}"
    with reading(env.engine) as db:
        if db.execute(select(exists().where(_commands.c.key == key))).scalar():
            return

    def act(work: Work) -> dict[str, bool]:
        work.audit(STREAM, {"act": "alarm", "alarm": alarm.value})
        told = tell_operator(
            work.db,
            operator=env.operator,
            key=key,
            template="operator",
            context={"alarm": alarm.value},
            now=work.now,
        )
        return {"told": told}

    execute(env, SYSTEM, "alarm", key, {"alarm": alarm.value}, act)
