"""What a person's decision costs: ``make bench BENCH=human_step``; JSON lines on stdout.

A line for each database, shape and number of clients:

- ``next_step_*``: an authenticated, CSRF-checked POST over HTTP on a kept connection, timed by the
  client, answered after the commit of the decision, its audit entry, the messages and the next
  person's step; ``decisions_per_s`` of all clients together. ``n`` steps wait all the time.
- ``form_p50_ms``: the same through the page's form, which then looks up what that person does next.
- ``floor_p50_ms``: a three-row ORM write on the same server and database (``bench.floor``).
- ``cpu_ms_per_step``, ``floor_cpu_ms``: user and system time of web process and database. These
  three kinds of requests are made in blocks by turns, so they see the same machine.
- ``effect_p50_ms``: from the answer of a decision to the commit of the result of the effect behind
  it, through a Prefect run; ``prefect_cpu_ms_per_effect``: CPU of Prefect server and worker for it,
  less what they use idle. Measured once for each database.
- ``peak_rss_mb``: the most memory the web process had.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Never

from bench.effects import measure_effects
from bench.house import House
from bench.installation import (
    POSTGRESQL,
    SQLITE,
    Installation,
    Installations,
    installations,
)
from bench.measuring import Measuring
from bench.mechanism import TWO_STEP

SHAPES = (("two_step", 100), ("two_step", 1000), ("160_problems", 160))
CLIENTS = (1, 8)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: decisions of a line by its number of clients, and effects."""

    decisions: dict[int, int]
    effects: int


FULL = Size({1: 500, 8: 1200}, effects=20)
QUICK = Size({1: 100, 8: 200}, effects=5)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what was asked for, and write each line when it is there."""
    given = _arguments(argv)
    signal.signal(signal.SIGTERM, _leave)
    for kind in given.db or (SQLITE, POSTGRESQL):
        with (
            tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder,
            installations(kind, Path(folder)) as made,
        ):
            for line in measured(kind, made, QUICK if given.quick else FULL):
                sys.stdout.write(f"{json.dumps(line)}\n")
                sys.stdout.flush()


def measured(kind: str, made: Installations, size: Size) -> Iterator[dict[str, Any]]:
    """The lines of one kind of database."""
    _say(f"{kind}: {size.effects} effects through Prefect")
    with made.fresh() as at:
        effects = measure_effects(at.house, at.port, size.effects)
    for shape, n in SHAPES:
        with made.fresh() as at:
            _say(f"{kind}: {shape} with {n} steps")
            _fill(at.house, shape, n)
            for clients in CLIENTS:
                head = {"bench": "human_step", "db": kind, "shape": shape}
                found = figures(at, n, clients, size.decisions[clients])
                yield head | found | _rounded(asdict(effects))


def figures(at: Installation, n: int, clients: int, decisions: int) -> dict[str, float]:
    """What decisions cost while ``n`` steps wait; RuntimeError when it were not as many."""
    found = Measuring(at.house, at.port, clients, at.processes).run(decisions)
    waiting = len(at.house.waiting())
    if waiting != n:
        raise RuntimeError(f"{waiting} steps wait instead of {n}")
    values = {
        "next_step_p50_ms": found.decision.p50_ms,
        "next_step_p95_ms": found.decision.p95_ms,
        "form_p50_ms": found.form.p50_ms,
        "floor_p50_ms": found.floor.p50_ms,
        "cpu_ms_per_step": found.decision.cpu_ms,
        "floor_cpu_ms": found.floor.cpu_ms,
        "decisions_per_s": found.decision.per_s,
        "peak_rss_mb": at.peak_rss_mb,
    }
    return {"n": n, "clients": clients} | _rounded(values)


def _fill(house: House, shape: str, n: int) -> None:
    if shape == "two_step":
        house.open(TWO_STEP, n)
    else:
        house.open_large(n)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.human_step", description=__doc__)
    parser.add_argument("--db", action="append", choices=(SQLITE, POSTGRESQL))
    parser.add_argument("--quick", action="store_true", help="a first impression in few minutes")
    return parser.parse_args(argv)


def _leave(number: int, frame: object) -> Never:
    raise SystemExit(128 + number)


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


if __name__ == "__main__":
    main()
