"""The Prefect side of what is measured: its flows, and a worker process that knows them.

``python -m bench.flows`` is that worker, with the settings of the environment.
"""

import logging

from bench import mechanism
from deployments import worker_process
from deployments.registering import Deployed
from deployments.root import build
from deployments.settings import load
from flows.prefect import case_flow, watch

__all__ = ["DEPLOYED", "bench_effect", "bench_two_step", "watch"]

bench_effect = case_flow(mechanism.bench_effect)
bench_two_step = case_flow(mechanism.bench_two_step)
DEPLOYED = (
    Deployed("bench.flows.bench_effect", tags=("bench",)),
    Deployed("bench.flows.bench_two_step", tags=("bench",)),
    Deployed("bench.flows.watch", tags=("system",), cron="* * * * *", of_cases=False),
)

if __name__ == "__main__":
    logging.basicConfig(level="WARNING")
    worker_process.run(build(load(None)), DEPLOYED)
