"""The Prefect side of ``two_step``: its flow, and a worker process that knows it.

``python -m tests.two_step_flows`` is that worker, with the settings of the environment.
"""

import os
from datetime import timedelta

from deployments import worker_process
from deployments.automations import Automations, watched
from deployments.health import TAKEN_UP
from deployments.registering import Deployed
from deployments.root import build
from deployments.settings import load
from flows.prefect import case_flow, watch
from services.alarms import WATCH_LATE
from tests import two_step as scripts

__all__ = ["DEPLOYED", "two_signs", "two_step", "watch"]

two_step = case_flow(scripts.two_step)
two_signs = case_flow(scripts.two_signs)
DEPLOYED = (
    Deployed("tests.two_step_flows.two_step", tags=("test",)),
    Deployed("tests.two_step_flows.two_signs", tags=("test",)),
    Deployed("tests.two_step_flows.watch", tags=("system",), cron="* * * * *", of_cases=False),
)

LATE, LEFT = "TWO_STEP_LATE", "TWO_STEP_LEFT"
"""Name the environment's seconds after which the watch is late, a crashed run left lying."""


def _seconds(name: str, otherwise: timedelta) -> timedelta:
    return timedelta(seconds=float(os.environ.get(name, otherwise.total_seconds())))


if __name__ == "__main__":
    settings = load(env_file=None)
    env = build(settings)
    worker_process.attend(settings, env)
    limits = _seconds(LATE, WATCH_LATE), _seconds(LEFT, TAKEN_UP)
    automations = Automations(settings.operator_url, watched(*limits))
    worker_process.run(env, DEPLOYED, automations)
