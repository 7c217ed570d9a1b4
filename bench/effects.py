"""From a decision's commit to the commit of the effect behind it, through a real Prefect run."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

import psutil
from sqlalchemy import Select, func, select

from bench.clients import Crowd
from bench.house import House
from bench.mechanism import EFFECT
from bench.processes import cpu_seconds, running, until
from deployments.health import prefect_status
from deployments.prefect_commands import server_command, worker_command
from models.base import table
from models.casework import Case, Effect, EffectState, RunWake
from services.database import reading

_IDLE_SECONDS = 10.0
_LEFT_SECONDS = 5.0
"""What a run still does once its effect is done: suspend, and be mirrored."""
_cases, _effects, _run_wakes = table(Case), table(Effect), table(RunWake)
_UNSHOWN = select(func.count()).where(_cases.c.mirrored.is_(None))
_WAKES = select(func.count()).select_from(_run_wakes)
_DONE = select(func.count()).where(_effects.c.state == EffectState.DONE)


@dataclass(frozen=True, slots=True)
class Effects:
    """Milliseconds from decision to result, and CPU of Prefect server and worker for each."""

    effect_p50_ms: float
    prefect_cpu_ms_per_effect: float


def measure_effects(house: House, port: int, effects: int) -> Effects:
    """Open so many cases, wait until their runs are suspended, and decide one after the other.

    Prefect server and worker run only meanwhile; what they use while nothing happens is measured
    just before, and taken off.
    """
    settings = house.settings
    logs = settings.data
    with ExitStack() as stack:
        server = server_command(settings)
        processes = [stack.enter_context(running(server.argv, server.env, logs / "prefect.log"))]
        address, auth = settings.prefect_api_url, settings.prefect_auth
        until("Prefect", lambda: prefect_status(address, auth) == 200, 120)
        worker = worker_command(settings)
        argv = (worker.argv[0], "-m", "bench.flows")
        env = {**worker.env, **settings.exported()}
        processes.append(stack.enter_context(running(argv, env, logs / "worker.log")))
        house.open(EFFECT, effects)
        until("suspended runs", lambda: not (_count(house, _UNSHOWN) + _count(house, _WAKES)), 120)
        return _measured(house, port, processes)


def _measured(house: House, port: int, processes: list[psutil.Process]) -> Effects:
    crowd = Crowd(port, 1, house.new_password)
    waiting = house.waiting()
    idle = _cpu_per_second(processes)
    crowd.ready(waiting)
    cpu, begun = cpu_seconds(processes), time.monotonic()
    took = []
    for number, one in enumerate(waiting, 1):
        crowd.ready([one])
        crowd.decide([one])
        decided = time.perf_counter()
        until("effect", partial(_are_done, house, number), 60, every=0.002)
        took.append((time.perf_counter() - decided) * 1000)
    time.sleep(_LEFT_SECONDS)
    used = cpu_seconds(processes) - cpu - idle * (time.monotonic() - begun)
    crowd.close()
    return Effects(median(took), used * 1000 / len(took))


def _cpu_per_second(processes: list[psutil.Process]) -> float:
    before = cpu_seconds(processes)
    time.sleep(_IDLE_SECONDS)
    return (cpu_seconds(processes) - before) / _IDLE_SECONDS


def _are_done(house: House, effects: int) -> bool:
    return _count(house, _DONE) >= effects


def _count(house: House, query: Select[tuple[int]]) -> int:
    with reading(house.env.engine) as db:
        return int(db.execute(query).scalar_one())
