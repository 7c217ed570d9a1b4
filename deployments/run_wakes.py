"""Does what the wakes of cases ask for at Prefect (rules H, J): create, resume, restart.

A wake stays until what it asks for has come true, so nothing here needs to succeed.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.prefect_runs import (
    TAKEN_UP,
    create,
    delete,
    read_flow_runs,
    restart,
    resume,
    run_of,
)
from deployments.taking import Taker
from services.database import reading
from services.env import Env
from services.installation import standing_of
from services.mirror import mirror, wrote
from services.run_queue import forget_runs, take_queued
from services.runs import (
    CREATES,
    Act,
    Due,
    Outcome,
    act_for,
    anything_due,
    claim,
    due_wakes,
    record,
)
from services.runs import label as label_of

_TOO_BUSY = frozenset({408, 429, 502, 503})
BATCH = 50
"""Wakes looked at in one turn."""
_log = logging.getLogger(__name__)


@contextmanager
def asking_once() -> Iterator[None]:
    """In here a request is made once.

    Whatever the server is too busy for is repeated by its wake, sooner than Prefect's client would
    and without holding up the others. Entering takes 20 ms: once for a loop, not once for a turn.
    """
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


def answer_at_once(client: PrefectClient) -> None:
    """Have what is asked once be answered at once.

    Prefect's client waits for two seconds also after its last try, before it tells of a 503: each
    refusal would hold up all other wakes for that long. Asked by the server to wait for no time,
    it does not.
    """
    inner = client._client  # it has no other way in for a hook
    inner.event_hooks = {**inner.event_hooks, "response": [*inner.event_hooks["response"], _now]}


async def _now(response: httpx.Response) -> None:
    if response.status_code in _TOO_BUSY and not PREFECT_CLIENT_MAX_RETRIES.value():
        response.headers["Retry-After"] = "0"


class RunWakes:
    """Looks at due wakes, and has a worker do what they ask for."""

    def __init__(self, env: Env, worker: Taker) -> None:
        self._env, self._worker = env, worker
        with reading(env.engine) as db:
            self._series = standing_of(db).series

    async def once(self) -> int:
        """Look at the wakes that are due; how many were acted upon.

        Cases that have a run come first: their wait must not grow with the queue for new runs.
        Most turns have nothing to do, and find that out by one cheap question.
        """
        env = self._env
        if not await asyncio.to_thread(anything_due, env):
            return 0
        found = await asyncio.to_thread(due_wakes, env, BATCH)
        runs = await read_flow_runs(self._worker.client, (due.run_id for due in found))
        there = [due for due in found if due.run_id in runs]
        await asyncio.to_thread(forget_runs, env, [due for due in found if due not in there])
        claimed = await asyncio.to_thread(claim, env, there)
        claimed += await asyncio.to_thread(take_queued, env)
        outcomes = [await self._tried(due, runs.get(due.run_id or "")) for due in claimed]
        await asyncio.to_thread(record, env, outcomes)
        return len(outcomes)

    async def _tried(self, due: Due, flow_run: FlowRun | None) -> Outcome:
        """One that the server refuses must not stop the others; if it is away, all wait."""
        run = run_of(flow_run) if flow_run else None
        act = act_for(due, run, self._env.clock())
        try:
            if act in CREATES:
                return await self._create(due, act)
            if flow_run is not None:
                await self._do(act, flow_run)
        except httpx.HTTPStatusError as error:
            _log.warning("case %s: %s refused (%s)", due.number, act, error.response.status_code)
            act = Act.WAIT
        except httpx.TransportError:
            raise
        except Exception as error:  # one that cannot be acted upon waits longer each time
            _log.error("case %s: %s failed (%s)", due.number, act, type(error).__name__)
            act = Act.WAIT
        return Outcome(due, act, due.run_id)

    async def _do(self, act: Act, flow_run: FlowRun) -> None:
        client, run_id = self._worker.client, str(flow_run.id)
        if act is Act.REPLACE:
            await delete(client, run_id)
            return
        if act is Act.RESTART:
            crashed = flow_run.state is not None and flow_run.state.is_crashed()
            await restart(client, run_id, TAKEN_UP if crashed else None)
        elif act is not Act.RESUME or await self._worker.take_up(flow_run):
            return
        else:
            await resume(client, run_id)
        self._worker.poll_soon()

    async def _create(self, due: Due, act: Act) -> Outcome:
        env, worker = self._env, self._worker
        label = await asyncio.to_thread(label_of, env, due)
        shown = None
        if act is Act.CREATE_WAITING:
            shown = await asyncio.to_thread(mirror, env, due.case_id)
        made = await create(worker.client, due, label, shown, worker.name, self._series)
        if made is not None and shown is not None:
            await asyncio.to_thread(wrote, env, due.case_id, shown.text)
        elif made is not None:
            worker.poll_soon()
        return Outcome(due, act if made else Act.WAIT, made)
