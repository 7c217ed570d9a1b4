"""One trial: one database, people at work, and somebody who kills; ``python -m chaos.trial …``.

Prints one JSON line: what was killed, how long it was missed, and what the checker found.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bench.cluster import Server, killable_cluster
from bench.processes import free_port
from chaos.checker import check
from chaos.clients import Clerk, Client, Crowd
from chaos.deeds import Errands
from chaos.house import FORGOTTEN, House, running, utc_now
from chaos.journal import Journal
from chaos.killer import Killer, Tally, order
from chaos.people import Hand, People
from chaos.pulse import Pulse
from chaos.say import say
from chaos.settling import Settling
from chaos.worklist import MOST_RUNS, Worklist
from chaos.world import World
from deployments.settings import load

CLIENTS = 8
PER_SECOND = 16.0
"""Decisions of all together, but for the rush around each kill."""
FRESH, PAST = 6, 8
"""Cases that nobody has begun: kept in stock; and of these the ones that wait for weeks already."""
WATCH_SECONDS = 10.0
STEADY_SECONDS = 0.0
"""What is killed from outside every few seconds does not keep dying by itself, which would be given
longer and longer pauses: half a minute at the fifth time within seconds."""
_WARM = 20
"""Decisions before the first kill."""
_MOST = 25
"""Violations that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: on which database, how much, with which seed."""

    database: str
    decisions: int
    kills: Mapping[str, int]
    seed: int


def run(trial: Trial, folder: Path) -> dict[str, Any]:
    """Everything from an empty folder to the checker's verdict."""
    with _server(trial.database) as server:
        given = {"database_url": server.url} if server else {}
        settings = load(
            None,
            data=folder / "data",
            port=free_port(),
            prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
            steady_seconds=STEADY_SECONDS,
            **given,
        )
        say(f"{trial.database}: seed {trial.seed}, {trial.decisions} decisions, {trial.kills}")
        world = World(settings, trial.seed)
        with _opening(world), running(settings, world.engine, server) as house:
            say("up")
            work = Working(trial, house, world, folder)
            work.run()
            left = Settling(house, forgotten=bool(trial.kills.get(FORGOTTEN))).wait()
            quiet = utc_now()
        say("stopped")
        found = check(settings.database_url, work.journals, looked_at=quiet)
        world.close()
    return _told(trial, work, left, found)


@contextmanager
def _opening(world: World) -> Iterator[None]:
    """Cases are opened while everything starts."""
    with ThreadPoolExecutor(1) as hand:
        opened = hand.submit(world.open_past, PAST)
        yield
        opened.result()


@contextmanager
def _server(database: str) -> Iterator[Server | None]:
    if database == "sqlite":
        yield None
        return
    with killable_cluster() as server:
        yield server


class Working:
    """People, the hand that opens cases, the watch, and the killer, until enough was done."""

    def __init__(self, trial: Trial, house: House, world: World, folder: Path) -> None:
        self._trial, self._house, self._world = trial, house, world
        random = Random(trial.seed)
        self.pulse = Pulse()
        self._worklist = Worklist(world.engine, world.passwords, Random(random.random()))
        self._errands = Errands(world.engine, world.passwords, Random(random.random()))
        self._people = People(world.passwords)
        self.journals = [folder / f"client-{n}.jsonl" for n in range(1, CLIENTS + 1)]
        self._books = [Journal(path) for path in self.journals]
        clients = [
            self._client(n, book, Random(random.random())) for n, book in enumerate(self._books, 1)
        ]
        self._crowd = Crowd(clients, self.pulse, PER_SECOND, Random(random.random()))
        self._strikes = order(trial.kills, Random(random.random()))
        self._killer = Killer(house, self.pulse, self._worklist, Random(random.random()))
        self.seconds = 0.0

    @property
    def tally(self) -> Tally:
        """What the killer did."""
        return self._killer.tally

    def run(self) -> None:
        """Until everybody who is to be killed was, and enough is decided."""
        self._sign_in()
        begin, ended = time.monotonic(), threading.Event()
        helpers = [
            threading.Thread(target=self._open_cases, args=(ended,)),
            threading.Thread(target=self._watch, args=(ended,)),
        ]
        for thread in helpers:
            thread.start()
        self._crowd.start()
        try:
            while self.pulse.decided < _WARM and not self.pulse.over.wait(0.1):
                pass
            self._killer.run(self._strikes)
            self._enough()
        finally:
            try:
                self._crowd.stop()
            finally:
                ended.set()
                for thread in helpers:
                    thread.join()
                for book in self._books:
                    book.close()
        self.seconds = time.monotonic() - begin

    def _client(self, number: int, book: Journal, random: Random) -> Client:
        port = self._house.settings.port
        clerks = tuple(Clerk(number, port, self._people, self.pulse, book) for _ in range(2))
        work = self._worklist, self._errands
        return Client(number, (clerks[0], clerks[1]), work, self.pulse, random)

    def _sign_in(self) -> None:
        def enter(login: str) -> None:
            self._people.session(Hand(self._house.settings.port), login)

        with ThreadPoolExecutor(4) as hands:
            list(hands.map(enter, self._people.passwords))

    def _enough(self) -> None:
        self.pulse.rush.set()
        while self.pulse.decided < self._trial.decisions and not self.pulse.over.is_set():
            say(f"{self.pulse.decided} decided")
            self.pulse.over.wait(5)

    def _open_cases(self, ended: threading.Event) -> None:
        while not ended.wait(0.5):
            work = self._worklist
            if work.cases < FRESH and work.runs < MOST_RUNS:
                self._world.open(1)

    def _watch(self, ended: threading.Event) -> None:
        settling = Settling(self._house)
        while not ended.wait(WATCH_SECONDS):
            settling.watch_now()


def _told(trial: Trial, work: Working, left: list[str], found: Any) -> dict[str, Any]:
    tally = work.tally
    violations = [str(one) for one in found.violations]
    return {
        "database": trial.database,
        "seed": trial.seed,
        "kills": dict(tally.kills),
        "in_flight": tally.in_flight,
        "in_effect": tally.in_effect,
        "recovery": tally.recovery,
        "without_prefect": tally.without_prefect,
        "refused_without_prefect": tally.refused_without_prefect,
        "not_back": tally.not_back,
        "seconds": round(work.seconds, 1),
        "decisions": found.decisions,
        "acknowledged": work.pulse.decided,
        "statuses": dict(work.pulse.statuses),
        "unknown_settled": found.unknown_settled,
        "unknown_left": found.unknown_left,
        "lost": found.lost,
        "doubled": found.doubled,
        "violations": len(violations),
        "named": violations[:_MOST],
        "left": left,
    }


def clean(told: Mapping[str, Any]) -> bool:
    """Whether everything held and everything came back."""
    return not (
        told["violations"]
        or told["left"]
        or told["not_back"]
        or told["unknown_left"]
        or told["refused_without_prefect"]
    )


@dataclass(slots=True)
class _Folder:
    path: Path
    kept: bool


@contextmanager
def _folder(wanted: Path | None) -> Iterator[_Folder]:
    """Where database, journals and logs are: the folder that was asked for, or one that is removed.

    What a trial found can be explained from them alone, so then it stays.
    """
    folder = _Folder(wanted or Path(tempfile.mkdtemp(prefix="fourduties-chaos-")), bool(wanted))
    try:
        yield folder
    finally:
        if folder.kept:
            say(f"database, journals and logs are in {folder.path}")
        else:
            shutil.rmtree(folder.path, ignore_errors=True)


def main() -> None:
    """The trial that the arguments describe."""
    parser = argparse.ArgumentParser(prog="python -m chaos.trial")
    parser.add_argument("--db", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--decisions", type=int, default=200)
    parser.add_argument("--kills", type=json.loads, default={"web": 2, "worker": 2, "prefect": 1})
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder to leave database and journals in")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    trial = Trial(given.db, given.decisions, given.kills, given.seed)
    with _folder(given.keep) as folder:
        told = run(trial, folder.path)
        folder.kept = folder.kept or not clean(told)
    sys.stdout.write(f"{json.dumps(told, ensure_ascii=False)}\n")


if __name__ == "__main__":
    main()
