"""``make bench BENCH=audit_verify``: what `fourduties audit verify` takes, in seconds and memory.

A line of JSON for each database. The memory is that of a process of its own which only verifies;
``ENTRIES=50000`` before the command makes it shorter (1,000,000 without).
"""

import json
import os
import subprocess
import sys

from sqlalchemy import Engine

from bench.audit_history import SECRET, fill
from bench.installation import POSTGRESQL, SQLITE
from bench.org_import import databases
from services.audit_trail import broken_chains
from services.database import open_engine
from services.invariants import snapshot
from services.seal_check import unlike_the_seals
from services.seal_key import SigningKey

ENTRIES = 1_000_000
_VERIFY = """\
import resource, sys, time
from bench.audit_verify import findings
began = time.perf_counter()
found = findings(sys.stdin.read())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(found, time.perf_counter() - began, peak)
"""


def findings(url: str) -> int:
    """How many things do not fit: none, or the bench is wrong."""
    engine = open_engine(url)
    with snapshot(engine) as db:
        chains = sum(1 for _ in broken_chains(db))
        found = chains + sum(1 for _ in unlike_the_seals(db, SigningKey(SECRET).public))
    engine.dispose()
    return found


def measured(db: str, engine: Engine, entries: int) -> dict[str, object]:
    """Fill a fresh database, and verify it in a process of its own."""
    streams, seals = max(1, entries // 20), max(1, entries // 1000)
    fill(engine, entries, streams, seals)
    engine.dispose()
    url = engine.url.render_as_string(hide_password=False)
    command = (sys.executable, "-c", _VERIFY)
    done = subprocess.run(command, input=url, capture_output=True, text=True, check=True)
    found, seconds, peak = done.stdout.split()
    if found != "0":
        raise RuntimeError(f"{found} findings in an audit that nobody touched")
    return {
        "bench": "audit_verify",
        "db": db,
        "entries": entries,
        "streams": streams,
        "seals": seals,
        "verify_s": round(float(seconds), 2),
        "peak_rss_mb": int(peak),
    }


def main() -> None:
    """Measure both databases."""
    entries = int(os.environ.get("ENTRIES", ENTRIES))
    for name in (SQLITE, POSTGRESQL):
        with databases(name) as fresh:
            line = measured(name, fresh(), entries)
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
