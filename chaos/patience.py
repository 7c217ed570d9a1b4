"""Waiting for what comes back by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

from services.database import AWAY
from services.errors import Busy

T = TypeVar("T")


class NotBack(RuntimeError):
    """Something stayed away for longer than anybody would wait."""


def patiently(do: Callable[[], T], seconds: float = 60.0) -> T:
    """What ``do`` gives, repeated while the database is away; it must not mind a repetition."""
    end = time.monotonic() + seconds
    while True:
        try:
            return do()
        except (Busy, *AWAY):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def waited(what: str, true: Callable[[], T], seconds: float, every: float = 0.02) -> T:
    """What ``true`` gives once it gives something; :class:`NotBack` after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise NotBack(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
    return found
