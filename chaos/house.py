"""``fourduties up`` as people start it, its processes to be killed, and a look at each of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import Engine, text

from bench.cluster import Server
from chaos.patience import waited
from deployments import tether
from deployments.settings import Settings
from services.database import AWAY, reading

WEB, WORKER, PREFECT, DATABASE = "web", "worker", "prefect", "postgresql"
FORGOTTEN = "prefect and its database"
"""Prefect's server is killed and all it knows is deleted."""
MODULES = {
    WEB: "deployments.serving",
    WORKER: "deployments.worker_process",
    PREFECT: "deployments.prefect_server",
    FORGOTTEN: "deployments.prefect_server",
}
_LAST_DONE = (
    "SELECT queued_at, done_at FROM effect WHERE state = 'done' ORDER BY done_at DESC LIMIT 100"
)
_START_SECONDS = 240
_UP = [sys.executable, "-c", "from deployments.cli import app; app()", "up"]


@dataclass
class House:
    """A running installation; ``server`` is its own PostgreSQL, None on SQLite."""

    settings: Settings
    engine: Engine
    runner: "subprocess.Popen[str]"
    output: Path
    server: Server | None

    def kill(self, kind: str) -> None:
        """SIGKILL a process with its children; PostgreSQL is started again here, at once.

        The others are started again by the runner, as everywhere.
        """
        if kind == DATABASE and self.server is not None:
            self.server.kill()
            return
        process = waited(f"{kind} to kill", lambda: self._process(kind), _START_SECONDS)
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if kind == FORGOTTEN:
            for file in self.settings.data.glob("prefect.db*"):
                file.unlink()

    def start_again(self) -> None:
        """Start PostgreSQL on the data that the killed one left.

        By the main thread: the server ends together with the thread that started it.
        """
        if self.server is not None:
            self.server.start()

    def rows(self, query: str, **given: Any) -> Sequence[Any] | None:
        """What a query finds; None while the database is away."""
        try:
            with reading(self.engine) as db:
                return db.execute(text(query), given).all()  # type: ignore[no-any-return]
        except AWAY:
            return None

    def effects_under_way(self) -> int:
        """Effects that somebody waits for."""
        found = self.rows("SELECT count(*) FROM effect WHERE state IN ('queued', 'claimed')")
        return int(found[0][0]) if found else 0

    def effect_done_since(self, moment: datetime) -> datetime | None:
        """When the first effect that was done after a moment had been queued; None: none was."""
        found = self.rows(_LAST_DONE) or ()
        done = [(_instant(row.done_at), _instant(row.queued_at)) for row in found]
        return min([pair for pair in done if pair[0] > moment], default=(None, None))[1]

    def prefect_answers(self) -> bool:
        """Whether Prefect's API does."""
        return self.prefect("GET", "/admin/version", seconds=1.0) is not None

    def prefect(self, method: str, path: str, body: Any = None, seconds: float = 5.0) -> Any:
        """Ask Prefect's API; None while it does not answer as it should."""
        user, _, password = self.settings.prefect_auth.partition(":")
        try:
            answer = httpx.request(
                method,
                f"{self.settings.prefect_api_url}{path}",
                json=body,
                auth=(user, password),
                timeout=seconds,
                trust_env=False,
            )
        except httpx.HTTPError:
            return None
        return answer.json() if answer.is_success else None

    def _process(self, kind: str) -> psutil.Process | None:
        """The oldest one: the others are spares that have not begun."""
        found = []
        with suppress(psutil.Error):
            for child in psutil.Process(self.runner.pid).children():
                with suppress(psutil.Error):
                    if MODULES[kind] in " ".join(child.cmdline()[-4:]):
                        found.append((child.create_time(), child))
        return min(found, key=lambda pair: pair[0], default=(0.0, None))[1]


@contextmanager
def running(settings: Settings, engine: Engine, server: Server | None) -> Iterator[House]:
    """Start everything; at the end Ctrl-C, and RuntimeError if the runner left somebody behind.

    It also ends when this process is killed.
    """
    output = settings.data / "up.txt"
    with output.open("w") as out:
        runner = subprocess.Popen(
            [sys.executable, str(tether.__file__), str(os.getpid()), *_UP],
            start_new_session=True,
            env={**os.environ, **settings.exported()},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    house = House(settings, engine, runner, output, server)
    try:
        waited("everything up", lambda: _is_up(house), _START_SECONDS, every=0.2)
        yield house
    finally:
        _stop(runner)


def utc_now() -> datetime:
    """The present, as the tables hold it."""
    return datetime.fromtimestamp(time.time(), UTC)


def _instant(value: Any) -> datetime:
    """SQLite keeps instants as texts without a zone, which is UTC."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_up(house: House) -> bool:
    said = house.output.read_text(encoding="utf-8")
    if house.runner.poll() is not None:
        raise RuntimeError(f"the runner ended: {said[-2000:]}")
    return "fourduties is up" in said


def _stop(runner: "subprocess.Popen[str]") -> None:
    if runner.poll() is not None:
        return
    children = psutil.Process(runner.pid).children(recursive=True)
    runner.send_signal(signal.SIGINT)
    runner.wait(timeout=60)
    left = [child for child in children if child.is_running()]
    if left:
        raise RuntimeError(f"left behind: {left}")
