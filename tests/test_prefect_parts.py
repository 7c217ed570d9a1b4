"""The parts of the worker process that need no server: loop, names, commands."""

import asyncio
import os
import socket
import sys
from contextlib import nullcontext

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.settings import (
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_CLIENT_RETRY_JITTER_FACTOR,
    temporary_settings,
)

from deployments.looping import Loop
from deployments.prefect_commands import server_command, worker_command
from deployments.registering import DEPLOYED, TIMEZONE
from deployments.run_wakes import answer_at_once, asking_once
from deployments.settings import Settings
from deployments.worker_name import dead, own_name
from flows import prefect


def test_a_worker_of_this_machine_is_dead_when_its_process_is() -> None:
    host = socket.gethostname()
    mine, reused, gone = own_name(), f"{host}.{os.getpid()}.1", f"{host}.999999999.1"
    assert dead([mine, reused, gone, ""], {}) == {reused, gone}


def test_a_worker_of_another_machine_is_dead_when_the_server_says_so() -> None:
    online = {"far.1.1": True, "away.1.1": False}
    assert dead(["far.1.1", "away.1.1", "unknown.1.1"], online) == {"away.1.1", "unknown.1.1"}


@pytest.mark.parametrize(("once", "pauses"), [(True, [0.0]), (False, [2.0, 4.0])])
def test_what_is_asked_once_is_told_at_once_that_the_server_is_too_busy(
    once: bool, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    async def ask() -> None:
        async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
            answer_at_once(client)
            with asking_once() if once else nullcontext():
                await client.hello()

    busy = httpx.MockTransport(lambda request: httpx.Response(503))
    settings = {"transport": busy}
    monkeypatch.setattr("prefect.client.base.anyio.sleep", sleep)
    tries = {PREFECT_CLIENT_MAX_RETRIES: 1, PREFECT_CLIENT_RETRY_JITTER_FACTOR: 0}
    with temporary_settings(tries), pytest.raises(httpx.HTTPStatusError):
        asyncio.run(ask())
    assert paused == pauses


def test_a_loop_outlives_errors_and_tells_when_it_works_again() -> None:
    calls: list[int] = []
    recovered: list[int] = []

    async def once() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise OSError("away")

    async def run() -> None:
        loop = Loop("test", once, 60)
        task = asyncio.create_task(loop.run(on_recovery=lambda: recovered.append(len(calls))))
        while len(calls) < 3:
            loop.soon()
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert recovered == [2]


def test_the_server_is_told_its_password_and_address_and_nothing_is_on_its_command_line(
    tmp_path: os.PathLike[str],
) -> None:
    settings = Settings(
        data=tmp_path,
        prefect_auth="me:secret",
        prefect_api_url="http://127.0.0.1:4999/api",
        prefect_database_url="sqlite+aiosqlite:///x.db",
    )
    server, worker = server_command(settings), worker_command(settings)
    assert server.env["PREFECT_SERVER_API_AUTH_STRING"] == "me:secret"
    assert server.env["PREFECT_SERVER_API_PORT"] == "4999"
    assert worker.env["PREFECT_API_AUTH_STRING"] == "me:secret"
    assert "secret" not in " ".join(server.argv + worker.argv)
    assert server.argv[0] == worker.argv[0] == sys.executable


@pytest.mark.parametrize("deployed", DEPLOYED, ids=lambda one: one.entrypoint)
def test_every_deployment_is_dotted_and_its_flow_is_described(deployed: object) -> None:
    entrypoint = str(getattr(deployed, "entrypoint", ""))
    module, _, name = entrypoint.rpartition(".")
    assert module == "deployments.entry"
    flow = getattr(prefect, name)
    assert flow.name == name
    assert flow.description
    assert TIMEZONE == "Asia/Shanghai"
