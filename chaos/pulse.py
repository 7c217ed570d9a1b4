"""What is under way and what was answered, as the killer sees it from outside."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile


@dataclass
class Pulse:
    """Counted by all clients together; times are of ``time.monotonic``."""

    rush: threading.Event = field(default_factory=threading.Event)
    """Set: nobody pauses between two decisions."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set: everybody ends what they began, and stops."""
    statuses: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _under_way: int = 0
    _decided: set[str] = field(default_factory=set)
    _unknown: set[str] = field(default_factory=set)
    _answers: list[tuple[float, float, int]] = field(default_factory=list)

    @property
    def decided(self) -> int:
        """Decisions that were acknowledged."""
        return len(self._decided)

    @property
    def unknown(self) -> int:
        """Decisions of which an answer got lost and a repetition told what became of them."""
        return len(self._unknown)

    @property
    def under_way(self) -> int:
        """Requests that were sent and not answered."""
        return self._under_way

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around a request, from its first byte to its last."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def answered(self, sent: float, status: int) -> None:
        """A request that was sent then was answered just now."""
        with self._lock:
            self.statuses[status] += 1
            self._answers.append((sent, time.monotonic(), status))

    def settled(self, key: str, *, decided: bool, unknown: bool) -> None:
        """A decision has an answer for good."""
        with self._lock:
            if decided:
                self._decided.add(key)
            if unknown:
                self._unknown.add(key)

    def first_after(self, moment: float) -> float | None:
        """When the first request that was sent after a moment was answered properly."""
        found = [at for sent, at, status in self._since(moment) if sent > moment and status < 500]
        return min(found, default=None)

    def between(self, begin: float, end: float) -> list[tuple[float, int]]:
        """Seconds and status of the requests that were sent and answered between two moments."""
        return [
            (at - sent, status)
            for sent, at, status in self._since(begin)
            if begin <= sent and at <= end
        ]

    def _since(self, moment: float) -> list[tuple[float, float, int]]:
        """What was answered after a moment, the latest first: a long run keeps many answers."""
        with self._lock:
            return list(takewhile(lambda kept: kept[1] > moment, reversed(self._answers)))
