"""Runs flows in threads of this process, by Prefect's public ``run_flow``.

Each run gets a fresh copy of its thread's context, so nothing leaks from run to run; the client in
it is opened once per thread.
"""

import asyncio
import contextvars
import logging
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import SyncClientContext
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Crashed

_log = logging.getLogger(__name__)


class Executor:
    """A pool of threads that runs flows, and knows which runs it holds."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._local = threading.local()
        self._held: Counter[UUID] = Counter()
        self._lock = threading.Lock()

    @property
    def executing(self) -> frozenset[str]:
        """The ids of the runs that are waiting for a thread or executing in one."""
        with self._lock:
            return frozenset(str(run) for run, times in self._held.items() if times)

    async def run(self, flow: Flow[Any, Any], flow_run: FlowRun) -> None:
        """Run a flow run to the end of this activation; returns however it ended."""
        self._hold(flow_run.id, 1)
        future = self._pool.submit(self._in_thread, flow, flow_run)

        def release(_: Future[None]) -> None:
            self._hold(flow_run.id, -1)

        future.add_done_callback(release)
        await asyncio.wrap_future(future)

    def _hold(self, run_id: UUID, by: int) -> None:
        with self._lock:
            self._held[run_id] += by
            if not self._held[run_id]:
                del self._held[run_id]

    def _in_thread(self, flow: Flow[Any, Any], flow_run: FlowRun) -> None:
        self._context().copy().run(execute, flow, flow_run)

    def _context(self) -> contextvars.Context:
        """The context of this thread: its client, and no heartbeats.

        A run's heartbeat thread would hold each activation's end up for as much as a second; who
        died is found by the reconciler.
        """
        if not hasattr(self._local, "context"):
            stack, context = ExitStack(), contextvars.Context()
            quiet = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
            context.run(stack.enter_context, quiet)
            client = context.run(SyncClientContext)
            context.run(stack.enter_context, client)
            self._local.stack, self._local.context = stack, context  # kept open with the thread
        kept: contextvars.Context = self._local.context
        return kept


def execute(flow: Flow[Any, Any], flow_run: FlowRun) -> None:
    """Run a flow run here; whatever it does not say of its end is said for it."""
    try:
        state = run_flow(flow, flow_run=flow_run, return_type="state")
    except Pause:
        return
    except (Abort, SystemExit, Exception):
        _log.warning("run %s ended by itself", flow_run.id, exc_info=True)
    else:
        if isinstance(state, State) and state.is_final():
            return
    settle(flow_run.id)


def settle(run_id: UUID) -> None:
    """Nobody executes this run any more: one that is being cancelled is so now, another crashed.

    If the server cannot be told, the reconciler comes to it.
    """
    try:
        with SyncClientContext.get_or_create() as context:
            client = context.client
            state = client.read_flow_run(run_id).state
            if state is None:
                return
            if state.type is StateType.CANCELLING:
                client.set_flow_run_state(run_id, Cancelled(), force=True)
            elif state.type in (StateType.RUNNING, StateType.PENDING):
                ended: State[Any] = Crashed(message="its thread ended without saying how")
                client.set_flow_run_state(run_id, ended, force=True)
    except httpx.HTTPError:
        _log.warning("the end of run %s could not be told", run_id, exc_info=True)
