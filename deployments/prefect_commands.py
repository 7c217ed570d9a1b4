"""The Prefect processes as commands, for whatever starts them; itself it knows no Prefect.

Importing Prefect takes seconds and 110 MB, and it reads its settings when it is imported: so the
server, the worker and a registration are processes of their own, with their environment.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Never

from deployments.prefect_settings import PrefectSettings, client_env, server_env


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and what to add to the environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def server_command(settings: PrefectSettings) -> Command:
    """The Prefect server: API, UI and schedules. Its address and password are in ``env``."""
    return Command((sys.executable, "-m", "deployments.prefect_server"), server_env(settings))


def worker_command(settings: PrefectSettings) -> Command:
    """Our worker: runs the flows, the drain, the run wakes, the mirror and the reconciler.

    With the setting ``process`` all but the flows.
    """
    return Command((sys.executable, "-m", "deployments.worker_process"), client_env(settings))


def stock_worker_command(settings: PrefectSettings) -> Command:
    """Prefect's own process worker, which starts a process for each run.

    It polls every second instead of every ten, and takes no run before its time.
    """
    polls = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "0"}
    argv = (sys.executable, "-m", "deployments.stock_worker")
    return Command(argv, client_env(settings) | polls)


def register_command(settings: PrefectSettings) -> Command:
    """Registers pool, deployments and schedules once; the worker does so by itself as well."""
    return Command((sys.executable, "-m", "deployments.registering"), client_env(settings))


def run_worker(settings: PrefectSettings) -> Never:
    """Turn this process into the worker."""
    _become(worker_command(settings))


def run_stock_worker(settings: PrefectSettings) -> Never:
    """Turn this process into Prefect's own worker."""
    _become(stock_worker_command(settings))


def register(settings: PrefectSettings) -> Never:
    """Turn this process into a registration; it ends with 0 when all is registered."""
    _become(register_command(settings))


def _become(command: Command) -> Never:
    os.execve(command.argv[0], command.argv, {**os.environ, **command.env})
