"""Kills processes at random, in the middle of work, and times how long they are missed."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TypeVar

from chaos.house import DATABASE, FORGOTTEN, PREFECT, WEB, WORKER, House, utc_now
from chaos.patience import NotBack, waited
from chaos.pulse import Pulse
from chaos.say import say
from chaos.worklist import Worklist

T = TypeVar("T")
WITH_PREFECT = "worker with prefect"
"""The worker, killed together with the server that it needs for an effect."""
LIMIT = 90.0
"""Seconds after which what was killed counts as not coming back."""
TOGETHER = 12
"""Of so many kills one takes everything at once."""
_BUSY = 3
"""Requests that are to be under way when somebody is killed, if they come in time."""


@dataclass
class Tally:
    """What was killed, in the middle of what, and how long it was missed (seconds, by kind)."""

    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    in_effect: int = 0
    """Kills of the worker while an effect was queued or claimed."""
    recovery: dict[str, list[float]] = field(default_factory=dict)
    without_prefect: list[float] = field(default_factory=list)
    """Seconds of requests while nothing but Prefect's server was away."""
    refused_without_prefect: int = 0
    not_back: list[str] = field(default_factory=list)


def order(kills: Mapping[str, int], random: Random) -> list[tuple[str, ...]]:
    """Who is killed when: each kind as often as wanted, now and then all of them at once.

    Prefect's database is deleted in the first half: every case gets a run anew while others are
    killed, and not when all that is left is to wait for it.
    """
    left = Counter(kills)
    all_kinds = tuple(kind for kind in kills if kills[kind] and kind != FORGOTTEN)
    most = min(left[kind] for kind in all_kinds)
    together = min(max(1, sum(kills.values()) // (TOGETHER * len(all_kinds))), most)
    strikes: list[tuple[str, ...]] = [all_kinds] * together
    left.subtract(dict.fromkeys(all_kinds, together))
    strikes += [(kind,) for kind in left.elements()]
    random.shuffle(strikes)
    for late in range(len(strikes) // 2, len(strikes)):
        if strikes[late] == (FORGOTTEN,):
            early = random.randrange(len(strikes) // 2)
            strikes[early], strikes[late] = strikes[late], strikes[early]
    return strikes


def _needs_prefect(kinds: tuple[str, ...]) -> bool:
    """Whether how long these are missed can be told only while Prefect's server is there."""
    return bool({PREFECT, FORGOTTEN, WORKER} & set(kinds))


class Killer:
    """To be run by the main thread (``House.start_again``)."""

    def __init__(self, house: House, pulse: Pulse, work: Worklist, random: Random) -> None:
        self._house, self._pulse, self._work, self._random = house, pulse, work, random
        self._prefect = threading.Event()
        self._prefect.set()
        self._watchers: list[threading.Thread] = []
        self._moments: list[float] = []
        self.tally = Tally()

    def run(self, strikes: Sequence[tuple[str, ...]]) -> None:
        """One after the other; while Prefect's server is away, those first that can do without it.

        Nobody waits for that server, so the others go on being killed meanwhile.
        """
        left = list(strikes)
        for number in range(1, len(strikes) + 1):
            if self._pulse.over.is_set():
                return  # somebody gave up
            kinds = left.pop(self._next(left))
            if _needs_prefect(kinds):
                self._prefect.wait(2 * LIMIT)
            say(f"kill {number}/{len(strikes)}: {', '.join(kinds)}; {self._pulse.decided} decided")
            self._strike(kinds)
            time.sleep(self._random.uniform(0.2, 1.2))
        for watcher in self._watchers:
            watcher.join()

    def _next(self, left: Sequence[tuple[str, ...]]) -> int:
        if self._prefect.is_set():
            return 0
        return next((n for n, kinds in enumerate(left) if not _needs_prefect(kinds)), 0)

    def _strike(self, kinds: tuple[str, ...]) -> None:
        if WORKER in kinds:
            self._work.release.set()
        self._pulse.rush.set()
        time.sleep(self._random.uniform(0.05, 0.5))
        self.tally.in_effect += self._in_the_middle(WORKER in kinds)
        begin, at = time.monotonic(), utc_now()
        self._moments.append(begin)
        self.tally.in_flight += len(kinds) * (self._pulse.under_way > 0)
        for kind in kinds:
            self._house.kill(kind)
            self.tally.kills[kind] += 1
        self._pulse.rush.clear()
        if DATABASE in kinds:
            self._house.start_again()
        if {PREFECT, FORGOTTEN} & set(kinds):
            self._watch_prefect(kinds, begin)
        self._missed(kinds, begin, at)
        self._work.release.clear()

    def _in_the_middle(self, worker: bool) -> bool:
        """Wait a moment for something to be under way; whether an effect is, for the worker."""
        end, effect = time.monotonic() + 1.5, False
        while time.monotonic() < end:
            effect = worker and self._house.effects_under_way() > 0
            if self._pulse.under_way >= _BUSY and effect is worker:
                break
            time.sleep(0.005)
        return effect

    def _missed(self, kinds: tuple[str, ...], begin: float, at: datetime) -> None:
        """Wait until what was killed does its work again, and keep how long that took."""
        if {WEB, DATABASE} & set(kinds):
            took = self._until("an answer", lambda: self._pulse.first_after(begin))
            for kind in kinds:
                if took is not None and kind in (WEB, DATABASE):
                    self._keep(kind, took - begin)
        if WORKER in kinds:
            self._until_effect(WITH_PREFECT if PREFECT in kinds else WORKER, at)

    def _until_effect(self, kind: str, at: datetime) -> None:
        """Until an effect is done; one that was queued later was missed from then on only."""
        queued = self._until("an effect", lambda: self._house.effect_done_since(at))
        if queued is not None:
            self._keep(kind, (utc_now() - max(at, queued)).total_seconds())

    def _until(self, what: str, true: Callable[[], T]) -> T | None:
        try:
            return waited(what, true, LIMIT, every=0.05)
        except NotBack as error:
            self.tally.not_back.append(str(error))
            return None

    def _keep(self, kind: str, seconds: float) -> None:
        self.tally.recovery.setdefault(kind, []).append(round(seconds, 2))
        say(f"  {kind} again after {seconds:.1f} s")

    def _watch_prefect(self, kinds: tuple[str, ...], begin: float) -> None:
        """In a thread of its own: meanwhile others may be killed."""

        def watch() -> None:
            if FORGOTTEN in kinds:
                self._until_known_again(begin)
            else:
                self._until_prefect(begin, alone=len(kinds) == 1)
            self._prefect.set()

        self._prefect.clear()
        self._watchers.append(threading.Thread(target=watch))
        self._watchers[-1].start()

    def _until_prefect(self, begin: float, *, alone: bool) -> None:
        """Until its API answers; what people waited for up to then is kept, if it was due to it."""
        if not self._until("prefect", self._house.prefect_answers):
            return
        end = time.monotonic()
        self._keep(PREFECT, end - begin)
        if alone:
            next_kill = min([at for at in self._moments if at > begin], default=end)
            seen = self._pulse.between(begin, min(end, next_kill))
            self.tally.without_prefect += [took for took, _ in seen]
            self.tally.refused_without_prefect += sum(status >= 500 for _, status in seen)

    def _until_known_again(self, begin: float) -> None:
        """Its database is gone: until everything is registered anew and an effect is done."""
        if self._until("prefect, anew", self._house.prefect_answers):
            at = utc_now()
            if self._until("an effect, anew", lambda: self._house.effect_done_since(at)):
                self._keep(FORGOTTEN, time.monotonic() - begin)
