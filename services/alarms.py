"""What the operator has to know of the house itself, told in their messages.

Each is told when it begins, and once a day as long as it lasts. What was gone for :data:`CALM` is
another one when it comes back, and is told anew.

Any process that lives looks (``deployments.attending``), so it does not take the worker to hear
that the worker is dead, nor Prefect to hear that Prefect is. Texts name no person, unit or case.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, case, exists, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from models.audit import Command
from models.base import Instant, table
from models.message import Message
from models.operating import Installation, Trouble
from policy.calendar import Calendar
from policy.delivery import from_hours, in_hours
from services.batch import each_apart
from services.calendar import latest
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.run_events import tell_prefect
from services.sealing import unsealed_since
from services.telling import tell_operator

OUTBOX_GROWING = "fourduties.outbox.growing"
"""Event: what is to be sent or looked at waits too long: ``messages``, ``minutes``."""
WATCH_LATE = timedelta(minutes=3)
"""The watch looks every minute; later than this it is late."""
SEAL_LATE = timedelta(minutes=5)
"""The sealer looks every minute; what is unsealed for longer tells that it does not."""
CALM = timedelta(hours=1)
"""An alarm that nobody saw for so long is over: it does not come and go every few minutes."""
STREAM = "installation"
_log = logging.getLogger(__name__)
_commands, _installation, _messages = table(Command), table(Installation), table(Message)
_troubles = table(Trouble)
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
    """``run_crashed``: a case's run ended without saying how, and was not taken up again by itself,
    or does so again and again; ``process_dying``: so does one of our processes.
    """

    WATCH_LATE = "watch_late"
    PREFECT_AWAY = "prefect_away"
    OUTBOX_GROWING = "outbox_growing"
    RUN_CRASHED = "run_crashed"
    PROCESS_DYING = "process_dying"
    SEAL_LATE = "seal_late"


@dataclass(frozen=True, slots=True)
class Outside:
    """What a process knows that the database does not: since when it is up and its clock went on,
    how Prefect and the other processes do.
    """

    since: datetime
    prefect_away: bool = False
    crashed: bool = False
    dying: bool = False


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
    """What is wrong now. That it cannot be written down or told keeps nothing from being known."""
    now = env.clock()
    with reading(env.engine) as db:
        kept = db.execute(_KEPT).one()
        backlog = _backlog(db, now, sending=_sends(env, kept.holding))
        unsealed = bool(env.seal_key) and _unsealed(db, outside.since, now)
    growing = grows(backlog, kept.growing_since is not None)
    if growing != (kept.growing_since is not None):
        each_apart(_log, [backlog], lambda found: _note(env, found, growing))
    found = {
        Alarm.WATCH_LATE: _late(kept.looked_at, outside.since, now),
        Alarm.PREFECT_AWAY: outside.prefect_away,
        Alarm.OUTBOX_GROWING: growing,
        Alarm.RUN_CRASHED: outside.crashed,
        Alarm.PROCESS_DYING: outside.dying,
        Alarm.SEAL_LATE: unsealed,
    }
    alarms = frozenset(alarm for alarm, wrong in found.items() if wrong)
    each_apart(_log, sorted(alarms), lambda alarm: _tell(env, alarm))
    return alarms


_KEPT = select(
    *(_installation.c[name] for name in ("looked_at", "growing_since", "holding"))
).where(_installation.c.id == 1)


def _late(looked_at: datetime | None, since: datetime, now: datetime) -> bool:
    """Whether no look of the watch came to its end lately. One to come, by a clock that was ahead,
    proves nothing.
    """
    last = since if looked_at is None or looked_at > now else max(looked_at, since)
    return now - last > WATCH_LATE


def _unsealed(db: Connection, since: datetime, now: datetime) -> bool:
    """Whether the sealer had time enough since this process is up, and did not use it."""
    oldest = unsealed_since(db)
    return oldest is not None and now - max(oldest, since) > SEAL_LATE


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


def _note(env: Env, backlog: Backlog, growing: bool) -> int:
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
    return 1


def _tell(env: Env, alarm: Alarm) -> int:
    """Tell the operator of it, unless they were told of it today; how often that was."""
    now = env.clock()
    since = _seen(env, alarm, now)
    key = f"alarm:{alarm}:{since.isoformat()}:{max(now - since, timedelta()).days}"
    with reading(env.engine) as db:
        if db.execute(select(exists().where(_commands.c.key == key))).scalar():
            return 0

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
    return 1


def _seen(env: Env, alarm: Alarm, now: datetime) -> datetime:
    """Keep that it is seen now; since when it lasts. All processes agree about that."""
    first = {"name": alarm.value, "since": now, "seen_at": now}
    over = _troubles.c.seen_at < now - CALM
    again = {"since": case((over, now), else_=_troubles.c.since), "seen_at": now}
    with env.engine.begin() as db:
        insert: Any = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
        kept = insert(_troubles).values(first)
        seen = kept.on_conflict_do_update(index_elements=["name"], set_=again)
        since: datetime = db.execute(seen.returning(_troubles.c.since)).scalar_one()
    return since
