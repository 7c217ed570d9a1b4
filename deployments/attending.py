"""What watches over a process of ours from within: readiness, metrics and alarms.

Each process, web as well as worker, looks at the house every few seconds, so that the operator is
told while any of them lives.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from deployments.clock import now, ticks
from deployments.health import crashed, prefect_status
from deployments.ops import Ops, Reasons
from deployments.prefect_settings import POOL
from deployments.settings import Settings
from deployments.supervisor import dying
from policy.clock import STEP
from services.alarms import Alarm, Outside, look
from services.database import reading
from services.env import Env
from services.errors import DutiesError
from services.gauges import GAUGES, gauges
from services.metrics import ERROR, REGISTRY, TURNS, turned, turned_at

LOOK_SECONDS = 30.0
AWAY = timedelta(minutes=2)
"""Prefect's server may be restarted, and needs up to a minute; longer without it is told."""
LOOP = "alarms"
DATABASE_UP = "Whether our database answers."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attended:
    """A process by its name. ``loops``: how many seconds ago each had its last turn at most.

    ``port`` is where its own server wants to listen. ``prefect``: it is of no use without Prefect.
    """

    process: str
    port: int
    loops: Mapping[str, float]
    prefect: bool = False


class Attendant:
    """Watches over this process until it ends."""

    def __init__(self, env: Env, settings: Settings, attended: Attended) -> None:
        self._env, self._settings = env, settings
        reasons = readiness(env, settings, attended)
        self._ops = Ops(attended.process, ops_folder(settings), attended.port, reasons)
        self._since = env.clock()
        self._answered = self._since
        self._looked = self._since, ticks()
        self._alarms: frozenset[Alarm] = frozenset()
        self._gauges = _OfDatabase(env)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=LOOP, daemon=True)

    def alarms(self) -> frozenset[Alarm]:
        """What was wrong at the last look."""
        return self._alarms

    def start(self) -> int:
        """Begin; returns at once, with the port of this process's own server."""
        REGISTRY.register(self._gauges)
        self._thread.start()
        return self._ops.start().port

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()
        self._ops.stop()
        REGISTRY.unregister(self._gauges)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once; what fails is logged, the next look will tell."""
        try:
            self._alarms = look(self._env, self._outside())
        except Exception:
            TURNS.labels(LOOP, ERROR).inc()
            _log.warning("the house could not be looked at", exc_info=True)
        else:
            turned(LOOP)

    def _outside(self) -> Outside:
        """After the clock was moved, or the machine slept, everything has its time again."""
        at, tick, settings = self._env.clock(), ticks(), self._settings
        (last, last_tick), self._looked = self._looked, (at, tick)
        if abs(at - last - timedelta(seconds=tick - last_tick)) > STEP:
            self._since = self._answered = at
        url, auth = settings.prefect_api_url, settings.prefect_auth
        answers = prefect_status(url, auth) == HTTPStatus.OK
        if answers:
            self._answered = at
        return Outside(
            since=self._since,
            prefect_away=at - self._answered > AWAY,
            crashed=answers and crashed(url, auth, POOL, at),
            dying=bool(dying(settings.data / "run")),
        )


def ops_folder(settings: Settings) -> Path:
    """Where processes note their ports."""
    return settings.data / "run" / "ops"


def readiness(env: Env, settings: Settings, attended: Attended) -> Reasons:
    """What keeps a process from being ready: ``database_away``, ``prefect_away``, ``late:<loop>``.

    Also whatever else the services refuse to work without, by its code (``no_calendar``).
    """

    def reasons() -> list[str]:
        found = list(_of_database(env))
        if attended.prefect and not _answers(settings):
            found.append("prefect_away")
        return found + [f"late:{loop}" for loop in late(attended.loops, now())]

    return reasons


def _answers(settings: Settings) -> bool:
    return prefect_status(settings.prefect_api_url, settings.prefect_auth) == HTTPStatus.OK


def _of_database(env: Env) -> Iterable[str]:
    try:
        with reading(env.engine) as db:
            db.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, DutiesError):
        yield "database_away"


def late(
    loops: Mapping[str, float], at: datetime, last: Callable[[str], float | None] = turned_at
) -> list[str]:
    """The loops whose last good turn was longer ago than they may take, or never was."""
    ages = {loop: None if (t := last(loop)) is None else at.timestamp() - t for loop in loops}
    return [loop for loop, age in ages.items() if age is None or age > loops[loop]]


class _OfDatabase(Collector):
    """The gauges of the database; without it, only that it is away."""

    def __init__(self, env: Env) -> None:
        self._env = env

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found: dict[str, float] = {}
        try:
            with reading(self._env.engine) as db:
                found = gauges(db, self._env.clock())
        except (SQLAlchemyError, DutiesError):
            _log.warning("the gauges could not be read", exc_info=True)
        yield GaugeMetricFamily("fourduties_database_up", DATABASE_UP, value=float(bool(found)))
        for name, value in found.items():
            yield GaugeMetricFamily(f"fourduties_{name}", GAUGES[name].help, value=value)
