"""The worker's process: ``python -m deployments.worker_process`` with the environment of Prefect.

Beside the flows it runs the drain (rule K), the run wakes (H, J), the mirror and its events (G),
and the reconciler. It goes on while Prefect is away, and nothing is lost when it is killed. With
``FOURDUTIES_WORKER=process`` it leaves the flows to Prefect's own worker (``stock_worker``).
"""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import replace

import httpx
from prefect.client.orchestration import get_client

from deployments.attending import Attendant, Attended
from deployments.automations import Automations
from deployments.executing import Executor
from deployments.logs import configure
from deployments.looping import Loop
from deployments.prefect_settings import POOL, PROCESS_TYPE, WORKER_TYPE, worker_type
from deployments.registering import DEPLOYED, Deployed
from deployments.run_wakes import answer_at_once
from deployments.settings import Settings, load
from deployments.starting import built
from deployments.taking import Bystander, Taker
from deployments.tending import Tending
from deployments.worker import HEARTBEAT_SECONDS, THREADS, InProcessWorker
from deployments.worker_name import own_name
from services.casework import Drain
from services.casework.draining import LOOP as DRAIN
from services.env import Env, install

POLL_SECONDS = 5.0
"""Between two polls when nothing is heard: what we schedule ourselves, and what Prefect says it has
scheduled (``Tending``), is looked for at once. Each poll has Prefect's server write twice."""
PATIENCE_SECONDS = 8.0
"""How long runs may take to end when the process is asked to stop; then they are taken over."""
LOOPS = {
    DRAIN: 60.0,
    "poll": 30.0,
    "run wakes": 30.0,
    "mirror": 60.0,
    "run events": 120.0,
    "heartbeat": 60.0,
    "reconciler": 180.0,
    "sealer": 180.0,
}
"""Seconds since its last good turn after which a loop is late; the process is not ready then."""
_OF_TAKER = ("poll", "heartbeat")
"""Loops of a process that takes runs up itself."""
_log = logging.getLogger(__name__)


class WorkerProcess:
    """What one worker process does until it is told to stop."""

    def __init__(
        self,
        env: Env,
        deployed: Sequence[Deployed],
        automations: Automations,
        pool_type: str = WORKER_TYPE,
    ) -> None:
        self._env, self._deployed, self._automations = env, deployed, automations
        self._pool_type = pool_type
        self._executor = Executor(THREADS)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End as soon as the runs that are executing have, or after a while without them."""
        self._stop.set()

    async def run(self) -> None:
        """Work until :meth:`stop`. The worker is made anew when Prefect's client gives up."""
        stopping = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            working = asyncio.create_task(self._work())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            await self._ended(working)
        await self._let_end()

    async def _ended(self, working: asyncio.Task[None]) -> None:
        try:
            await working
        except asyncio.CancelledError:
            return
        except (httpx.HTTPError, BaseExceptionGroup, OSError):
            _log.warning("the worker starts anew", exc_info=True)
            await asyncio.sleep(2)

    async def _work(self) -> None:
        if self._pool_type == PROCESS_TYPE:
            await self._accompany()
            return
        async with InProcessWorker(POOL, executor=self._executor) as worker:
            await Work(worker, self._tending(worker)).run()

    async def _accompany(self) -> None:
        """Prefect's own worker takes the runs: this process does what goes on beside them."""
        async with get_client() as client:
            tending = self._tending(Bystander(client))
            await tending.put_in_order()
            async with asyncio.TaskGroup() as group:
                for loop in tending.loops():
                    group.create_task(loop)

    def _tending(self, taker: Taker) -> Tending:
        answer_at_once(taker.client)
        return Tending(
            taker,
            self._env,
            self._deployed,
            self._automations,
            name=taker.name or own_name(),
            pool_type=self._pool_type,
        )

    async def _let_end(self) -> None:
        for _ in range(int(PATIENCE_SECONDS / 0.1)):
            if not self._executor.executing:
                return
            await asyncio.sleep(0.1)


class Work:
    """The loops of a worker that is set up."""

    def __init__(self, worker: InProcessWorker, tending: Tending) -> None:
        self._worker, self._tending = worker, tending
        self._heartbeat = Loop("heartbeat", worker.sync_with_backend, HEARTBEAT_SECONDS)
        self._poll = Loop("poll", self._poll_once, 0.0)

    async def run(self) -> None:
        """All of them until cancelled."""
        await self._tending.put_in_order()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll.run(on_recovery=self._tending.soon))
            group.create_task(self._heartbeat.run())
            for loop in self._tending.loops():
                group.create_task(loop)

    async def _poll_once(self) -> None:
        await self._worker.get_and_submit_flow_runs()
        await self._worker.wanted(POLL_SECONDS)


async def serve(process: WorkerProcess) -> None:
    """Work until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.stop)
    await process.run()


def run(
    env: Env,
    deployed: Sequence[Deployed] = DEPLOYED,
    automations: Automations | None = None,
    pool_type: str = WORKER_TYPE,
) -> None:
    """Be the worker process of this environment; without ``automations``, ours notify nobody.

    With the pool type of Prefect's own worker it executes nothing and does all the rest.
    """
    drain = Drain(env)
    env = replace(env, nudge=drain.nudge)
    install(env)
    drain.start()
    asyncio.run(serve(WorkerProcess(env, deployed, automations or Automations(), pool_type)))
    drain.stop()
    os._exit(0)  # a run that did not end in time would hold the process back; it is taken over


def attend(settings: Settings, env: Env, process: str = "worker") -> Attendant:
    """Have this process log, be watched and watch as the worker of an installation."""
    configure(process)
    own = settings.worker == "inprocess"
    loops = {name: late for name, late in LOOPS.items() if own or name not in _OF_TAKER}
    attended = Attended(process, settings.ops_port and settings.ops_port + 1, loops, prefect=True)
    attendant = Attendant(env, settings, attended)
    attendant.start()
    return attendant


def main() -> None:
    """The worker process of this installation."""
    settings = load()
    env = built(settings)
    attend(settings, env)
    pool_type = worker_type(settings.worker)
    run(env, automations=Automations(settings.operator_url), pool_type=pool_type)


if __name__ == "__main__":
    main()
