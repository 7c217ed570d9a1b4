"""Writes what cases wait for onto their runs (rule G), when nothing else is to do."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import ArtifactCollection
from prefect.exceptions import ObjectNotFound

from deployments.prefect_artifacts import put, read_artifacts
from deployments.prefect_runs import cancel, read_runs, show
from services.batch import each_apart
from services.env import Env
from services.metrics import MIRRORS
from services.mirror import (
    BLOCKED,
    PACE,
    Face,
    Shown,
    Written,
    changed,
    face,
    keep,
    last_written,
    mine_still,
    take,
)
from services.runs import Run, RunKind, backlog

PAGE = 40
"""Cases written in one go."""
LOOK = 2000
"""Cases that are asked for at once; most of them were looked at since they changed."""
AT_ONCE = 2
"""Cases written at the same time: Prefect's server has one process, and SQLite one writer."""
BUSY = 20
"""With more wakes due than this no mirror is written."""
_log = logging.getLogger(__name__)


class Mirroring:
    """The writer of mirrors. Any number may run at once: a case is one's alone for a while."""

    def __init__(
        self, env: Env, client: Callable[[], PrefectClient], more: Callable[[], None]
    ) -> None:
        self._env, self._client, self._more = env, client, more
        self._since = last_written(env)
        self._right: dict[int, tuple[object, datetime]] = {}
        """Cases whose mirror was found right: what it was right of, and when."""

    async def once(self) -> None:
        """Write a page of the mirrors that are out of date; ``more`` is called if there are more.

        Under backlog nothing is written (rule G: shed first). Those that are right, but are looked
        at because they are blocked, take up no place of others.
        """
        env = self._env
        if await asyncio.to_thread(backlog, env) > BUSY:
            MIRRORS.labels("shed").inc()
            return
        began, most = env.clock(), LOOK + len(self._right)
        found = await asyncio.to_thread(changed, env, self._since, most)
        self._forget(found, began)
        stale = [shown for shown in found if not self._is_right(shown)]
        if stale:
            await self._look_at(stale[:PAGE])
        if len(stale) > PAGE:
            self._more()
        elif len(found) < most:
            self._since = began

    def _forget(self, found: Sequence[Shown], now: datetime) -> None:
        """Keep what is right of those that were found, and of those that may be just resting."""
        asked = {shown.case_id: shown for shown in found}
        self._right = {
            case_id: (version, at)
            for case_id, (version, at) in self._right.items()
            if (_of(asked[case_id]) == version if case_id in asked else now - at < 2 * PACE)
        }

    def _is_right(self, shown: Shown) -> bool:
        return shown.case_id in self._right

    async def _look_at(self, page: Sequence[Shown]) -> None:
        """Prefect is asked first: while it is away nothing of ours is touched."""
        runs = await read_runs(self._client(), (shown.run_id for shown in page))
        mine = await asyncio.to_thread(take, self._env, page)
        faces = await asyncio.to_thread(self._faces, [shown.case_id for shown in mine])
        mine = [shown for shown in mine if shown.case_id in faces]
        keys = [
            artifact.key
            for shown in mine
            if faces[shown.case_id].digest != shown.tabled
            for artifact in faces[shown.case_id].artifacts
        ]
        there = await read_artifacts(self._client(), keys)
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(shown: Shown) -> Written:
            async with limit:
                run = runs.get(shown.run_id)
                return await self._write(shown, faces[shown.case_id], run, there)

        outcomes = await asyncio.gather(*map(one, mine), return_exceptions=True)
        written = [outcome for outcome in outcomes if isinstance(outcome, Written)]
        for run_id in await asyncio.to_thread(keep, self._env, written):
            await cancel(self._client(), run_id)
        _raise(outcomes)

    def _faces(self, case_ids: Sequence[int]) -> dict[int, Face]:
        """A case that cannot be shown must not keep the others of its page from it."""
        found: dict[int, Face] = {}

        def look(case_id: int) -> int:
            found[case_id] = face(self._env, case_id)
            return 1

        each_apart(_log, case_ids, look)
        return found

    async def _write(
        self, shown: Shown, now: Face, run: Run | None, there: Mapping[str, ArtifactCollection]
    ) -> Written:
        """The table first, so that who sees the new state sees its table too.

        A state is written only onto a run that is suspended: what is on its way is not called
        back, and a run with work to do writes its own. Prefect has no way to write only then, so
        both sides are asked once more right before it, and :func:`keep` looks once more after it.
        """
        client, text, tabled = self._client(), None, None
        if not await asyncio.to_thread(mine_still, self._env, shown):
            return Written(shown.case_id, None, None)
        if run is not None and now.digest != shown.tabled:
            await put(client, run.id, now.artifacts, there)
            tabled = now.digest if now.mirror.name != BLOCKED else None
        elif run is None and shown.ended:
            tabled = ""  # there is nothing any more that it could be shown at
        mirror = now.mirror
        waits = run is not None and run.kind is RunKind.PAUSED
        wanted = waits and mirror.text != shown.text and not (mirror.ended or mirror.effects)
        if wanted and await self._waits_still(shown):
            await show(client, shown.run_id, mirror)
            text = mirror.text
        if text is not None or tabled is not None:
            MIRRORS.labels("written").inc()
        if run is not None and (shown.ended or mirror.text in (shown.text, text)):
            blocked = mirror.name == BLOCKED
            kept = replace(
                shown,
                text=shown.text if text is None else text,
                tabled=None if blocked else shown.tabled if tabled is None else tabled,
            )
            self._right[shown.case_id] = _of(kept), self._env.clock()
        return Written(shown.case_id, text, tabled, shown.taken_at)

    async def _waits_still(self, shown: Shown) -> bool:
        """Since its page was read, an operator may have cancelled it, or its case have gone on."""
        run = (await read_runs(self._client(), [shown.run_id])).get(shown.run_id)
        waits = run is not None and run.kind is RunKind.PAUSED
        return waits and await asyncio.to_thread(mine_still, self._env, shown)


def _of(shown: Shown) -> object:
    """What a mirror is right of: its case as it is, and that we know what Prefect shows of it."""
    return shown.version, shown.text, shown.tabled


def _raise(outcomes: Sequence[object]) -> None:
    """What the server refused of one case is left for the next time; when it is away, all is."""
    for outcome in outcomes:
        if isinstance(outcome, httpx.HTTPStatusError):
            _log.warning("a mirror was refused (%s)", outcome.response.status_code)
        elif isinstance(outcome, ObjectNotFound):
            _log.info("a run was deleted before its mirror was written")
        elif isinstance(outcome, BaseException):
            raise outcome
