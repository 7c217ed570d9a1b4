"""A web process whose patience is short: ``python -m tests.limited_web``, settings from outside.

The answer of ``/hang`` begins at once, and ends when the file that ``HANG`` names is gone.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments import listening
from deployments.root import build
from deployments.serving import application, listen
from deployments.settings import load
from web import guard

HANG, MOST, HEAD = "LIMITED_WEB_HANG", "LIMITED_WEB_MOST", "LIMITED_WEB_HEAD"
SECONDS = 1.0


class Hanging:
    """The application, and an address that takes its time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != "/hang":
            await self._app(scope, receive, send)
            return
        await StreamingResponse(_slowly())(scope, receive, send)


async def _slowly() -> AsyncIterator[bytes]:
    yield b"begun"
    while Path(os.environ[HANG]).exists():
        await asyncio.sleep(0.05)
    yield b"done"


if __name__ == "__main__":
    listening.HEAD_SECONDS = float(os.environ.get(HEAD, SECONDS))
    listening.UNREAD_SECONDS = SECONDS
    listening.MOST_CONNECTIONS = int(os.environ.get(MOST, listening.MOST_CONNECTIONS))
    guard.SILENT_SECONDS, guard.FORM_SECONDS = SECONDS, 3 * SECONDS
    settings = load(None)
    listen(Hanging(application(settings, build(settings))), settings)
