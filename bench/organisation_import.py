"""What importing an organisation by workbook takes: ``make bench BENCH=import``; JSON lines.

A line for each database: ``n`` times, each in a process and a fresh database of its own, a workbook
of 6,760 organisations, 30,000 posts with an appointment each, and 6,759 portfolios. ``stage_s`` is
reading it, comparing it and keeping the difference; ``confirm_s`` reading and comparing it again
and writing; ``again_s`` staging the same file once more, when nothing differs; ``undo_s`` taking it
back. ``*_held_s`` is how long each had its transaction open, until after the commit: on SQLite
nobody else writes meanwhile, on PostgreSQL nobody else touches the posts and units it is about.
``peak_rss_mb`` is the most memory the process had in all of that, Python and libraries
included; ``base_rss_mb`` before the first of it. ``who_ms`` and ``leader_ms`` are one question
(``who(post)``, ``leader_in_charge(unit)``), each asked anew, the median of 500; ``who_10k_s`` and
``leader_10k_s`` are 10,000 of them at once. All but memory are medians over the runs.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import psutil
import xlsxwriter  # type: ignore[import-untyped]
from sqlalchemy import Connection, Engine, event, select

from bench.installation import POSTGRESQL, SQLITE
from bench.org_import import databases
from bench.processes import peak_rss_mb
from bench.trees import whole_city
from deployments.clock import now, ticks
from documents.organisation_file import CHARGES, POSTS, SHEETS, TERMS, UNITS
from documents.tree import TreeRow
from models.base import table
from models.organisation import Organisation, Post
from services.batches.page import batch_head
from services.batches.staging import confirm, stage
from services.batches.undoing import undo
from services.command import SYSTEM
from services.database import open_engine, reading
from services.env import Env
from services.whose import Whose

RUNS, APPOINTMENTS, AT_ONCE, ONE_BY_ONE = 3, 30_000, 10_000, 500
_SINCE = date(2026, 1, 1)
_TITLES = (
    ("书记", "书记", 1),
    ("副书记", "班子成员", 2),
    ("组织委员", "班子成员", 3),
    ("宣传委员", "班子成员", 4),
    ("联络员", "联络员", 80),
)
T = TypeVar("T")
Rows = list[Sequence[Any]]


def main() -> None:
    """Measure both databases, and write each line when it is there."""
    with tempfile.TemporaryDirectory(prefix="fourduties-bench-") as folder:
        file = Path(folder) / "organisation.xlsx"
        write_workbook(file, whole_city(), APPOINTMENTS)
        for kind in (SQLITE, POSTGRESQL):
            sys.stdout.write(f"{json.dumps(measured(kind, file, RUNS))}\n")
            sys.stdout.flush()


def measured(kind: str, file: Path, runs: int) -> dict[str, Any]:
    """The line of one kind of database."""
    found: list[dict[str, float]] = []
    with databases(kind) as fresh:
        for _ in range(runs):
            url = fresh().url.render_as_string(hide_password=False)
            command = [sys.executable, "-m", "bench.organisation_import", url, str(file)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            found.append(json.loads(done.stdout))
    head: dict[str, Any] = {"bench": "import", "db": kind, "n": runs}
    head["file_mb"] = round(file.stat().st_size / 1024 / 1024, 2)
    values = {
        name: max(one[name] for one in found) if "rss" in name else median(_all(found, name))
        for name in found[0]
    }
    return head | {name: round(value, 3) for name, value in values.items()}


def write_workbook(file: Path, tree: Sequence[TreeRow], appointments: int) -> None:
    """The five sheets but for the relations, for a tree: posts by turns, a holder for each."""
    holders = list(islice(_posts(tree), appointments))
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    units: Rows = [
        [row.code, f"{row.name}党委", "", row.level, "党委", row.parent_code] for row in tree
    ]
    posts: Rows = [[code, title, kind, rank] for code, title, kind, rank in holders]
    terms: Rows = [
        [code, title, f"第{n}人", f"N{n}", _SINCE, ""]
        for n, (code, title, _, _) in enumerate(holders)
    ]
    charges: Rows = [
        [row.parent_code, "副书记", row.code, "", _SINCE, ""] for row in tree if row.parent_code
    ]
    for name, rows in ((UNITS, units), (POSTS, posts), (TERMS, terms), (CHARGES, charges)):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, [column.name for column in SHEETS[name]])
        for number, cells in enumerate(rows, start=1):
            sheet.write_row(number, 0, cells)
    book.close()


def one_run(url: str, file: Path) -> dict[str, float]:
    """Everything once, in this process."""
    data, engine = file.read_bytes(), open_engine(url)
    env, me, spans = Env(engine, now), psutil.Process(), _spans(engine)
    found: dict[str, float] = {"base_rss_mb": peak_rss_mb(me)}
    with timed(found, "stage_s", spans):
        batch = stage(env, SYSTEM, data=data, filename=file.name, key="first")
    with reading(engine) as db:
        seen = batch_head(db, None, batch).fingerprint
    with timed(found, "confirm_s", spans):
        confirm(env, SYSTEM, batch_id=batch, fingerprint=seen, key="confirm")
    with reading(engine) as db:
        found |= questions(db)
    with timed(found, "again_s", spans):
        stage(env, SYSTEM, data=data, filename=file.name, key="again")
    with timed(found, "undo_s", spans):
        undo(env, SYSTEM, batch_id=batch, key="undo")
    found["peak_rss_mb"] = peak_rss_mb(me)
    engine.dispose()
    return found


def questions(db: Connection) -> dict[str, float]:
    """One question, and thousands at once."""
    on = now().date()
    posts = list(db.execute(select(table(Post).c.id)).scalars())
    units = list(db.execute(select(table(Organisation).c.id)).scalars())
    asked = (units * (AT_ONCE // len(units) + 1))[:AT_ONCE]
    found: dict[str, float] = {}
    found["who_ms"] = _each(posts[:: len(posts) // ONE_BY_ONE or 1], Whose(db, on).who, db, on)
    leaders = units[:: len(units) // ONE_BY_ONE or 1]
    found["leader_ms"] = _each(leaders, Whose(db, on).leader_in_charge, db, on)
    with timed(found, "who_10k_s"):
        whose = Whose(db, on)
        whose.know(posts=posts[:AT_ONCE])
        for post_id in posts[:AT_ONCE]:
            whose.who(post_id)
    with timed(found, "leader_10k_s"):
        whose = Whose(db, on)
        whose.know(organisations=asked)
        for unit_id in asked:
            whose.leader_in_charge(unit_id)
    return found


@contextmanager
def timed(found: dict[str, float], name: str, spans: list[float] | None = None) -> Iterator[None]:
    """Seconds of what is done inside, and of its longest transaction."""
    started = ticks()
    yield
    found[name] = ticks() - started
    if spans is not None:
        found[f"{name.removesuffix('_s')}_held_s"] = max(spans)
        spans.clear()


def _spans(engine: Engine) -> list[float]:
    """Gathers how long each writing transaction of an engine is open."""
    spans: list[float] = []

    @event.listens_for(engine, "begin")
    def _begun(db: Connection) -> None:
        if not db.get_execution_options().keys() & {"read_only", "isolation_level"}:
            db.info["since"] = ticks()

    @event.listens_for(engine, "checkin")
    def _ended(_: Any, record: Any) -> None:
        since = record.info.pop("since", None)
        if since is not None:
            spans.append(ticks() - since)

    return spans


def _each(ids: Sequence[int], ask: Callable[[int], object], db: Connection, on: date) -> float:
    """The median milliseconds of a question, nothing kept from the one before."""
    name, taken = ask.__name__, []
    for one in ids:
        started = ticks()
        getattr(Whose(db, on), name)(one)
        taken.append((ticks() - started) * 1000)
    return median(taken)


def _posts(tree: Sequence[TreeRow]) -> Iterator[tuple[str, str, str, int]]:
    for title, kind, rank in _TITLES:
        yield from ((row.code, title, kind, rank) for row in tree)


def _all(found: Sequence[dict[str, float]], name: str) -> list[float]:
    return [one[name] for one in found]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(one_run(sys.argv[1], Path(sys.argv[2]))))
