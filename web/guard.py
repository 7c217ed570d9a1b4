"""What stands before every request: where it comes from, how large it is, what answers carry."""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.errors import DutiesError
from services.storage import refusal
from web.access import SAFE

UPLOADS = re.compile(r"/import|/ledgers|/organisation-imports|/steps/[0-9]{1,18}/tasks")
"""The addresses that take a file."""
EVIDENCE = re.compile(r"(?:/api)?/steps/[0-9]{1,18}/evidence")
"""The addresses that take several files; how much together, the installation says."""
FORM_BYTES, UPLOAD_BYTES = 1 << 20, 21 << 20
"""The most a request may carry: a form or JSON, and an upload (20 MB with its form around it)."""
FORM_SECONDS, UPLOAD_SECONDS = 60.0, 300.0
"""How long a form, and an upload, may take to arrive."""
SILENT_SECONDS = 20.0
"""How long nothing of it may arrive."""
LINGER_BYTES, LINGER_SECONDS = 64 << 20, 10.0
"""How much of what nobody wants is still taken, and for how long, before the connection is closed:
a browser that is sending reads no answer."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OF_FILES = ("Content-Security-Policy", "X-Frame-Options")
"""Headers that an answer may set for itself: a file is shown within a page of ours."""
_YEAR = "max-age=31536000"
_log = logging.getLogger(__name__)


class CrossSite(DutiesError):
    """这个请求来自其他网站，没有办理。请从本系统的页面提交。"""

    status = 403
    code = "cross_site"


class TooLarge(DutiesError):
    """提交的内容或文件太大（文件不超过 20 MB），没有保存。"""

    status = 413
    code = "too_large"


class TooMuchTogether(TooLarge):
    """这些文件合起来太大，没有保存，请分几次上传。"""


class TooSlow(DutiesError):
    """提交的内容没有传完，没有保存，请重试。"""

    status = 408
    code = "too_slow"


class Broken(DutiesError):
    """系统出错，本次没有保存。请稍后重试；仍有问题时，把下面的编号告诉系统运维员。"""

    status = 500
    code = "broken"


Refuse = Callable[[Request, DutiesError], Response]


class Guard:
    """Refuses what comes from elsewhere or is too large; gives every answer its headers and id."""

    def __init__(
        self, app: ASGIApp, *, refuse: Refuse, base_url: str, secure: bool, files_bytes: int = 0
    ) -> None:
        self._app, self._refuse = app, refuse
        self._files_bytes = files_bytes
        self._own = urlsplit(base_url).netloc
        self._extra = {"Strict-Transport-Security": _YEAR} if secure else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        request_id = state.setdefault("request_id", secrets.token_hex(6))
        headers = HEADERS | self._extra | {"X-Request-Id": request_id, **_kept(scope)}
        body = _Body(receive, Headers(scope=scope), self._limit(scope))
        answer = _Answer(send, headers, body)
        try:
            self._look_at(scope)
            await self._app(scope, body, answer)
        except DutiesError as error:
            await self._refuse(Request(scope), error)(scope, receive, answer)
        except ClientDisconnect:
            _log.info("request %s was given up by who sent it", request_id)
        except Exception as error:
            known = refusal(error)  # a disk that is full when an upload is put down
            _log.exception("request %s failed", request_id)
            if answer.started:
                raise
            await self._refuse(Request(scope), known or Broken())(scope, receive, answer)

    def _look_at(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if scope["method"] not in SAFE and not self._same_site(headers):
            raise CrossSite
        length = headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > self._limit(scope).size:
            raise self._limit(scope).too_large()

    def _limit(self, scope: Scope) -> "_Limit":
        """Files are taken where one is asked for; nobody else needs that much."""
        sent = Headers(scope=scope).get("Content-Type", "")
        if not sent.startswith("multipart/form-data"):
            return _Limit(FORM_BYTES, FORM_SECONDS)
        if EVIDENCE.fullmatch(scope["path"]) and self._files_bytes:
            return _Limit(self._files_bytes + FORM_BYTES, UPLOAD_SECONDS, several=True)
        if UPLOADS.fullmatch(scope["path"]):
            return _Limit(UPLOAD_BYTES, UPLOAD_SECONDS)
        return _Limit(FORM_BYTES, FORM_SECONDS)

    def _same_site(self, headers: Headers) -> bool:
        """Browsers say where a request comes from; one that says nothing is not let in."""
        site = headers.get("Sec-Fetch-Site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = _host(headers.get("Origin", ""))
        return bool(origin) and origin in (headers.get("Host", ""), self._own)


def _host(origin: str) -> str:
    """Host and port of an origin; '' for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class _Limit:
    """The most that a request may carry, and how long that may take."""

    size: int
    seconds: float
    several: bool = False
    """Whether that is for several files together."""

    def too_large(self) -> TooLarge:
        """The refusal: of one thing, or of several files together."""
        return TooMuchTogether() if self.several else TooLarge()


class _Body:
    """Counts what arrives and how long it takes, also where no length was declared."""

    def __init__(self, receive: Receive, headers: Headers, limit: _Limit) -> None:
        self._receive, self._limit = receive, limit
        self._read, self._until = 0, 0.0
        self._whole = headers.get("Content-Length", "0") == "0" and (
            "Transfer-Encoding" not in headers
        )
        self._slow = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        present = asyncio.get_running_loop().time()
        self._until = self._until or present + self._limit.seconds
        try:
            async with asyncio.timeout_at(min(self._until, present + SILENT_SECONDS)):
                message = await self._next()
        except TimeoutError as error:
            self._slow = True
            raise TooSlow from error
        if self._read > self._limit.size:
            raise self._limit.too_large()
        return message

    @property
    def coming(self) -> bool:
        """Whether more of it is to arrive."""
        return not self._whole

    async def let_arrive(self) -> None:
        """Take what is still being sent and forget it, within bounds."""
        if self._slow:
            return
        most = self._read + LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._whole and self._read < most:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message


class _Answer:
    """Adds the headers to the head of an answer; one that comes before its request is whole closes
    the connection, after what is still being sent was let arrive."""

    def __init__(self, send: Send, headers: dict[str, str], body: _Body) -> None:
        self._send, self._headers, self._body = send, headers, body
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            closing = {"Connection": "close"} if self._body.coming else {}
            answered = MutableHeaders(scope=message)
            own = {name: answered[name] for name in OF_FILES if name in answered}
            answered.update(self._headers | closing | own)
        elif self._body.coming and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.let_arrive()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)


def _kept(scope: Scope) -> dict[str, str]:
    """Pages are never kept by a browser; a static file with its version is kept for good."""
    versioned = scope["path"].startswith("/static/") and scope["query_string"].startswith(b"v=")
    return {"Cache-Control": f"public, {_YEAR}, immutable" if versioned else "no-store"}
