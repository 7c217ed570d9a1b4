"""What importing a whole city's tree takes: ``make bench BENCH=org_import``; JSON lines on stdout.

A line for each database: ``n`` imports, each into a fresh database, of ``nodes`` rows as one
command (organs, posts, persons, accounts and portfolios by rule, audit entry, commit). ``p50_s``
and ``p95_s`` are its time, ``cpu_s`` user and system time of this process for one.
``floor_p50_s`` is one plain INSERT of as many short rows as the import made, in the same run and
database; ``ratio`` is the import over it. ``peak_rss_mb``: the most memory this process had.
The aim of an import is under 20 s.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    create_engine,
    func,
    insert,
    make_url,
    select,
)

from bench.cluster import cluster
from bench.installation import POSTGRESQL, SQLITE
from bench.processes import cpu_seconds, peak_rss_mb
from bench.trees import NODES, whole_city
from deployments.clock import now, ticks
from models.base import metadata
from services.command import SYSTEM
from services.database import open_engine, reading
from services.env import Env
from services.migration import migrate
from services.organisation import import_tree

RUNS = 5
_ON = date(2026, 1, 1)
_plain = Table(
    "bench_plain", MetaData(), Column("id", Integer, primary_key=True), Column("t", String)
)


def main() -> None:
    """Measure both databases, and write each line when it is there."""
    for kind in (SQLITE, POSTGRESQL):
        with databases(kind) as fresh:
            sys.stdout.write(f"{json.dumps(measured(kind, fresh, RUNS))}\n")
            sys.stdout.flush()


def measured(kind: str, fresh: Callable[[], Engine], runs: int) -> dict[str, Any]:
    """The line of one kind of database."""
    imports, floors, cpu = [], [], []
    for _ in range(runs):
        engine, me = fresh(), psutil.Process()
        started, used = ticks(), cpu_seconds([me])
        import_tree(Env(engine, now), SYSTEM, whole_city(), key="whole", on=_ON)
        imports.append(ticks() - started)
        cpu.append(cpu_seconds([me]) - used)
        floors.append(_floor(engine, _rows(engine)))
        engine.dispose()
    values = {
        "p50_s": median(imports),
        "p95_s": quantiles(imports, n=20, method="inclusive")[-1],
        "cpu_s": median(cpu),
        "floor_p50_s": median(floors),
        "ratio": median(imports) / median(floors),
        "peak_rss_mb": peak_rss_mb(psutil.Process()),
    }
    head = {"bench": "org_import", "db": kind, "nodes": NODES, "n": runs}
    return head | {name: round(value, 2) for name, value in values.items()}


@contextmanager
def databases(kind: str) -> Iterator[Callable[[], Engine]]:
    """Makes fresh migrated databases of a kind; all are gone at the end."""
    numbers = count()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fourduties-bench-")))
        server = stack.enter_context(cluster(durable=True)) if kind == POSTGRESQL else None

        def fresh() -> Engine:
            name = f"bench_{next(numbers)}"
            engine = open_engine(_on(server, name) if server else f"sqlite:///{folder / name}.db")
            migrate(engine)
            return engine

        yield fresh


def _on(server: str, name: str) -> str:
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _rows(engine: Engine) -> int:
    """How many rows all tables have: what the import made."""
    with reading(engine) as db:
        counts = [select(func.count()).select_from(rows) for rows in metadata.sorted_tables]
        return sum(db.execute(query).scalar_one() for query in counts)


def _floor(engine: Engine, rows: int) -> float:
    _plain.create(engine)
    values = [{"t": f"第{number}行"} for number in range(rows)]
    started = ticks()
    with engine.begin() as db:
        db.execute(insert(_plain), values)
    return ticks() - started


if __name__ == "__main__":
    main()
