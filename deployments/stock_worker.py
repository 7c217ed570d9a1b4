"""Prefect's own process worker, under a name that says which process bears it.

``python -m deployments.stock_worker`` becomes ``prefect worker start``; by its name the reconciler
sees at once when it is dead (``worker_name``), and takes over the runs that it left.
"""

import os
import sys

from deployments.prefect_settings import POOL, PROCESS_TYPE
from deployments.worker_name import own_name


def main() -> None:
    """Become the worker: number and time of birth of this process stay."""
    start = ("worker", "start", "--pool", POOL, "--type", PROCESS_TYPE, "--name", own_name())
    os.execv(sys.executable, (sys.executable, "-m", "prefect", *start))


if __name__ == "__main__":
    main()
