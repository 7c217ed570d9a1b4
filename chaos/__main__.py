"""``make chaos``: everything is killed at random while people decide; nothing is lost or doubled.

Trials on SQLite and PostgreSQL, then one for each planted mutant, each in a process of its own.
Prints one JSON line on stdout and progress on stderr; the exit code is 0 when every unmutated trial
is clean and every mutant was caught. ``--short`` is what CI runs. The long form is made of legs,
each an installation of its own; with ``--record FILE`` those that are done are not done again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from chaos.house import DATABASE, FORGOTTEN, PREFECT, WEB, WORKER
from chaos.mutant_run import caught
from chaos.mutants import MUTANTS, ROOT, Mutant
from chaos.record import Record
from chaos.say import say
from chaos.trial import clean
from deployments import tether

SQLITE, POSTGRESQL = "sqlite", "postgresql"
SUMS = (
    "in_flight", "in_effect", "decisions", "lost", "doubled", "violations", "unknown_settled",
    "unknown_left",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """Decisions and kills by database in each leg, how many legs, and which mutants are planted."""

    decisions: int
    kills: Mapping[str, Mapping[str, int]]
    mutants: Sequence[Mutant]
    legs: int = 1


SHORT = Size(
    decisions=1500,
    kills={
        SQLITE: {WEB: 9, WORKER: 8, PREFECT: 5, FORGOTTEN: 1},
        POSTGRESQL: {WEB: 9, WORKER: 8, PREFECT: 5, FORGOTTEN: 1, DATABASE: 15},
    },
    mutants=tuple(mutant for mutant in MUTANTS if mutant.named),
)
LONG = Size(
    decisions=5_000,
    kills={
        SQLITE: {WEB: 35, WORKER: 33, PREFECT: 12, FORGOTTEN: 1},
        POSTGRESQL: {WEB: 40, WORKER: 33, PREFECT: 12, FORGOTTEN: 1, DATABASE: 34},
    },
    mutants=MUTANTS,
    legs=10,
)


def main() -> int:
    """Run what was asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, help="of the first leg; the others count on from it")
    parser.add_argument("--record", type=Path, help="what is done is kept here and not done again")
    given = parser.parse_args()
    size, begin, record = SHORT if given.short else LONG, time.monotonic(), Record(given.record)
    seed = record.once("seed", lambda: int(time.time()) if given.seed is None else given.seed)
    say(f"seed {seed}")
    trials, asked = [], True
    for leg in range(size.legs):
        for database, kills in size.kills.items():
            try_it = partial(tried, database, size.decisions, kills, seed + leg)
            trials.append(record.once(f"{database} {leg}", try_it))
            asked = asked and as_asked(trials[-1], kills, size.decisions)
    with ThreadPoolExecutor(2) as hands:
        found = hands.map(lambda one: record.once(one.name, partial(is_caught, one)), size.mutants)
        mutants = dict(zip((one.name for one in size.mutants), found, strict=True))
    line = figures(trials, mutants) | {
        "seed": seed,
        "commits": sorted(record.commits),
        "seconds": round(time.monotonic() - begin),
    }
    sys.stdout.write(f"{json.dumps(line, ensure_ascii=False)}\n")
    return 0 if asked and all(map(clean, trials)) and all(mutants.values()) else 1


def tried(database: str, decisions: int, kills: Mapping[str, int], seed: int) -> dict[str, Any]:
    """What a trial tells; RuntimeError when it breaks off. It ends when this process is killed."""
    words = ["--db", database, "--decisions", str(decisions), "--kills", json.dumps(kills)]
    tied = [sys.executable, str(tether.__file__), str(os.getpid())]
    ended = subprocess.run(
        [*tied, sys.executable, "-m", "chaos.trial", *words, "--seed", str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode or not ended.stdout.strip():
        raise RuntimeError(f"the trial on {database} broke off ({ended.returncode})")
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def is_caught(mutant: Mutant) -> bool:
    """Whether the checker finds this fault after a short history in a copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="fourduties-mutant-") as folder:
        found = caught(mutant, Path(folder))
    say(f"mutant {mutant.name}: {'caught' if found else 'NOT CAUGHT'}")
    return found


def as_asked(told: Mapping[str, Any], kills: Mapping[str, int], decisions: int) -> bool:
    """Whether everybody was killed as often as wanted, half of them in the middle of a request."""
    if told["kills"] != kills or told["decisions"] < decisions:
        return False
    return bool(2 * told["in_flight"] >= sum(kills.values()))


def figures(trials: Sequence[Mapping[str, Any]], mutants: Mapping[str, bool]) -> dict[str, Any]:
    """The line: sums over the databases, recovery of all and by kind, then each trial by itself."""
    kills: Counter[str] = Counter()
    recovery: dict[str, list[float]] = {}
    for told in trials:
        kills.update(told["kills"])
        for kind, seconds in told["recovery"].items():
            recovery.setdefault(kind, []).extend(seconds)
    ours = [took for kind in (WEB, WORKER, DATABASE) for took in recovery.get(kind, ())]
    waits = [took for told in trials for took in told["without_prefect"]]
    return {
        "kills": dict(kills),
        **{name: sum(told[name] for told in trials) for name in SUMS},
        "mutants_caught": sum(mutants.values()),
        "mutants": len(mutants),
        "recovery_p50_s": round(median(ours), 2) if ours else None,
        "recovery_max_s": max(ours, default=None),
        "recovery": {kind: _spread(seconds) for kind, seconds in recovery.items()},
        "slowest_without_prefect_s": round(max(waits, default=0.0), 2),
        "not_caught": [name for name, found in mutants.items() if not found],
        "trials": [_told(told) for told in trials],
    }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {"n": len(seconds), "p50_s": round(median(seconds), 2), "max_s": max(seconds)}


def _told(told: Mapping[str, Any]) -> dict[str, Any]:
    wide = ("without_prefect", "recovery", "kills")
    return {name: value for name, value in told.items() if name not in wide}


if __name__ == "__main__":
    sys.exit(main())
