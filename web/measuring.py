"""What stands around every request: its number, in which all it logs is found, and its measure."""

import secrets
from collections.abc import Callable
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.metrics import REQUESTS
from web.access import SAFE

OTHER = "other"
"""What no route of ours answers, and methods that nobody uses: labels must not grow."""
_METHODS = SAFE | {"POST"}


class Measured:
    """Numbers requests and counts their answers by route template; never by address or person."""

    def __init__(self, app: ASGIApp, *, clock: Callable[[], datetime]) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the guard gives its number to whoever asked."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, self._clock()

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        number = secrets.token_hex(6)
        scope.setdefault("state", {})["request_id"] = number
        try:
            with bound_contextvars(request=number):
                await self._app(scope, receive, seen)
        finally:
            took = max((self._clock() - began).total_seconds(), 0.0)
            REQUESTS.labels(route(scope), method(scope), status).observe(took)


def route(scope: Scope) -> str:
    """The template of the route that answered."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return str(getattr(scope.get("route"), "path", OTHER))


def method(scope: Scope) -> str:
    """One of those our routes know."""
    return scope["method"] if scope["method"] in _METHODS else OTHER
