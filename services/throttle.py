"""How often a log-in may be tried: per account from one address, per account, per address.

Kept in the memory of one process: a restart forgets, and a second process counts for itself. The
limit for one account from everywhere is wide, so that a stranger cannot lock somebody out for long.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from services.errors import DutiesError

WINDOW = timedelta(minutes=15)
PER_PAIR, PER_LOGIN, PER_ADDRESS = 5, 20, 50
_ANY = " "
"""Of any log-in, or from any address: neither is ever this."""
_KEPT = 10_000


class TooManyTries(DutiesError):
    """登录失败次数过多，请稍后再试。"""

    status = 429
    code = "too_many_tries"


@dataclass(slots=True)
class Throttle:
    """Failed log-ins of the last quarter of an hour."""

    _failures: OrderedDict[tuple[str, str], deque[datetime]] = field(default_factory=OrderedDict)
    _told: OrderedDict[tuple[str, str], datetime] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def admit(self, login: str, address: str, now: datetime) -> None:
        """TooManyTries, with the minutes that are left, while this log-in must wait."""
        wait = self.wait(login, address, now)
        if wait:
            raise TooManyTries(f"登录失败次数过多，请 {-(-wait.seconds // 60)} 分钟后再试。")

    def first_held(self, login: str, address: str, now: datetime) -> bool:
        """Whether this is the first refusal of its wait: one line of the record tells of all."""
        with self._lock:
            told = self._told.get((login, address))
            if told is not None and now - told < WINDOW:
                return False
            self._told[login, address] = now
            self._told.move_to_end((login, address))
            while len(self._told) > _KEPT:
                self._told.popitem(last=False)
            return True

    def wait(self, login: str, address: str, now: datetime) -> timedelta:
        """How long this log-in must wait before the next try; zero when it may try."""
        with self._lock:
            return max(self._left(key, limit, now) for key, limit in _keys(login, address))

    def failed(self, login: str, address: str, now: datetime) -> None:
        """Count a failure."""
        with self._lock:
            for key, limit in _keys(login, address):
                self._failures.setdefault(key, deque(maxlen=limit)).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > _KEPT:
                self._failures.popitem(last=False)

    def passed(self, login: str, address: str) -> None:
        """Forget the failures of this account from this address."""
        with self._lock:
            self._failures.pop((login, address), None)

    def _left(self, key: tuple[str, str], limit: int, now: datetime) -> timedelta:
        tries = self._failures.get(key)
        if tries is None or len(tries) < limit:
            return timedelta()
        return max(tries[0] + WINDOW - now, timedelta())


def _keys(login: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return ((login, address), PER_PAIR), ((login, _ANY), PER_LOGIN), ((_ANY, address), PER_ADDRESS)
