"""Whether a clock may be believed: it has to have gone on from where it was (INV-23).

Rungs and messages follow from dates, and what was fired is not taken back. So nothing that depends
on a date follows from a clock that stands somewhere else than one expects, until a second look
finds that it went on from there. After an outage that costs a minute.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

STEP = timedelta(minutes=5)
"""What clocks are out by, and set right by, without anybody having to know."""
EVERY = timedelta(minutes=1)
"""How often the watch looks."""
_AGAIN = timedelta(seconds=30)
"""Two looks that come sooner are one: both may have met the same moment of a wrong clock."""
_SOON = timedelta(hours=1)
"""How late a second look may come, where looks are slow."""


class Belief(StrEnum):
    """``away``: it stands later than expected, because nobody looked for a while or because it was
    moved; ``moved``: it was moved, by whoever or whatever."""

    BELIEVED = "believed"
    AWAY = "away"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Looked:
    """The last look of a process, and the time since then by what nobody can set."""

    at: datetime
    passed: timedelta


def belief(
    seen: datetime | None, doubted: datetime | None, now: datetime, mine: Looked | None
) -> Belief:
    """What to think of the clock that says ``now``.

    ``seen``: what it said at the last look that was believed, of whichever process; None: nobody
    ever looked. ``doubted``: what it said at a later one that was not. ``mine``: the last look of
    this process, None if it had none.
    """
    if seen is None or _went_on(seen, now, mine, EVERY + STEP):
        return Belief.BELIEVED
    if doubted is not None and now - doubted >= _AGAIN and _went_on(doubted, now, mine, _SOON):
        return Belief.BELIEVED
    last = seen if doubted is None else doubted
    moved = now < last - STEP or (mine is not None and _impossible(last, now, mine))
    return Belief.MOVED if moved else Belief.AWAY


def _impossible(last: datetime, now: datetime, mine: Looked) -> bool:
    """Whether no outage explains it: nobody's last look is older than that of this process."""
    return now - last > mine.passed + STEP or (mine.at == last and _off(now, mine))


def _went_on(since: datetime, now: datetime, mine: Looked | None, most: timedelta) -> bool:
    if mine is not None and mine.at == since:
        return not _off(now, mine)
    return -STEP <= now - since <= most


def _off(now: datetime, mine: Looked) -> bool:
    return abs(now - mine.at - mine.passed) > STEP
