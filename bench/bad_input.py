"""The long form of ``tests/test_bad_input.py``: make bench BENCH=bad_input.

100,000 requests of every role and 10,000 damaged files, from ten seeds, each in a fresh house in
the middle of a rectification. A JSON line for each seed: ``requests``, ``files``, how many answers
had which status, ``faults`` (a server error, something kept of what was refused, an answer without
a word of Chinese or, of the API, without the field; broken invariants), the first of them,
``grown_mb`` (memory of the process), CPU seconds. The exit code is 0 when there is no fault.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from services.database import open_engine
from services.migration import migrate
from tests.fuzz_house import Trial

REQUESTS, FILES, SEEDS, EXAMPLES = 100_000, 10_000, 10, 100
_SHOWN = 3


def once(seed: int, requests: int, files: int) -> dict[str, Any]:
    """What a house answered."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'fourduties.db'}")
        migrate(engine)
        begun = time.process_time()
        report = Trial(engine, Path(folder) / "files", seed).run(requests, files, EXAMPLES)
        engine.dispose()
    return {
        "seed": seed,
        "requests": report.requests,
        "files": report.files,
        "statuses": dict(sorted(report.statuses.items())),
        "faults": len(report.faults),
        "first": report.faults[:_SHOWN],
        "grown_mb": round(report.grown_mb, 1),
        "cpu_s": round(time.process_time() - begun, 1),
    }


def main() -> int:
    """Print the lines; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    faults = 0
    for seed in range(given.seeds):
        line = once(seed, REQUESTS // SEEDS, FILES // SEEDS)
        faults += line["faults"]
        sys.stdout.write(f"{json.dumps(line, ensure_ascii=False)}\n")
        sys.stdout.flush()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
