"""Where the deployments of a house with Prefect's own worker point, like ``deployments.entry``.

A process that a run is started in fills the slot that the flows read by importing it.
``python -m tests.two_step_entry`` is the worker process that accompanies that worker.
"""

from deployments import worker_process
from deployments.prefect_settings import PROCESS_TYPE
from deployments.registering import Deployed
from deployments.root import build
from deployments.settings import load
from services.env import install, is_installed
from tests.two_step_flows import two_step, watch

__all__ = ["DEPLOYED", "two_step", "watch"]

DEPLOYED = (
    Deployed("tests.two_step_entry.two_step", tags=("test",)),
    Deployed("tests.two_step_entry.watch", tags=("system",), cron="* * * * *", of_cases=False),
)

if __name__ == "__main__":
    settings = load(env_file=None)
    env = build(settings)
    worker_process.attend(settings, env)
    worker_process.run(env, DEPLOYED, pool_type=PROCESS_TYPE)
elif not is_installed():
    install(build(load(env_file=None)))
