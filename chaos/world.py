"""What the chaos happens to: the demo's district, and rectifications that are waited for in it.

Some were opened weeks ago and plan tasks whose date has passed, so that the watch has rungs to
fire: when the processes start, and whenever such a plan is published.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from random import Random

from bench.feedback import feedback_of
from chaos.patience import patiently
from deployments.clock import now
from deployments.demo import TOWN
from deployments.preparing import prepare
from deployments.settings import Settings
from flows.rectification import rectification
from policy.calendar import local_day
from services.casework import mechanisms
from services.command import SYSTEM
from services.database import open_engine
from services.env import Env
from services.problem_import import import_feedback

MECHANISM = rectification
"""The mechanism of the cases; importing it declares it."""
LONG_AGO = timedelta(days=70)
"""How long before their import plans were made: their tasks are due 60 to 90 days after that."""


class World:
    """A prepared installation, and the hand that opens cases in it."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.passwords = {one.login: one.password for one in prepare(settings, lambda text: None)}
        self.engine = open_engine(settings.database_url)
        self._random, self._number = Random(seed), count(1)
        self._run = secrets.token_hex(4)

    def open_past(self, cases: int) -> None:
        """Open cases on days of the last six weeks, one after the other."""
        for number in range(cases):
            at = now() - timedelta(days=42) * (1 - number / cases)
            self._open(lambda at=at: at)  # type: ignore[misc]

    def open(self, cases: int) -> None:
        """Open cases now."""
        for _ in range(cases):
            self._open(now)

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()

    def _open(self, clock: Callable[[], datetime]) -> None:
        """One case, imported until it is certain that it was."""
        number = next(self._number)
        problems, past = self._random.randint(2, 4), self._random.random() < 0.5
        data = feedback_of(problems, local_day(clock() - (LONG_AGO if past else timedelta())))
        env = Env(self.engine, clock, mechanisms())
        patiently(
            lambda: import_feedback(
                env,
                SYSTEM,
                organisation=TOWN,
                data=data,
                filename="feedback.xlsx",
                key=f"chaos-{self._run}-{number}",
                batch=f"{self._run} 第{number}批",
            )
        )
