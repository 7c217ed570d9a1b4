"""Runs that claim to be at work and are executed by nobody: what their worker left when it died."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.runs import Run, RunKind


class Fix(StrEnum):
    """``take_over``: schedule it anew; ``crash``: say so, its schedule comes round anyway."""

    TAKE_OVER = "take_over"
    CRASH = "crash"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Workers:
    """Who could be executing a run: this process by what it holds, others by whether they live."""

    executing: frozenset[str]
    me: str
    dead: frozenset[str]


_UNCLAIMED = timedelta(seconds=20)
_CLAIMING = timedelta(seconds=3)
_CANCELLING = timedelta(seconds=2)


def fix_for(run: Run, workers: Workers, now: datetime) -> Fix | None:
    """What to do about a run that claims to be at work (RUNNING proves nothing); None: leave it.

    A run between being taken and being started is held by nobody for a moment, and still bears the
    name of the worker before: hence the ages.
    """
    grown_up = _grown_up(run, workers)
    if grown_up is None or now - run.since < grown_up:
        return None
    if run.kind is RunKind.CANCELLING:
        return Fix.CANCEL
    return Fix.TAKE_OVER if run.of_case else Fix.CRASH


def look_again(runs: Iterable[Run], workers: Workers, now: datetime) -> timedelta | None:
    """After how long a run that a dead worker may have left is old enough to be told so.

    None: there is no such run. Who only looked each minute would leave it for as long.
    """
    waits = [
        grown_up - (now - run.since)
        for run in runs
        if run.worker in workers.dead and (grown_up := _grown_up(run, workers)) is not None
    ]
    return min((wait for wait in waits if wait > timedelta()), default=None)


def _grown_up(run: Run, workers: Workers) -> timedelta | None:
    """The age above which nobody executes a run that is held by nobody; None: somebody may."""
    if run.id in workers.executing:
        return None
    if run.kind is RunKind.CANCELLING:
        return _CANCELLING
    if run.worker in workers.dead:
        return _CLAIMING if run.kind is RunKind.PENDING else timedelta()
    if run.worker == workers.me:
        return _CLAIMING
    return None if run.worker else _UNCLAIMED
