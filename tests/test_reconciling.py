"""The reconciler with a stand-in for Prefect: what is refused of one run stops no other."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound

from deployments.reconciling import Reconciler
from services.env import Env
from tests.conftest import SettableClock
from tests.two_step_world import Town, town

POOL_TYPE = "tested"


class Server:
    """Runs that claim to be at work; the state of some cannot be set."""

    type = POOL_TYPE

    def __init__(self, runs: list[FlowRun], errors: dict[UUID, Exception]) -> None:
        self.runs, self.errors = runs, errors
        self.ended: list[UUID] = []

    async def read_work_pool(self, name: str) -> "Server":
        return self

    async def read_flow_runs(self, flow_run_filter: Any, **_: Any) -> list[FlowRun]:
        if flow_run_filter.state is None:
            return []
        asked = flow_run_filter.state.type.any_
        return [run for run in self.runs if run.state is not None and run.state.type in asked]

    async def set_flow_run_state(self, run_id: UUID, state: State[Any], force: bool) -> None:
        if run_id in self.errors:
            raise self.errors[run_id]
        self.ended.append(run_id)


@pytest.fixture(name="town")
def _town(env: Env) -> Town:
    return town(env)


def refused(status: int) -> Exception:
    request = httpx.Request("POST", "http://prefect")
    response = httpx.Response(status, request=request)
    return httpx.HTTPStatusError("no", request=request, response=response)


def running(clock: SettableClock) -> FlowRun:
    long_ago = clock() - timedelta(hours=1)
    state: State[Any] = State(type=StateType.RUNNING, timestamp=long_ago)
    return FlowRun(id=uuid4(), flow_id=uuid4(), state=state, name="")


def reconciler(town: Town, server: Server) -> Reconciler:
    return Reconciler(
        town.env,
        lambda: server,  # type: ignore[arg-type,return-value]
        frozenset,
        name="me",
        pool_type=POOL_TYPE,
        deployed=(),
        scheduled=lambda: None,
        again=lambda wait: None,
    )


@pytest.mark.parametrize("error", [refused(409), refused(503), ObjectNotFound(Exception("gone"))])
def test_a_run_whose_state_cannot_be_set_keeps_no_other_waiting(
    town: Town, clock: SettableClock, error: Exception
) -> None:
    runs = [running(clock) for _ in range(3)]
    server = Server(runs, {runs[0].id: error})
    case_id = town.open()
    town.settle(case_id)
    asyncio.run(reconciler(town, server).once())
    assert server.ended == [runs[1].id, runs[2].id]
    assert town.wakes(case_id) == 1


def test_while_the_server_is_away_nothing_else_is_tried(town: Town, clock: SettableClock) -> None:
    runs = [running(clock) for _ in range(2)]
    server = Server(runs, {runs[0].id: httpx.ConnectError("away")})
    with pytest.raises(httpx.ConnectError):
        asyncio.run(reconciler(town, server).once())
    assert server.ended == []
