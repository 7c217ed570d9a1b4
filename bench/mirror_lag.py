"""How far Prefect's window is behind: ``make bench BENCH=mirror_lag``; JSON lines on stdout.

A line for each database (ours and Prefect's are of that kind). ``cases`` wait with suspended runs;
then ``per_s`` decisions a second are made of cases drawn by lot, ``n`` in all, and each is timed
from its commit until Prefect's database shows the state message and the table that follow from it,
or from a later decision of the same case.

- ``p50_s``, ``p95_s``, ``max_s``: that time. The mirror waits ten seconds between two writes of a
  case, and looks every three; what is shown is looked for twice a second.
- ``states``, ``tables``: writes made; ``shed``: decisions that were never shown by themselves,
  because a later one of their case came before their turn.
- ``*_cpu_ms_per_op``: user and system time of Prefect's server, our worker and the database for a
  decision, what they do besides included (``database`` is 0 where it is a file).
- ``*_peak_rss_mb``: the most memory server and worker had.
- ``events``: rows that Prefect's server wrote of all this, for as long as it keeps events.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Never

import psutil
from sqlalchemy import (
    Connection,
    NullPool,
    create_engine,
    exists,
    func,
    make_url,
    or_,
    select,
    text,
)

from bench.house import House
from bench.installation import POSTGRESQL, SQLITE, Installation, Installations, installations
from bench.mechanism import TWO_STEP
from bench.processes import cpu_seconds, peak_rss_mb, running, until
from deployments.health import prefect_status
from deployments.prefect_commands import server_command, worker_command
from deployments.settings import Settings
from models.base import table
from models.casework import Case, RunWake
from services.database import reading
from services.mirror import face

SETTLE_SECONDS = 180.0
"""What was decided last has to be shown by then."""
_LOOK_SECONDS = 0.5
_RUNS_PER_SECOND = {SQLITE: 5.0, POSTGRESQL: 15.0}
_cases, _wakes = table(Case), table(RunWake)
_UNSHOWN = select(func.count()).where(
    or_(_cases.c.tabled.is_(None), exists().where(_wakes.c.case_id == _cases.c.id))
)
_RUNS = select(_cases.c.id, _cases.c.run_id)
_MESSAGES = text(
    "SELECT r.id, s.message FROM flow_run r JOIN flow_run_state s ON s.id = r.state_id"
)
_TABLES = text("SELECT key, data, updated FROM artifact WHERE type = 'table' AND updated >= :since")
_COUNTS = {name: text(f"SELECT count(*) FROM {name}") for name in ("flow_run_state", "events")}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    cases: int
    per_s: float
    seconds: float


def main() -> None:
    """Measure the databases asked for, and write each line when it is there."""
    parser = argparse.ArgumentParser(prog="bench.mirror_lag", description=__doc__)
    parser.add_argument("--db", action="append", choices=(SQLITE, POSTGRESQL))
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--per-second", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=150.0)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    size = Size(given.cases, given.per_second, given.seconds)
    for kind in given.db or (SQLITE, POSTGRESQL):
        with (
            tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder,
            installations(kind, Path(folder)) as fresh,
        ):
            line = {"bench": "mirror_lag", "db": kind, "cases": size.cases, "per_s": size.per_s}
            sys.stdout.write(f"{json.dumps(line | measured(kind, fresh, size))}\n")
            sys.stdout.flush()


def _leave(number: int, frame: object) -> Never:
    raise SystemExit(128 + number)


def measured(kind: str, fresh: Installations, size: Size) -> dict[str, Any]:
    """The figures of one kind of database."""
    with fresh.fresh() as at, ExitStack() as stack:
        url = fresh.database_of_prefect() or at.house.settings.prefect_database_url
        given = {"prefect_database_url": url, "runs_per_second": _RUNS_PER_SECOND[kind]}
        settings = at.house.settings.model_copy(update=given)
        server, worker = (stack.enter_context(started) for started in _prefect(settings))
        at.house.open(TWO_STEP, size.cases)
        patience = size.cases / _RUNS_PER_SECOND[kind] * 10 + 300
        until("suspended runs", lambda: not _count(at.house), patience, every=1.0)
        with shown_by(settings) as window:
            return _measured(at, window, size, (server, worker))


def _prefect(settings: Settings) -> Iterator[Any]:
    """Server and worker, the second when the first answers."""
    server, worker = server_command(settings), worker_command(settings)
    yield running(server.argv, server.env, settings.data / "prefect.log")
    address, auth = settings.prefect_api_url, settings.prefect_auth
    until("Prefect", lambda: prefect_status(address, auth) == 200, 180)
    argv = (worker.argv[0], "-m", "bench.flows")
    yield running(argv, {**worker.env, **settings.exported()}, settings.data / "worker.log")


def _count(house: House) -> int:
    with reading(house.env.engine) as db:
        return int(db.execute(_UNSHOWN).scalar_one())


@dataclass
class Window:
    """What Prefect's database shows, and what it is to show of each case by its key."""

    db: Connection
    runs: dict[str, str]
    """The key of a case by its run."""
    lags: list[float] = field(default_factory=list)
    shed: int = 0
    tables: int = 0
    _since: Any = None
    _shown: dict[str, str] = field(default_factory=dict)
    _waits: dict[str, list[tuple[float, tuple[str, str]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def expect(self, key: str, decided: float, message: str, data: str) -> None:
        """From ``decided`` on, this is what is to be shown of a case."""
        self._waits[key].append((decided, (message, data)))

    def look(self) -> None:
        """See what is shown now, and how long each decision took to be."""
        at = time.monotonic()
        changed = self.db.execute(_TABLES, {"since": self._since}).all()
        messages = {
            self.runs.get(_plain(id), ""): message for id, message in self.db.execute(_MESSAGES)
        }
        self.db.commit()
        for key, data, updated in changed:
            told = json.loads(data) if data.startswith('"') else data
            self.tables += self._shown.get(key, "") != told
            self._shown[key] = told
            self._since = max(self._since, updated)
        for key, waits in self._waits.items():
            shown = (messages.get(key, ""), self._shown.get(key, ""))
            newest = max(
                (n for n, (_, wanted) in enumerate(waits, 1) if wanted == shown), default=0
            )
            self.lags += [at - decided for decided, _ in waits[:newest]]
            self.shed += max(newest - 1, 0)
            del waits[:newest]

    @property
    def unshown(self) -> int:
        """Decisions that are not shown yet."""
        return sum(map(len, self._waits.values()))

    def counts(self) -> dict[str, int]:
        """Rows of Prefect's tables that grow with each write."""
        found = {name: self.db.execute(query).scalar_one() for name, query in _COUNTS.items()}
        self.db.commit()
        return found


def _plain(id: Any) -> str:
    return str(id).replace("-", "")


@contextmanager
def shown_by(settings: Settings) -> Iterator[Window]:
    """Look into Prefect's database, so that looking costs its server nothing."""
    url = make_url(settings.prefect_database_url)
    sqlite = url.get_backend_name() == "sqlite"
    driver = "sqlite" if sqlite else "postgresql+psycopg"
    with create_engine(url.set(drivername=driver), poolclass=NullPool).connect() as db:
        newest = db.execute(text("SELECT max(updated) FROM artifact")).scalar_one()
        db.commit()
        yield Window(db, {}, _since=newest)


def _measured(
    at: Installation, window: Window, size: Size, prefect: Sequence[psutil.Process]
) -> dict[str, Any]:
    house, (server, worker) = at.house, prefect
    with reading(house.env.engine) as db:
        window.runs = {_plain(run): f"case-{id}" for id, run in db.execute(_RUNS)}
    database = at.processes[1:]
    before = window.counts()
    cpu = [cpu_seconds([one]) for one in prefect] + [cpu_seconds(database)]
    made, took = _decide(house, window, size)
    end = time.monotonic() + SETTLE_SECONDS
    while window.unshown and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        window.look()
    used = [
        (now - then) * 1000 / made
        for now, then in zip(
            [cpu_seconds([one]) for one in prefect] + [cpu_seconds(database)], cpu, strict=True
        )
    ]
    after = window.counts()
    lags = window.lags or [0.0, 0.0]
    return {
        "n": made,
        "decided_per_s": round(made / took, 2),
        "p50_s": round(median(lags), 2),
        "p95_s": round(quantiles(lags, n=20, method="inclusive")[-1], 2),
        "max_s": round(max(lags), 2),
        "unshown": window.unshown,
        "states": after["flow_run_state"] - before["flow_run_state"],
        "tables": window.tables,
        "shed": window.shed,
        "events": after["events"] - before["events"],
        "server_cpu_ms_per_op": round(used[0], 1),
        "worker_cpu_ms_per_op": round(used[1], 1),
        "database_cpu_ms_per_op": round(used[2], 1),
        "server_peak_rss_mb": round(peak_rss_mb(server), 1),
        "worker_peak_rss_mb": round(peak_rss_mb(worker), 1),
    }


def _decide(house: House, window: Window, size: Size) -> tuple[int, float]:
    """Decide at the given pace, and look meanwhile; how many were made, and in what time."""
    lot = random.Random(4)
    branches = sorted(one.branch_id for one in house.waiting())
    env = replace(house.env, base_url=house.settings.base_url)
    began = looked = time.monotonic()
    total = round(size.per_s * size.seconds)
    for number in range(total):
        time.sleep(max(began + number / size.per_s - time.monotonic(), 0))
        case_id = house.decide_in(lot.choice(branches))
        decided = time.monotonic()
        now = face(env, case_id)
        window.expect(f"case-{case_id}", decided, now.mirror.message, now.artifacts[1].data)
        if decided - looked >= _LOOK_SECONDS:
            window.look()
            looked = time.monotonic()
    return total, time.monotonic() - began


if __name__ == "__main__":
    main()
