"""What opening many cases at once takes: ``make bench BENCH=launch``; JSON lines on stdout.

A line for each database, its own and Prefect's; the web process and its drain run beside it.

- ``open_s``: from the command to the first open step of the last of ``cases``, by two processes:
  this one opens as ``fourduties launch`` does, and the drain of the web process helps.
- ``case_p50_ms``, ``case_p95_ms``: a case of this process (number, rows, first replay, audit,
  message, commit). ``cpu_ms_per_case``: user and system time of both processes and PostgreSQL.
- ``runs_s``: from the start of the worker until the last case has its run, at ``per_second``;
  ``prefect_cpu_ms_per_run``: CPU of Prefect's server and the worker meanwhile.
- ``peak_rss_mb``: the most memory the web process had.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from sqlalchemy import func, select

from bench.house import House
from bench.installation import POSTGRESQL, SQLITE, Installation, Installations, installations
from bench.mechanism import EFFECT
from bench.processes import cpu_seconds, running, until
from bench.trees import district
from deployments.clock import now, ticks
from deployments.health import prefect_status
from deployments.prefect_commands import server_command, worker_command
from deployments.settings import Settings
from models.base import table
from models.casework import Case
from models.organisation import Level
from policy.calendar import local_day
from services.casework.launching import open_due
from services.command import SYSTEM
from services.database import reading
from services.launch import committees, launch, launch_progress
from services.organisation import import_tree
from services.turns import breath

CASES = 1000
_STEP = 5
_cases = table(Case)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both databases, and write each line when it is there."""
    parser = argparse.ArgumentParser(prog="bench.launch", description=__doc__)
    parser.add_argument("--db", action="append", choices=(SQLITE, POSTGRESQL))
    parser.add_argument("--cases", type=int, default=CASES)
    given = parser.parse_args(argv)
    for kind in given.db or (SQLITE, POSTGRESQL):
        with (
            tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder,
            installations(kind, Path(folder)) as made,
        ):
            line = {"bench": "launch", "db": kind, **measured(made, given.cases)}
            sys.stdout.write(f"{json.dumps(line)}\n")
            sys.stdout.flush()


def measured(made: Installations, cases: int) -> dict[str, Any]:
    """The line of one kind of database."""
    with made.fresh() as at:
        house, found = at.house, opened(at, cases)
        settings = house.settings.model_copy(
            update={
                "prefect_database_url": made.database_of_prefect()
                or house.settings.prefect_database_url
            }
        )
        found |= _runs(house, settings, cases) | {"peak_rss_mb": at.peak_rss_mb}
    return {"cases": cases, **{name: round(value, 2) for name, value in found.items()}}


def opened(at: Installation, cases: int) -> dict[str, float]:
    """What opening takes, each case for a town of a new district."""
    tree, on = district(cases), local_day(now())
    import_tree(at.house.env, SYSTEM, tree, key="bench-district", on=on)
    env, both = at.house.env, [psutil.Process(), *at.processes]
    towns = committees(env, under="8", level=Level.TOWN)
    took, cpu, begun = [], cpu_seconds(both), ticks()
    launch_id = launch(env, SYSTEM, key="bench", mechanism=EFFECT, organisations=towns)
    while not launch_progress(env, launch_id)[0].done:
        each = ticks()
        if open_due(env, 1):
            took.append((ticks() - each) * 1000)
        if len(took) % _STEP == 0:
            time.sleep(breath(env.engine))
    return {
        "open_s": ticks() - begun,
        "case_p50_ms": median(took),
        "case_p95_ms": quantiles(took, n=20, method="inclusive")[-1],
        "cpu_ms_per_case": (cpu_seconds(both) - cpu) * 1000 / cases,
    }


def _runs(house: House, settings: Settings, cases: int) -> dict[str, float]:
    with _prefect(settings) as processes:
        cpu, begun = cpu_seconds(processes), ticks()
        patience = 120 + 4 * cases / settings.runs_per_second
        until("the runs", lambda: _with_run(house) == cases, patience, every=0.2)
        return {
            "per_second": settings.runs_per_second,
            "runs_s": ticks() - begun,
            "prefect_cpu_ms_per_run": (cpu_seconds(processes) - cpu) * 1000 / cases,
        }


def _with_run(house: House) -> int:
    with reading(house.env.engine) as db:
        query = select(func.count()).where(_cases.c.run_id.is_not(None))
        return int(db.execute(query).scalar_one())


@contextmanager
def _prefect(settings: Settings) -> Iterator[list[psutil.Process]]:
    """Prefect's server, and a worker that has just been started."""
    with ExitStack() as stack:
        server, worker = server_command(settings), worker_command(settings)
        log = settings.data / "prefect.log"
        first = stack.enter_context(running(server.argv, server.env, log))
        address, auth = settings.prefect_api_url, settings.prefect_auth
        until("Prefect", lambda: prefect_status(address, auth) == 200, 120)
        argv, env = (worker.argv[0], "-m", "bench.flows"), {**worker.env, **settings.exported()}
        second = stack.enter_context(running(argv, env, settings.data / "worker.log"))
        yield [first, second]


if __name__ == "__main__":
    main()
