"""How much Prefect's database grows: ``make bench BENCH=prefect_growth``; JSON lines on stdout.

A line for each database: ``n`` cases go from their opening to their end, each with an effect, by
real runs. ``mb_per_1000`` is what Prefect's database grew by, ``rows_per_1000`` in how many rows of
which table. Then all of it is made old, and a server whose vacuum looks every second deletes what
its retention does not keep: ``mb_left_per_1000`` and ``rows_left`` are what remains after that.
Bytes in use are counted, free pages left out. ``seconds``: what the cases took at the usual pace.
``--cases`` is the number of cases (1,000).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    NullPool,
    Select,
    create_engine,
    exists,
    func,
    make_url,
    or_,
    select,
    text,
)

from bench.house import House
from bench.installation import POSTGRESQL, SQLITE, Installations, installations
from bench.mechanism import EFFECT
from bench.processes import running, until
from deployments.clock import now, ticks
from deployments.health import prefect_status
from deployments.prefect_commands import server_command, worker_command
from deployments.prefect_settings import EVENTS_KEPT, RUNS_KEPT
from deployments.settings import Settings
from models.base import table
from models.casework import Case, RunWake
from services.database import reading
from services.runs import END

_TABLES = ("flow_run", "flow_run_state", "task_run", "events", "event_resources", "artifact", "log")
_OLD = {"flow_run": ("end_time", RUNS_KEPT), "events": ("occurred", EVENTS_KEPT)}
"""The columns that the retention goes by."""
_EAGER = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "1",
}
_FRESH = 500
"""Events that a server with nothing to do has written meanwhile, at most."""
_cases, _wakes = table(Case), table(RunWake)
_UNSHOWN = select(func.count()).where(
    or_(_cases.c.mirrored.is_(None), exists().where(_wakes.c.case_id == _cases.c.id))
)
_UNENDED = select(func.count()).where(func.coalesce(_cases.c.mirrored, "") != END)


def main() -> None:
    """Measure the databases asked for, and write each line when it is there."""
    parser = argparse.ArgumentParser(prog="bench.prefect_growth", description=__doc__)
    parser.add_argument("--db", action="append", choices=(SQLITE, POSTGRESQL))
    parser.add_argument("--cases", type=int, default=1000)
    given = parser.parse_args()
    for kind in given.db or (SQLITE, POSTGRESQL):
        with (
            tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder,
            installations(kind, Path(folder)) as fresh,
        ):
            line = {"bench": "prefect_growth", "db": kind, "n": given.cases}
            sys.stdout.write(f"{json.dumps(line | measured(fresh, given.cases))}\n")
            sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Size:
    """Megabytes in use, and rows by table."""

    mb: float
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """Prefect's database of an installation, and the processes that use it."""

    house: House
    settings: Settings

    @contextmanager
    def server(self, more: Mapping[str, str]) -> Iterator[None]:
        """A server that answers; ``more`` is added to its settings."""
        command = server_command(self.settings)
        log = self.settings.data / "prefect.log"
        with running(command.argv, {**command.env, **more}, log):
            address, auth = self.settings.prefect_api_url, self.settings.prefect_auth
            until("Prefect", lambda: prefect_status(address, auth) == 200, 120)
            yield

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Our worker with the mechanism that is measured."""
        command = worker_command(self.settings)
        argv = (command.argv[0], "-m", "bench.flows")
        env = {**command.env, **self.settings.exported()}
        with running(argv, env, self.settings.data / "worker.log"):
            yield

    def size(self) -> Size:
        """As it is on disk, free pages left out."""
        with self._connected() as db:
            rows = {name: db.execute(text(f"SELECT count(*) FROM {name}")) for name in _TABLES}
            return Size(_bytes(db) / 1e6, {name: one.scalar_one() for name, one in rows.items()})

    def make_old(self) -> None:
        """As if a retention had gone by since."""
        with self._connected() as db:
            for name, (column, kept) in _OLD.items():
                then = (now() - kept - timedelta(days=1)).replace(tzinfo=None)
                db.execute(text(f"UPDATE {name} SET {column} = :then"), {"then": then})

    def is_clean(self) -> bool:
        """Whether the vacuum has come to its end."""
        rows = self.size().rows
        return not rows["flow_run"] and not rows["task_run"] and rows["events"] < _FRESH

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        url = make_url(self.settings.prefect_database_url)
        driver = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"
        engine = create_engine(url.set(drivername=driver), poolclass=NullPool)
        with engine.begin() as db:
            yield db


def _bytes(db: Connection) -> int:
    if db.dialect.name == "sqlite":
        pages, free, size = (
            int(db.execute(text(f"PRAGMA {name}")).scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size
    db.execute(text("COMMIT"))
    db.execute(text("VACUUM FULL"))
    db.execute(text("BEGIN"))
    return int(db.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def measured(fresh: Installations, cases: int) -> dict[str, Any]:
    """The figures of one kind of database."""
    with fresh.fresh() as at:
        url = fresh.database_of_prefect() or at.house.settings.prefect_database_url
        settings = at.house.settings.model_copy(update={"prefect_database_url": url})
        prefect = Kept(at.house, settings)
        with prefect.server({}):
            before = prefect.size()
            with prefect.worker():
                began = ticks()
                lived(at.house, cases)
                seconds = ticks() - began
        after = prefect.size()
        prefect.make_old()
        with prefect.server(_EAGER):
            until("the vacuum", prefect.is_clean, 600, every=1.0)
        left = prefect.size()
    grown = {name: after.rows[name] - before.rows[name] for name in _TABLES}
    return {
        "mb_per_1000": round((after.mb - before.mb) * 1000 / cases, 2),
        "rows_per_1000": {name: round(more * 1000 / cases) for name, more in grown.items()},
        "mb_left_per_1000": round((left.mb - before.mb) * 1000 / cases, 2),
        "rows_left": left.rows,
        "seconds": round(seconds, 1),
    }


def lived(house: House, cases: int) -> None:
    """Cases are opened, decided to their end, and shown as ended."""
    house.open(EFFECT, cases)
    for key in ("propose", "judge"):
        until("suspended runs", lambda: not _count(house, _UNSHOWN), cases * 2 + 120, every=1.0)
        house.decide_all(key)
    until("ended runs", lambda: not _count(house, _UNENDED), cases * 2 + 120, every=1.0)


def _count(house: House, query: Select[tuple[int]]) -> int:
    with reading(house.env.engine) as db:
        return int(db.execute(query).scalar_one())


if __name__ == "__main__":
    main()
