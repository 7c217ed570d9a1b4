"""Many small transactions, of which one that fails must not stop the others (a poison row)."""

import logging
import traceback
from collections.abc import Callable, Iterable
from typing import TypeVar

from services.errors import Busy, NotFound, StorageFault

T = TypeVar("T")


def each_apart(log: logging.Logger, items: Iterable[T], act: Callable[[T], int]) -> int:
    """Carry ``act`` out for each item and add up what it returns.

    What is locked by somebody else is left for the next time in silence; what fails is logged
    (what kind of error and where: its text may hold what is nobody else's business) and left too.
    While the storage keeps nothing, all are left.
    """
    done = 0
    for item in items:
        try:
            done += act(item)
        except StorageFault:
            break
        except (Busy, NotFound):
            log.debug("left for the next time: %s", item)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            log.error("left for the next time: %s (%s, %s:%s)", item, kind, at.name, at.lineno)
    return done
