"""The worker that executes flows in its own process: a start costs tenths of a second, not four.

Prefect finds it by the entry point ``prefect.collections``; what else our worker process does is
in ``worker_process``. Flows that run here are ours and short; nothing here waits for a person.
"""

import asyncio
from typing import Any
from uuid import UUID

from anyio.abc import TaskStatus
from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.flows import load_flow_from_entrypoint
from prefect.workers.base import (
    BaseJobConfiguration,
    BaseVariables,
    BaseWorker,
    BaseWorkerResult,
)

from deployments.clock import ticks
from deployments.executing import Executor
from deployments.notice import OperatorNotice
from deployments.prefect_runs import WORKER_LABEL
from deployments.prefect_settings import WORKER_TYPE
from deployments.worker_name import own_name

__all__ = ["InProcessWorker", "OperatorNotice"]  # what Prefect finds by the entry point

THREADS = 4
HEARTBEAT_SECONDS = 10
TAKEN_SECONDS = 2.0
"""What is heard of a run for so long after it was taken is no news."""


class InProcessWorker(BaseWorker[BaseJobConfiguration, BaseVariables, BaseWorkerResult]):
    """Executes runs in threads. ``limit`` is how many it takes at a time."""

    type = WORKER_TYPE
    job_configuration = BaseJobConfiguration
    job_configuration_variables = BaseVariables
    _description = "Runs the flows of 四责协同 inside the worker's own process."

    def __init__(
        self, work_pool_name: str, *, executor: Executor | None = None, **given: Any
    ) -> None:
        self.executor = executor or Executor(given.get("limit") or THREADS)
        own = {
            "name": given.get("name") or own_name(),
            "limit": self.executor.threads,
            "prefetch_seconds": 0,  # a run taken early would hold a thread until its time
            "heartbeat_interval_seconds": HEARTBEAT_SECONDS,
        }
        super().__init__(work_pool_name, **{**given, **own})
        self._flows: dict[UUID, Flow[Any, Any]] = {}
        self._wanted = asyncio.Event()
        self._taken: dict[str, float] = {}
        self._taken_up: set[asyncio.Task[None]] = set()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: TaskStatus[Any] | None = None,
    ) -> BaseWorkerResult:
        """Execute a run. Raises when its flow cannot be imported: the run is Crashed then."""
        flow = await self._flow(flow_run)
        if task_status is not None:
            # no identifier: it would be written onto the run while the run's first state is
            task_status.started(None)
        await self.executor.run(flow, flow_run)
        if len(self.executor.executing) >= self.executor.threads - 1:
            self.poll_soon()  # others may have waited for this thread
        return BaseWorkerResult(identifier=self.name, status_code=0)

    async def _flow(self, flow_run: FlowRun) -> Flow[Any, Any]:
        deployment_id = flow_run.deployment_id
        if deployment_id is None:
            raise ValueError("only runs of deployments are executed here")
        if deployment_id not in self._flows:
            deployment = await self.client.read_deployment(deployment_id)
            if deployment.entrypoint is None:
                raise ValueError(f"deployment {deployment.name} has no entrypoint")
            self._flows[deployment_id] = load_flow_from_entrypoint(
                deployment.entrypoint, use_placeholder_flow=False
            )
        return self._flows[deployment_id]

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Take what is scheduled, unless every thread is busy: who ends asks again."""
        if len(self.executor.executing) >= self.executor.threads:
            return []
        taken = await super().get_and_submit_flow_runs()
        now = ticks()
        self._taken = {run: at for run, at in self._taken.items() if now - at < TAKEN_SECONDS}
        self._taken |= {str(run.id): now for run in taken}
        return taken

    @property
    def executing(self) -> frozenset[str]:
        """The runs that this process holds."""
        return self.executor.executing

    def poll_soon(self) -> None:
        """Something was scheduled: have the polling loop look now."""
        self._wanted.set()

    async def take_up(self, flow_run: FlowRun) -> bool:
        """Execute a suspended run at once, without its being scheduled, polled for and submitted.

        That spares eight requests and most of a second. False when it cannot be, because no thread
        is free or the pool is paused: then it has to be scheduled.
        """
        executing = self.executor.executing
        if str(flow_run.id) in executing:
            return True  # on its way, or just ending: its wake will tell
        if len(executing) >= self.executor.threads or self.work_pool.is_paused:
            return False
        flow = await self._flow(flow_run)
        if flow_run.labels.get(WORKER_LABEL) != self.name:  # by it the reconciler finds the dead
            await self.client.update_flow_run_labels(flow_run.id, {WORKER_LABEL: self.name})
        task = asyncio.create_task(self.executor.run(flow, flow_run))
        self._taken_up.add(task)
        task.add_done_callback(self._taken_up.discard)
        return True

    def heard_of(self, run_id: str) -> None:
        """Prefect says that a run was scheduled: look, unless it was taken just now.

        A second poll would be written by the server while the run's first state is, which SQLite
        answers with 503, and then Prefect's client waits for two seconds.
        """
        if run_id not in self._taken:
            self.poll_soon()

    async def wanted(self, seconds: float) -> None:
        """Wait for :meth:`poll_soon`, at most ``seconds``."""
        try:
            await asyncio.wait_for(self._wanted.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._wanted.clear()
