"""What goes on beside the runs, whichever worker takes them: wakes, mirror, events, reconciler,
seals."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

from deployments.automations import Automations
from deployments.emitting import Emitting
from deployments.looping import Loop
from deployments.mirroring import Mirroring
from deployments.reconciling import Reconciler
from deployments.registering import Deployed
from deployments.run_wakes import RunWakes, asking_once
from deployments.taking import Taker
from services.env import Env
from services.evidence_check import Reaping
from services.mirror import stopped
from services.seal_outbox import write_daily
from services.sealing import Sealer

WAKES_SECONDS = 0.2
MIRROR_SECONDS = 3.0
EMIT_SECONDS = 2.0
RECONCILE_SECONDS = 60.0
SEAL_SECONDS = 60.0
REAP_SECONDS = 3600.0
"""Longer than any upload takes: what is forgotten at two looks is forgotten."""
HEARD_SECONDS = 0.2
"""What our own wakes scheduled is taken by then."""
CANCEL_SECONDS = 2.5
"""A run that is being cancelled may end by itself in this time."""
_SCHEDULED = ("prefect.flow-run.Resuming", "prefect.flow-run.Scheduled")
_CANCELLING = "prefect.flow-run.Cancelling"
_CANCELLED = "prefect.flow-run.Cancelled"
_OF_RUN = "prefect.flow-run."


class Tending:
    """The loops. ``name`` is this process's own, as workers are named."""

    def __init__(
        self,
        taker: Taker,
        env: Env,
        deployed: Sequence[Deployed],
        automations: Automations,
        *,
        name: str,
        pool_type: str,
    ) -> None:
        self._taker, self._env = taker, env

        def client() -> PrefectClient:
            return taker.client

        reconciler = Reconciler(
            env,
            client,
            lambda: taker.executing,
            name=name,
            pool_type=pool_type,
            deployed=deployed,
            scheduled=taker.poll_soon,
            again=self._reconcile_in,
        )
        self._first = Loop("first look", reconciler.first, RECONCILE_SECONDS)
        self._reconcile = Loop("reconciler", reconciler.once, RECONCILE_SECONDS)
        self._wakes = Loop("run wakes", RunWakes(env, taker).once, WAKES_SECONDS)
        mirroring = Mirroring(env, client, lambda: self._mirror.soon())
        self._mirror = Loop("mirror", mirroring.once, MIRROR_SECONDS)
        self._emit = Loop("run events", Emitting(env, client).once, EMIT_SECONDS)
        self._automate = Loop(
            "automations", lambda: automations.register(taker.client), RECONCILE_SECONDS
        )
        reaping = Reaping(env, env.files) if env.files else None
        self._reap = Loop("reaper", lambda: asyncio.to_thread(_reap, reaping), REAP_SECONDS)
        sealer = Sealer(env)
        self._seal = Loop("sealer", lambda: asyncio.to_thread(_seal, sealer, env), SEAL_SECONDS)
        self._events = Loop("events", self._listen, 1.0)

    async def put_in_order(self) -> None:
        """First of all, what a dead worker left; no run waits for the rest of the reconciling."""
        with asking_once():
            await self._first.turn()

    def soon(self) -> None:
        """Have the reconciler look now."""
        self._reconcile.soon()

    def loops(self) -> list[Coroutine[None, None, None]]:
        """All of them, to be run until cancelled."""
        return [
            _impatient(self._wakes.run(on_recovery=self.soon)),
            _impatient(self._mirror.run()),
            _impatient(self._emit.run()),
            self._reconcile.run(),
            self._automate.run(),
            self._events.run(),
            self._reap.run(),
            self._seal.run(),
        ]

    def _reconcile_in(self, wait: timedelta) -> None:
        asyncio.get_running_loop().call_later(wait.total_seconds(), self.soon)

    async def _listen(self) -> None:
        """Hear of what happens in the Prefect UI, or by another worker, before the next look."""
        names = EventFilter(event=EventNameFilter(name=[*_SCHEDULED, _CANCELLING, _CANCELLED]))
        async with get_events_subscriber(filter=names) as events:
            self.soon()  # for what was said while nobody listened
            async for event in events:
                await self._heard(event)

    async def _heard(self, event: Event) -> None:
        later = asyncio.get_running_loop().call_later
        if event.event in _SCHEDULED:
            later(HEARD_SECONDS, self._taker.heard_of, _run_id(event))
        elif event.event == _CANCELLED:
            await asyncio.to_thread(stopped, self._env, [_run_id(event)])
        elif event.event == _CANCELLING:
            later(CANCEL_SECONDS, self.soon)


async def _impatient(loop: Coroutine[None, None, None]) -> None:
    """What comes round by itself asks Prefect once."""
    with asking_once():
        await loop


def _seal(sealer: Sealer, env: Env) -> None:
    sealer.once()
    write_daily(env)


def _reap(reaping: Reaping | None) -> int:
    return reaping.once() if reaping else 0


def _run_id(event: Event) -> str:
    return str(UUID(event.resource.id.removeprefix(_OF_RUN)))
