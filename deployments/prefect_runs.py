"""A case's flow run at Prefect's API: read as values of ``services.runs``, and acted upon."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Paused, Scheduled

from deployments.prefect_settings import POOL
from services.mirror import Mirror
from services.runs import Due, Label, Run, RunKind

PAGE = 200
"""The most rows that the API returns at once."""
WORKER_LABEL = "prefect.worker.name"
"""Prefect's own label for the worker that took a run last."""

TAKEN_OVER = "工作进程中断，已自动接续。"
TAKEN_UP = "运行意外中断，已自动接续。"
"""What a run that goes on after a crash says of it, until it shows its case again."""


def run_of(found: FlowRun, *, of_case: bool = True) -> Run:
    """A flow run as the services see it. A run without a state was never scheduled."""
    state = found.state
    return Run(
        id=str(found.id),
        kind=RunKind(state.type.value) if state else RunKind.CRASHED,
        since=state.timestamp if state else found.created or datetime.min.replace(tzinfo=UTC),
        worker=str(found.labels.get(WORKER_LABEL, "")),
        of_case=of_case,
        elsewhere=found.work_pool_name != POOL,
    )


async def read_flow_runs(client: PrefectClient, ids: Iterable[str | None]) -> dict[str, FlowRun]:
    """The flow runs that there are, by id; one that was deleted is missing."""
    wanted = sorted({UUID(id) for id in ids if id})
    found: dict[str, FlowRun] = {}
    for start in range(0, len(wanted), PAGE):
        some = FlowRunFilter(id=FlowRunFilterId(any_=wanted[start : start + PAGE]))
        for flow_run in await client.read_flow_runs(flow_run_filter=some, limit=PAGE):
            found[str(flow_run.id)] = flow_run
    return found


async def read_runs(client: PrefectClient, ids: Iterable[str | None]) -> dict[str, Run]:
    """The same as values of the services."""
    found = await read_flow_runs(client, ids)
    return {id: run_of(flow_run) for id, flow_run in found.items()}


async def create(
    client: PrefectClient,
    due: Due,
    label: Label,
    waiting: Mirror | None,
    worker: str,
    series: str,
) -> str | None:
    """Make the run of a case, suspended from the start when ``waiting``; None: no deployment yet.

    Asked again, it is the same run: the key is the case's. ``worker`` is who will take it up;
    ``series`` tells it from the run of a case that a restored database has forgotten.
    """
    try:
        deployment = await client.read_deployment_by_name(f"{due.mechanism}/{due.mechanism}")
    except ObjectNotFound:
        return None
    made = await client.create_flow_run_from_deployment(
        deployment.id,
        parameters={"number": due.number},
        name=label.name,
        tags=label.tags,
        idempotency_key=f"case-{due.case_id}-{due.number}{series}",
        state=paused(waiting) if waiting else None,
        labels={WORKER_LABEL: worker} if worker else None,
    )
    return str(made.id)


async def resume(client: PrefectClient, run_id: str) -> None:
    """Schedule a suspended run; refused while it is just ending, so look again (rule J).

    As a state and not by ``resume``: on SQLite that one reads before it writes, and then the server
    answers 503 as soon as anything else is written meanwhile.
    """
    await client.set_flow_run_state(UUID(run_id), Scheduled(name="Resuming"))


async def restart(client: PrefectClient, run_id: str, why: str | None = None) -> None:
    """Schedule a run anew, whatever state it is in; ``why`` is shown to the operator."""
    await client.set_flow_run_state(UUID(run_id), Scheduled(message=why), force=True)


async def show(client: PrefectClient, run_id: str, mirror: Mirror) -> None:
    """Write a mirror onto a suspended run, without running it."""
    await client.set_flow_run_state(UUID(run_id), paused(mirror), force=True)


async def cancel(client: PrefectClient, run_id: str) -> None:
    """End a run that is being cancelled while no process holds it."""
    await client.set_flow_run_state(UUID(run_id), Cancelled(), force=True)


async def forget(client: PrefectClient, run_id: str) -> None:
    """End a run whose case is gone: the database was restored from before it was opened."""
    ended: State[Any] = Cancelled(name="Restored", message="the restored database has no such case")
    await client.set_flow_run_state(UUID(run_id), ended, force=True)


async def delete(client: PrefectClient, run_id: str) -> None:
    """Remove a run that no worker would take."""
    await client.delete_flow_run(UUID(run_id))


async def skip(client: PrefectClient, run_id: str) -> None:
    """End a scheduled run that was missed. Not by deleting it: on SQLite that meets with 503."""
    ended: State[Any] = Cancelled(name="Missed", message="a later run made up for it")
    await client.set_flow_run_state(UUID(run_id), ended, force=True)


async def crash(client: PrefectClient, run_id: str) -> None:
    """Say that a run's process died."""
    ended: State[Any] = Crashed(message="its worker died")
    await client.set_flow_run_state(UUID(run_id), ended, force=True)


def paused(mirror: Mirror) -> State[Any]:
    """A suspended state that shows a mirror, under a key of its own."""
    return Paused(name=mirror.name, message=mirror.message, reschedule=True, pause_key=str(uuid4()))
