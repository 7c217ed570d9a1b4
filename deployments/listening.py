"""A connection of the web process: what uvicorn leaves open, closed in time.

uvicorn has no time-out for the head of a request, nor for an answer that nobody reads, and its
``limit_concurrency`` turns everybody away while idle sockets stay. Here a head must come in
:data:`HEAD_SECONDS`, and where there are too many connections, the one that has kept us waiting
longest goes. What a request carries is bounded by ``web.guard``.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 512
"""Connections at a time; descriptors and memory are kept for what is being answered."""
HEAD_SECONDS = 10.0
"""How long a connection may be open without a whole head of a request."""
UNREAD_SECONDS = 30.0
"""How long an answer may wait for being read."""
_SLOW = "请求没有传完，没有办理，请重试。"
_CROWDED = "系统繁忙，本次未保存，请稍后重试。"


class Connection(H11Protocol):
    """One of ours: it waits for its client for a while only."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.since: float | None = self.loop.time()
        """From when on it waits for what its client is to send; None while it is answered."""
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, and make room where there is none."""
        super().connection_made(transport)
        self._look()
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop()
        self._stop_unread()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """What arrived may be what was waited for."""
        super().handle_events()
        self._look()

    def on_response_complete(self) -> None:
        """The next head is waited for."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Much of an answer was not read yet: it may wait for a while."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It was read."""
        super().resume_writing()
        self._stop_unread()

    def leave(self, text: str = "", status: str = "") -> None:
        """Say why, if anybody listens, and close; at once when that is not read either."""
        if status:
            said = text.encode()
            head = (
                f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
                f"content-length: {len(said)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + said)
        self.transport.close()
        self._stop()
        self._head = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def _look(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self._stop()
        elif self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(HEAD_SECONDS, self._late)
        if answering and not self.cycle.more_body:
            self.since = None
        elif self.since is None:
            self.since = self.loop.time()

    def _late(self) -> None:
        begun = bool(self.conn.trailing_data[0])
        self.leave(*((_SLOW, "408 Request Timeout") if begun else ()))

    def _stop(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _make_room(self) -> None:
        """Who has kept us waiting longest goes; while all are being answered, who comes last."""
        waiting = [
            (one.since, id(one), one)
            for one in self.connections
            if isinstance(one, Connection) and one is not self
            if one.since is not None and not one.transport.is_closing()
        ]
        if waiting:
            min(waiting)[-1].leave()
        else:
            self.leave(_CROWDED, "503 Service Unavailable")
