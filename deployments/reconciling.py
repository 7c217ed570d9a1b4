"""The reconciler: at start-up and every minute it makes Prefect and our database agree again.

RUNNING proves nothing: runs that nobody executes are taken over. Cases that should have a run and
have none, or whose wake was lost, are woken. What a lost Prefect database took is registered anew.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException

from deployments import prefect_runs
from deployments.prefect_runs import PAGE, read_runs, run_of
from deployments.prefect_settings import POOL
from deployments.registering import Deployed, register
from deployments.worker_name import dead
from services.casework.unstick import unstick
from services.env import Env
from services.installation import restored_at
from services.mirror import stopped
from services.runs import Run, of_no_case, overlooked, unwoken, wake
from services.take_over import Fix, Workers, fix_for, look_again

PAGES_A_TURN = 5
"""Pages of cases that one turn looks through for lost wakes; the next turn goes on from there."""
LATE = timedelta(seconds=75)
"""A scheduled run that was due longer ago was missed: the newest one makes up for all."""
CANCELLED_SINCE = timedelta(hours=1)
_ALIVE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]
_A_LITTLE = timedelta(seconds=0.2)
_log = logging.getLogger(__name__)
_AT_WORK = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


@dataclass(frozen=True, slots=True)
class Registered:
    """The deployments' ids: those of cases, and those that run by the clock."""

    of_cases: tuple[UUID, ...]
    by_clock: tuple[UUID, ...]


class Reconciler:
    """One per worker process; several may run at once."""

    def __init__(
        self,
        env: Env,
        client: Callable[[], PrefectClient],
        executing: Callable[[], frozenset[str]],
        *,
        name: str,
        pool_type: str,
        deployed: Sequence[Deployed],
        scheduled: Callable[[], None],
        again: Callable[[timedelta], None],
    ) -> None:
        self._env, self._client, self._executing = env, client, executing
        self._name, self._deployed, self._scheduled = name, deployed, scheduled
        self._again, self._pool_type = again, pool_type
        self._after, self._orphans_ended = 0, False

    async def first(self) -> None:
        """What cannot wait when a worker starts: register, take over, drop what was missed."""
        here = await self._register()
        await self._take_over(here)
        await self._drop_missed(here)

    async def once(self) -> None:
        """Register, take over, wake what was overlooked, and drop what was missed."""
        here = await self._register()
        await self._take_over(here)
        await self._show_stopped(here)
        await asyncio.to_thread(unstick, self._env)
        await self._wake_overlooked()
        await self._drop_missed(here)
        await self._end_orphans(here)

    async def _register(self) -> Registered:
        ids = await register(self._client(), self._deployed, self._pool_type)
        of_cases = {one.entrypoint: one.of_cases for one in self._deployed}
        return Registered(
            tuple(id for entrypoint, id in ids.items() if of_cases[entrypoint]),
            tuple(id for entrypoint, id in ids.items() if not of_cases[entrypoint]),
        )

    async def _take_over(self, here: Registered) -> None:
        at_work = [run async for run in self._in_states(here.of_cases + here.by_clock, _AT_WORK)]
        runs = [run_of(run, of_case=run.deployment_id in here.of_cases) for run in at_work]
        if not runs:
            return
        workers = Workers(
            executing=self._executing(),
            me=self._name,
            dead=await self._dead({run.worker for run in runs} - {self._name}),
        )
        now = self._env.clock()
        for run in runs:
            await _apart(run.id, self._fix(run, fix_for(run, workers, now)))
        wait = look_again(runs, workers, now)
        if wait is not None:
            self._again(wait + _A_LITTLE)

    async def _fix(self, run: Run, fix: Fix | None) -> None:
        match fix:
            case Fix.TAKE_OVER:
                await prefect_runs.restart(self._client(), run.id, prefect_runs.TAKEN_OVER)
                self._scheduled()
            case Fix.CRASH:
                await prefect_runs.crash(self._client(), run.id)
            case Fix.CANCEL:
                await prefect_runs.cancel(self._client(), run.id)

    async def _dead(self, names: set[str]) -> frozenset[str]:
        if not any(names):
            return frozenset()
        workers = await self._client().read_workers_for_work_pool(POOL, limit=PAGE)
        online = {worker.name: worker.status is WorkerStatus.ONLINE for worker in workers}
        return dead(names, online)

    async def _show_stopped(self, here: Registered) -> None:
        """Cases whose run an operator cancelled show it (rule M)."""
        lately = FlowRunFilterEndTime(after_=self._env.clock() - CANCELLED_SINCE)
        cancelled = self._in_states(here.of_cases, [StateType.CANCELLED], end_time=lately)
        ids = [str(run.id) async for run in cancelled]
        await asyncio.to_thread(stopped, self._env, ids)

    async def _wake_overlooked(self) -> None:
        for _ in range(PAGES_A_TURN):
            cases = await asyncio.to_thread(unwoken, self._env, self._after, PAGE)
            runs = await read_runs(self._client(), (case.run_id for case in cases))
            now = self._env.clock()
            lost = [c.case_id for c in cases if overlooked(c, runs.get(c.run_id or ""), now)]
            await asyncio.to_thread(wake, self._env, lost)
            self._after = cases[-1].case_id if len(cases) == PAGE else 0
            if not self._after:
                return

    async def _drop_missed(self, here: Registered) -> None:
        """After an outage the schedule's runs would follow each other for hours, all the same."""
        for deployment in here.by_clock:
            due = FlowRunFilterExpectedStartTime(before_=self._env.clock() - LATE)
            missed = self._in_states((deployment,), [StateType.SCHEDULED], expected_start_time=due)
            for run in [run async for run in missed][1:]:
                await _apart(run.id, prefect_runs.skip(self._client(), str(run.id)))

    async def _end_orphans(self, here: Registered) -> None:
        """After a restore: runs of cases that the older database does not know. Once, at start."""
        since = await asyncio.to_thread(restored_at, self._env)
        if self._orphans_ended or since is None:
            return
        alive = [run async for run in self._in_states(here.of_cases, _ALIVE)]
        old = {str(run.id) for run in alive if run.created is not None and run.created < since}
        orphans = await asyncio.to_thread(of_no_case, self._env, old)
        ended = [await _apart(id, prefect_runs.forget(self._client(), id)) for id in orphans]
        self._orphans_ended = all(ended)

    async def _in_states(
        self,
        deployments: tuple[UUID, ...],
        states: list[StateType],
        *,
        end_time: FlowRunFilterEndTime | None = None,
        expected_start_time: FlowRunFilterExpectedStartTime | None = None,
    ) -> AsyncIterator[FlowRun]:
        """All runs of these deployments in these states, the newest first."""
        wanted = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=list(deployments)),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
            end_time=end_time,
            expected_start_time=expected_start_time,
        )
        sort, offset = FlowRunSort.EXPECTED_START_TIME_DESC, 0
        while True:
            page = await self._client().read_flow_runs(
                flow_run_filter=wanted, sort=sort, limit=PAGE, offset=offset
            )
            for run in page:
                yield run
            if len(page) < PAGE:
                return
            offset += PAGE


async def _apart(run_id: object, act: Coroutine[None, None, None]) -> bool:
    """Whether it was done. What is refused of one run is left for the next minute, so that no other
    waits for it; while the server is away, all is left.
    """
    try:
        await act
    except (httpx.HTTPStatusError, PrefectException) as error:
        _log.warning("run %s is left for the next time: %s", run_id, type(error).__name__)
        return False
    return True
