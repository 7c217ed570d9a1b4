"""A process's own small server, for the loopback only: ``/health``, ``/ready`` and ``/metrics``.

Never on the public port: metrics are nobody else's business. Where it listens is noted in the
data folder, so that the supervisor, ``doctor`` and ``status`` find every process, however many.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from services.metrics import REGISTRY

LOOPBACK = "127.0.0.1"
_log = logging.getLogger(__name__)
Reasons = Callable[[], list[str]]
"""Why a process is not ready, as codes; none: it is."""


@dataclass(frozen=True, slots=True)
class Note:
    """A process that answers on a port of the loopback; ``born`` tells it from a later number."""

    process: str
    pid: int
    port: int
    born: float


class Ops:
    """The server of this process. ``port`` is wanted; if it is taken, any free one will do."""

    def __init__(self, process: str, folder: Path, port: int, reasons: Reasons) -> None:
        self._process, self._folder, self._wanted = process, folder, port
        self._handler = _handler({"/ready": reasons})
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> Note:
        """Answer, and note where; returns at once."""
        self._server = _bound(self._wanted, self._handler)
        Thread(target=self._server.serve_forever, name="ops", daemon=True).start()
        pid, port = os.getpid(), int(self._server.server_address[1])
        note = Note(self._process, pid, port, psutil.Process(pid).create_time())
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._kept.with_suffix(".new")
        draft.write_text(json.dumps(asdict(note)), encoding="utf-8")
        draft.replace(self._kept)
        return note

    def stop(self) -> None:
        """Answer no more."""
        self._kept.unlink(missing_ok=True)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def _kept(self) -> Path:
        return self._folder / f"{self._process}-{os.getpid()}.json"


def notes(folder: Path) -> list[Note]:
    """The processes that live, by name and number; notes of dead ones are cleared away."""
    return sorted(_living(folder), key=lambda note: (note.process, note.pid))


def _living(folder: Path) -> Iterator[Note]:
    for path in folder.glob("*.json"):
        with suppress(OSError, ValueError, TypeError):
            note = Note(**json.loads(path.read_text(encoding="utf-8")))
            if _lives(note):
                yield note
            else:
                path.unlink(missing_ok=True)


def _lives(note: Note) -> bool:
    try:
        return abs(psutil.Process(note.pid).create_time() - note.born) < 1
    except psutil.NoSuchProcess:
        return False


def _bound(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return _Server((LOOPBACK, port), handler)
    except OSError:
        return _Server((LOOPBACK, 0), handler)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone; the library would print a traceback."""
        _log.info("an answer was not taken", exc_info=True)


def _handler(asked: Mapping[str, Reasons]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/health":
                self._say(HTTPStatus.OK, {"ok": True})
            elif self.path == "/metrics":
                self._send(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(REGISTRY))
            elif self.path in asked:
                why = asked[self.path]()
                status = HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK
                self._say(status, {"ready": not why, "reasons": why})
            else:
                self._say(HTTPStatus.NOT_FOUND, {"ok": False})

        def _say(self, status: HTTPStatus, what: Mapping[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(what).encode())

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: object) -> None:
            """Nothing: who watches asks every few seconds."""

    return Handler
