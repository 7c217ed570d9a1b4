"""Registers the work pool, the deployments and their schedules, from Python.

Not by ``prefect deploy``: it writes pull steps, and their directory wins over an installed
package. Entrypoints are dotted: one with a colon makes Prefect copy a folder (style.md). What is
there already and right is left alone, so an operator's pause stays.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from deployments.automations import Automations
from deployments.prefect_settings import POOL, PROCESS_TYPE, WORKER_TYPE, worker_type
from deployments.settings import load
from deployments.worker import InProcessWorker

TIMEZONE = "Asia/Shanghai"
_SLUG = "schedule"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A flow that is deployed under its own name. ``cron`` is in Shanghai time; "": no schedule."""

    entrypoint: str
    tags: tuple[str, ...] = ()
    cron: str = ""
    of_cases: bool = True


DEPLOYED = (
    Deployed("deployments.entry.rectification", tags=("四(五)",)),
    Deployed("deployments.entry.vacancy", tags=("不漏人",)),
    Deployed("deployments.entry.watch", tags=("system",), cron="* * * * *", of_cases=False),
)


async def register(
    client: PrefectClient, deployed: Sequence[Deployed], pool_type: str = WORKER_TYPE
) -> dict[str, Any]:
    """Make what is missing or differs; the ids of the deployments by entrypoint.

    A pool of another type than ``pool_type`` was that of the other kind of worker and is made anew;
    runs that were in it are made again by their cases' wakes.
    """
    await _pool(client, pool_type)
    return {one.entrypoint: await _deployment(client, one) for one in deployed}


async def _pool(client: PrefectClient, pool_type: str) -> None:
    try:
        if (await client.read_work_pool(POOL)).type == pool_type:
            return
        await client.delete_work_pool(POOL)
    except ObjectNotFound:
        pass
    kind = ProcessWorker if pool_type == PROCESS_TYPE else InProcessWorker
    pool = WorkPoolCreate(
        name=POOL,
        type=pool_type,
        description="四责协同",
        base_job_template=kind.get_default_base_job_template(),
    )
    try:
        await client.create_work_pool(pool)
    except ObjectAlreadyExists:
        return  # another worker was first


async def _deployment(client: PrefectClient, one: Deployed) -> Any:
    flow: Flow[Any, Any] = load_flow_from_entrypoint(one.entrypoint, use_placeholder_flow=False)
    try:
        there = await client.read_deployment_by_name(f"{flow.name}/{flow.name}")
    except ObjectNotFound:
        there = None
    if there is not None and _is_right(there, one, flow):
        return there.id
    return await client.create_deployment(
        flow_id=await client.create_flow(flow),
        name=flow.name,
        description=flow.description,
        tags=list(one.tags),
        entrypoint=one.entrypoint,
        work_pool_name=POOL,
        schedules=[DeploymentScheduleCreate(schedule=_cron(one), active=True, slug=_SLUG)]
        if one.cron
        else [],
        parameter_openapi_schema=parameter_schema(flow).model_dump(exclude_unset=True),
        enforce_parameter_schema=True,
    )


def _cron(one: Deployed) -> CronSchedule:
    return CronSchedule(cron=one.cron, timezone=TIMEZONE)


def _is_right(there: DeploymentResponse, one: Deployed, flow: Flow[Any, Any]) -> bool:
    """Whether a deployment is as we would make it; that someone paused it is their business."""
    times = [
        (schedule.schedule.cron, schedule.schedule.timezone)
        for schedule in there.schedules
        if isinstance(schedule.schedule, CronSchedule)
    ]
    return (
        there.entrypoint == one.entrypoint
        and there.work_pool_name == POOL
        and sorted(there.tags) == sorted(one.tags)
        and there.description == flow.description
        and times == ([(one.cron, TIMEZONE)] if one.cron else [])
    )


async def main() -> None:
    """Register everything once."""
    settings = load()
    async with get_client() as client:
        await register(client, DEPLOYED, worker_type(settings.worker))
        await Automations(settings.operator_url).register(client)


if __name__ == "__main__":
    asyncio.run(main())
