"""Starting while the database is away: a process waits for it instead of dying again and again."""

import logging
import threading

from deployments.clock import ticks
from deployments.root import build
from deployments.settings import Settings
from services.database import AWAY
from services.env import Env

PATIENCE = 60.0
"""Seconds a process waits for its database; then it ends, and the runner takes over."""
_EVERY = 0.1
_log = logging.getLogger(__name__)


def built(settings: Settings, seconds: float = PATIENCE) -> Env:
    """:func:`deployments.root.build`, once the database can be reached.

    Who is killed together with the database is back before it. Errors: those of ``build``, and
    :data:`services.database.AWAY` when the database stays away.
    """
    end, never, waits = ticks() + seconds, threading.Event(), False
    while True:
        try:
            return build(settings)
        except AWAY:
            if ticks() >= end:
                raise
        if not waits:
            _log.warning("the database is away: waiting for it")
        waits = True
        never.wait(_EVERY)
