"""One row of the bench: decisions and floor by turns, in blocks, with the CPU at their borders."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median, quantiles

import psutil

from bench.clients import Crowd, Waiting
from bench.house import House
from bench.processes import cpu_seconds

PER_CLIENT = {1: 25, 8: 12}
"""How many requests each client makes in a block: few, so that all kinds see the same machine."""


@dataclass
class Taken:
    """What requests of one kind took: milliseconds each, and in all of their blocks together."""

    each_ms: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def p50_ms(self) -> float:
        """The median."""
        return median(self.each_ms)

    @property
    def p95_ms(self) -> float:
        """What one in twenty took longer than."""
        return quantiles(self.each_ms, n=20, method="inclusive")[-1]

    @property
    def cpu_ms(self) -> float:
        """User and system time of web and database for one request."""
        return self.cpu_s * 1000 / len(self.each_ms)

    @property
    def per_s(self) -> float:
        """Requests in a second, all clients together."""
        return len(self.each_ms) / self.wall_s


@dataclass
class Measured:
    """The kinds of requests of a row."""

    decision: Taken = field(default_factory=Taken)
    form: Taken = field(default_factory=Taken)
    floor: Taken = field(default_factory=Taken)


class Measuring:
    """Measures one shape at one number of clients. ``processes`` are web and database."""

    def __init__(
        self, house: House, port: int, clients: int, processes: Sequence[psutil.Process]
    ) -> None:
        self._house, self._processes = house, processes
        self._crowd = Crowd(port, clients, house.new_password)
        self._clients = clients
        self._turn = 0

    def run(self, decisions: int) -> Measured:
        """Warm up, then blocks by turns until so many decisions were made through the API."""
        measured, warm = Measured(), Measured()
        try:
            for _ in range(2):
                self._round(warm)
            while len(measured.decision.each_ms) < decisions:
                self._round(measured)
        finally:
            self._crowd.close()
        return measured

    def _round(self, into: Measured) -> None:
        self._block(into.decision, self._crowd.decide)
        self._block(into.floor, self._crowd.floor)
        self._block(into.form, self._crowd.submit)

    def _block(self, into: Taken, act: Callable[[Sequence[Waiting]], list[float]]) -> None:
        work = self._next()
        self._crowd.ready(work)
        cpu, begun = cpu_seconds(self._processes), time.perf_counter()
        into.each_ms += act(work)
        into.wall_s += time.perf_counter() - begun
        into.cpu_s += cpu_seconds(self._processes) - cpu

    def _next(self) -> list[Waiting]:
        """A slot of each of the next branches; over time all of them have their turn."""
        waiting = self._house.waiting()
        wanted = min(PER_CLIENT.get(self._clients, 12) * self._clients, len(waiting))
        first = self._turn % len(waiting)
        self._turn += wanted
        return list(islice(cycle(waiting), first, first + wanted))
