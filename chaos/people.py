"""Signed-in people, and their requests on connections that break."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from chaos.patience import NotBack

FORM = "application/x-www-form-urlencoded"
PATIENCE = 60.0
"""Seconds after which a person would give up: nothing may take so long."""
_PAUSE = 0.05


class Lost(Exception):
    """A request went out and no answer came: nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person's session: the cookie, and the token of unsafe requests."""

    cookie: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def body(self) -> Any:
        """The body as JSON; None for a page."""
        try:
            return json.loads(self.data)
        except ValueError:
            return None


class Hand:
    """One connection to the web process, made anew when it broke. For one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: HTTPConnection | None = None

    def connect(self) -> None:
        """Be connected; :class:`NotBack` when nobody listens for as long as a person would wait."""
        end = time.monotonic() + PATIENCE
        while self._connection is None:
            found = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            try:
                found.connect()
            except OSError:
                if time.monotonic() > end:
                    raise NotBack("web: nobody listens") from None
                time.sleep(_PAUSE)
            else:
                self._connection = found

    def send(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> Reply:
        """Send a request and read the whole answer; :class:`Lost` when it does not come."""
        if self._connection is None:
            raise Lost
        whole = {"Origin": f"http://127.0.0.1:{self._port}", "Connection": "close", **headers}
        try:
            self._connection.request(method, path, body.encode(), whole)
            answer = self._connection.getresponse()
            return Reply(
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )
        except (OSError, HTTPException) as error:
            raise Lost from error
        finally:
            self.close()

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def asked(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> Reply:
        """The answer to what may be asked any number of times."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.connect()
            try:
                reply = self.send(method, path, body, headers)
            except Lost:
                continue
            if reply.status < 500:
                return reply
            time.sleep(_PAUSE)
        raise NotBack(f"{method} {path}: no answer")


@dataclass
class People:
    """The sessions of those who decide, by log-in; each is begun when it is first needed."""

    passwords: Mapping[str, str]
    _sessions: dict[str, SignedIn] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def session(self, hand: Hand, login: str) -> SignedIn:
        """The session of a person."""
        with self._lock:
            session = self._sessions.get(login)
        if session is None:
            session = self._sign_in(hand, login)
            with self._lock:
                self._sessions[login] = session
        return session

    def ended(self, login: str, session: SignedIn) -> None:
        """A session is no longer taken: the next request signs in again."""
        with self._lock:
            if self._sessions.get(login) == session:
                del self._sessions[login]

    def _sign_in(self, hand: Hand, login: str) -> SignedIn:
        form = urlencode({"login": login, "password": self.passwords[login], "next": "/"})
        reply = hand.asked("POST", "/login", form, {"Content-Type": FORM})
        if reply.status != 303:
            raise RuntimeError(f"{login}: log-in answered {reply.status}")
        cookie = reply.headers["set-cookie"].partition(";")[0]
        token = hand.asked("GET", "/api/session", "", {"Cookie": cookie}).body["csrf"]
        return SignedIn(cookie, token)
