"""Tells Prefect the events that its automations act on, and forgets those its server keeps.

The server answers before it has written an event (it does so every few seconds, or never when it
is killed), so an event is told again until it is found there. A repetition is the same event: it
is dropped by its id. Any number of workers may do this at once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.events.filters import EventFilter, EventIDFilter, EventOccurredFilter

from deployments.clock import ticks
from services.env import Env
from services.run_events import Telling, to_tell, told

BATCH = 50
"""Events sent in one request, and asked for in one: the server's pages are no longer."""
UNDER_WAY = 200
"""The most events that were sent and not found yet."""
AGAIN_SECONDS = 30.0
"""An event that was not found for so long is sent anew."""
_MALFORMED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
_AROUND = timedelta(seconds=1)
_log = logging.getLogger(__name__)


class Emitting:
    """The teller of one worker process."""

    def __init__(self, env: Env, client: Callable[[], PrefectClient]) -> None:
        self._env, self._client = env, client
        self._sent: dict[int, tuple[Telling, float]] = {}

    async def once(self) -> None:
        """Forget what the server keeps, and send what it has not had."""
        await self._settle()
        while len(self._sent) < UNDER_WAY:
            new = await asyncio.to_thread(to_tell, self._env, BATCH, self._sent)
            if new:
                await self._send(new)
            if len(new) < BATCH:
                return

    async def _settle(self) -> None:
        sent = [telling for telling, _ in self._sent.values()]
        for start in range(0, len(sent), BATCH):
            await self._forget(await self._kept(sent[start : start + BATCH]))
        now = ticks()
        self._sent = {
            id: (telling, at)
            for id, (telling, at) in self._sent.items()
            if now - at < AGAIN_SECONDS
        }

    async def _kept(self, some: Sequence[Telling]) -> list[int]:
        """The rows of those that the server has written."""
        times = [telling.at for telling in some]
        wanted = EventFilter(
            id=EventIDFilter(id=[telling.event_id for telling in some]),
            occurred=EventOccurredFilter(since=min(times) - _AROUND, until=max(times) + _AROUND),
        )
        page = await self._client().read_events(wanted, limit=BATCH)
        found = {event.id for event in page.events}
        return [telling.id for telling in some if telling.event_id in found]

    async def _forget(self, ids: Sequence[int]) -> None:
        await asyncio.to_thread(told, self._env, ids)
        for id in ids:
            del self._sent[id]

    async def _send(self, some: Sequence[Telling]) -> None:
        """All at once; one by one when the server says that something is wrong with them."""
        try:
            await self._client().request("POST", "/events", json=[body_of(one) for one in some])
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in _MALFORMED:
                raise
            if len(some) > 1:
                for one in some:
                    await self._send([one])
                return
            _log.warning("Prefect takes no event %s (%s)", some[0].kind, some[0].id)
            await asyncio.to_thread(told, self._env, [some[0].id])
            return
        at = ticks()
        self._sent |= {telling.id: (telling, at) for telling in some}


def body_of(telling: Telling) -> dict[str, Any]:
    """An event in the words of Prefect's API."""
    related = {
        "flow-run": f"prefect.flow-run.{telling.run_id}" if telling.run_id else "",
        "mechanism": f"fourduties.mechanism.{telling.mechanism}" if telling.mechanism else "",
    }
    return {
        "id": str(telling.event_id),
        "event": telling.kind,
        "occurred": telling.at.isoformat(),
        "resource": {"prefect.resource.id": telling.resource},
        "related": [
            {"prefect.resource.id": id, "prefect.resource.role": role}
            for role, id in related.items()
            if id
        ],
        "payload": telling.payload,
    }
