"""What the engine costs while everybody waits, and how soon it acts: ``make bench BENCH=engine``.

JSON lines on stdout, for each database:

- ``idle``: ``n`` cases wait, each with its suspended run, under ``fourduties up``, with the watch
  and all polls running. ``cpu_percent`` of one core over ``seconds`` and resident ``rss_mb`` for
  every process (a *spare* has imported everything and waits to take a dead one's place), the
  database's included; ``sum_cpu_percent`` is what the aim (under 5 at 10,000) is about.
  ``runs_s``: how long making the runs took, at the pace that was set for it.
- ``effect``: from the commit of a decision to the commit of its effect, through a real run.
- ``recovery``: seconds until a request is answered (web, database), an effect is done (worker) or
  the API answers (Prefect) after SIGKILL in the middle of work, each so many times.

The lag of the mirror has a bench of its own, ``mirror_lag``. Arguments choose parts and databases.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from sqlalchemy import NullPool, create_engine, exists, func, or_, select

from bench.cluster import Server, killable_cluster
from bench.effects import measure_effects
from bench.installation import POSTGRESQL, SQLITE, installations
from bench.processes import cpu_seconds, free_port, until
from chaos.house import FORGOTTEN, MODULES, House, running
from chaos.trial import Trial
from chaos.trial import run as run_trial
from deployments.clock import now, ticks
from deployments.preparing import prepare
from deployments.settings import Settings, load
from flows.rectification import rectification
from models.base import table
from models.casework import Case, RunWake
from models.organisation import Level, Organisation, OrganisationKind
from services.casework import mechanisms, open_case
from services.command import SYSTEM, Work, execute
from services.database import open_engine, reading
from services.env import Env

SIZES = {100: 60, 1_000: 60, 10_000: 300}
"""Waiting cases, and for how many seconds processes are watched meanwhile."""
RUNS_PER_SECOND = 100.0
"""The pace while runs are made: as fast as Prefect's server lets us."""
EFFECTS, KILLS = 30, 5
_QUIET_SECONDS = 45.0
"""What was just made is mirrored, and the caches are written, before anything is measured."""
_AT_ONCE = 100
_RUNNER = "runner"
_PROGRAMS = {kind: module for kind, module in MODULES.items() if kind != FORGOTTEN}
_cases, _organisations, _wakes = table(Case), table(Organisation), table(RunWake)
_LEFT = select(func.count()).where(
    or_(_cases.c.mirrored.is_(None), exists().where(_wakes.c.case_id == _cases.c.id))
)
_TOWNS = select(_organisations.c.id).where(
    _organisations.c.level == Level.TOWN, _organisations.c.kind == OrganisationKind.COMMITTEE
)


def main() -> None:
    """Measure what was asked for, and write each line when it is there."""
    parser = argparse.ArgumentParser(prog="bench.engine", description=__doc__)
    parser.add_argument("--db", action="append", choices=(SQLITE, POSTGRESQL))
    parser.add_argument("--part", action="append", choices=tuple(_PARTS))
    parser.add_argument("--most", type=int, default=max(SIZES), help="at most so many cases")
    given = parser.parse_args()
    for kind in given.db or (SQLITE, POSTGRESQL):
        for part in given.part or tuple(_PARTS):
            for line in _PARTS[part](kind, given.most):
                said = {"bench": "engine", "part": part, "db": kind, **line}
                sys.stdout.write(f"{json.dumps(said)}\n")
                sys.stdout.flush()


def idle(kind: str, most: int) -> Iterator[dict[str, Any]]:
    """A line for each size, one after the other in the same installation."""
    with tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder, _server(kind) as server:
        settings = _settings(Path(folder), server)
        prepare(settings, lambda text: None)
        engine = open_engine(settings.database_url)
        env = Env(engine, now, mechanisms())
        with running(settings, engine, server) as house:
            for n, seconds in SIZES.items():
                if n <= most:
                    began = ticks()
                    _open_up_to(env, n)
                    until("the runs", partial(_all_shown, env), n * 2 + 120, every=1.0)
                    took = round(ticks() - began, 1)
                    time.sleep(_QUIET_SECONDS)
                    yield {"n": n, "runs_s": took, **_watched(house, seconds)}
        engine.dispose()


def effect(kind: str, most: int) -> Iterator[dict[str, Any]]:
    """One line."""
    with (
        tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder,
        installations(kind, Path(folder)) as fresh,
        fresh.fresh() as at,
    ):
        found = measure_effects(at.house, at.port, min(EFFECTS, most))
    yield {
        "n": min(EFFECTS, most),
        "effect_p50_ms": round(found.effect_p50_ms, 1),
        "prefect_cpu_ms_per_effect": round(found.prefect_cpu_ms_per_effect, 1),
    }


def recovery(kind: str, most: int) -> Iterator[dict[str, Any]]:
    """A line for each kind of process."""
    kinds = ("web", "worker", "prefect", *(("postgresql",) if kind == POSTGRESQL else ()))
    kills = dict.fromkeys(kinds, KILLS)
    with tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder:
        told = run_trial(Trial(kind, 200, kills, seed=1), Path(folder))
    for killed, seconds in told["recovery"].items():
        yield {
            "killed": killed,
            "n": len(seconds),
            "p50_s": round(median(seconds), 2),
            "p95_s": round(_p95(seconds), 2),
            "max_s": max(seconds),
        }


_PARTS: dict[str, Callable[[str, int], Iterator[dict[str, Any]]]] = {
    "idle": idle,
    "effect": effect,
    "recovery": recovery,
}


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


@contextmanager
def _server(kind: str) -> Iterator[Server | None]:
    if kind == SQLITE:
        yield None
        return
    with killable_cluster() as server:
        yield server


def _settings(folder: Path, server: Server | None) -> Settings:
    """On PostgreSQL both databases are there."""
    given: dict[str, Any] = {}
    if server is not None:
        engine = create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.exec_driver_sql("CREATE DATABASE prefect TEMPLATE template0 ENCODING 'UTF8'")
        prefect = server.url.replace("+psycopg:", "+asyncpg:").removesuffix("postgres") + "prefect"
        given = {"database_url": server.url, "prefect_database_url": prefect}
    return load(
        None,
        data=folder / "data",
        port=free_port(),
        ops_port=0,
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
        runs_per_second=RUNS_PER_SECOND,
        **given,
    )


def _open_up_to(env: Env, n: int) -> None:
    with reading(env.engine) as db:
        there = int(db.execute(select(func.count()).select_from(_cases)).scalar_one())
        towns = list(db.execute(_TOWNS).scalars())
    for first in range(there, n, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, n))
        key = f"bench-{first}"
        execute(env, SYSTEM, "bench", key, {}, partial(_open, towns=towns, numbers=numbers))


def _open(work: Work, towns: Sequence[int], numbers: Sequence[int]) -> dict[str, Any]:
    for number in numbers:
        town = towns[number % len(towns)]
        open_case(
            work, mechanism=rectification.__name__, organisation_id=town, number=f"bench-{number}"
        )
    return {"cases": len(numbers)}


def _all_shown(env: Env) -> bool:
    with reading(env.engine) as db:
        return not db.execute(_LEFT).scalar_one()


def _watched(house: House, seconds: float) -> dict[str, Any]:
    """What each process used of a core over that time, and its memory at the end."""
    processes = _processes(house)
    before, began = _used(processes), ticks()
    time.sleep(seconds)
    took, after = ticks() - began, _used(processes)
    cpu = {name: round((after[name] - before[name]) / took * 100, 2) for name in processes}
    return {
        "seconds": round(took),
        "cpu_percent": cpu,
        "sum_cpu_percent": round(sum(cpu.values()), 2),
        "rss_mb": {name: _resident(name, process) for name, process in processes.items()},
    }


def _processes(house: House) -> dict[str, psutil.Process]:
    """The runner, what it started (the oldest of a kind is at work), and PostgreSQL's first."""
    runner = psutil.Process(house.runner.pid)
    found, seen = {_RUNNER: runner}, Counter[str]()
    for child in sorted(runner.children(), key=lambda child: child.create_time()):
        words = " ".join(child.cmdline())
        for name in (kind for kind, module in _PROGRAMS.items() if module in words):
            seen[name] += 1
            found[name if seen[name] == 1 else f"{name} spare"] = child
    servers = [one for one in psutil.Process().children() if one.name() == "postgres"]
    return found | ({POSTGRESQL: servers[0]} if servers else {})


def _used(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Seconds of processors, with what they started; of the runner its own."""
    used = {name: cpu_seconds([one]) for name, one in processes.items() if name != _RUNNER}
    own = processes[_RUNNER].cpu_times()
    return used | {_RUNNER: own.user + own.system}


def _resident(name: str, process: psutil.Process) -> float:
    """Megabytes now; pages that PostgreSQL's processes share are counted in each."""
    started = process.children(recursive=True) if name != _RUNNER else []
    return round(sum(one.memory_info().rss for one in (process, *started)) / 1e6, 1)


if __name__ == "__main__":
    main()
