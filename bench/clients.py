"""Clients of the bench: signed-in people on keep-alive connections, timed from outside."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from urllib.parse import urlencode

RETURN_REASON = "请补充完成标准后再报"
_keys = count(1)
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person's session: the cookie, and the token of unsafe requests."""

    cookie: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open slot, whose turn it is, and the answer that keeps the case going."""

    slot_id: int
    branch_id: int
    login: str
    answer: str


class Client:
    """One connection. ``number`` is the row it locks on the floor."""

    def __init__(self, port: int, number: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._number = number

    def connect(self) -> None:
        """Anew: the server lets go of a connection that was idle for seconds."""
        self._connection.close()
        self._send("GET", "/health", "", {})

    def sign_in(self, login: str, password: str) -> SignedIn:
        """Through the page of the log-in, as people do."""
        body = urlencode({"login": login, "password": password, "next": "/"})
        _, headers, _ = self._send("POST", "/login", body, {"Content-Type": _FORM}, expected=303)
        cookie = headers["set-cookie"].partition(";")[0]
        _, _, answer = self._send("GET", "/api/session", "", {"Cookie": cookie})
        return SignedIn(cookie, json.loads(answer)["csrf"])

    def decide(self, who: SignedIn, waiting: Waiting) -> float:
        """Decide through the API; the milliseconds until the whole answer was there."""
        body = json.dumps({"answer": waiting.answer, "reason": _reason(waiting)})
        headers = {
            "Content-Type": "application/json",
            "Cookie": who.cookie,
            "X-CSRF-Token": who.csrf,
            "Idempotency-Key": f"bench-{next(_keys):08}",
        }
        path = f"/api/steps/{waiting.slot_id}/decision"
        return self._send("POST", path, body, headers)[0]

    def submit(self, who: SignedIn, waiting: Waiting) -> float:
        """Decide through the page's form, which leads on to the next thing that waits."""
        form = {
            "csrf": who.csrf,
            "key": f"bench-{next(_keys):08}",
            "answer": waiting.answer,
            "reason": _reason(waiting),
        }
        headers = {"Content-Type": _FORM, "Cookie": who.cookie}
        return self._send(
            "POST", f"/steps/{waiting.slot_id}", urlencode(form), headers, expected=303
        )[0]

    def floor(self) -> float:
        """The three-row write; the milliseconds until its answer was there."""
        return self._send("POST", f"/floor/{self._number}", "", {})[0]

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _send(
        self, method: str, path: str, body: str, headers: Mapping[str, str], expected: int = 200
    ) -> tuple[float, dict[str, str], bytes]:
        data, whole = body.encode(), {"Origin": self._origin, **headers}
        begun = time.perf_counter()
        self._connection.request(method, path, data, whole)
        answer = self._connection.getresponse()
        read = answer.read()
        took = (time.perf_counter() - begun) * 1000
        if answer.status != expected:
            raise RuntimeError(f"{method} {path}: {answer.status} {read[:300].decode()}")
        return took, {name.lower(): value for name, value in answer.getheaders()}, read


def _reason(waiting: Waiting) -> str:
    return RETURN_REASON if waiting.answer == "return" else ""


class Crowd:
    """Clients side by side, and the sessions of the people who use them."""

    def __init__(self, port: int, clients: int, password: Callable[[str], str]) -> None:
        self._clients = [Client(port, number + 1) for number in range(clients)]
        self._password = password
        self._people: dict[str, SignedIn] = {}
        self._pool = ThreadPoolExecutor(clients)

    def ready(self, work: Sequence[Waiting]) -> None:
        """Sign in whoever is not signed in yet, and connect: nothing of it is to be measured."""
        for login in {one.login for one in work} - self._people.keys():
            password = self._password(login)
            self._clients[0].connect()
            self._people[login] = self._clients[0].sign_in(login, password)
        for client in self._clients:
            client.connect()

    def decide(self, work: Sequence[Waiting]) -> list[float]:
        """Each client decides its share, one after the other, at the same time as the others."""
        return self._each(lambda client, one: client.decide(self._people[one.login], one), work)

    def submit(self, work: Sequence[Waiting]) -> list[float]:
        """The same through the pages' form."""
        return self._each(lambda client, one: client.submit(self._people[one.login], one), work)

    def floor(self, work: Sequence[Waiting]) -> list[float]:
        """As many three-row writes instead."""
        return self._each(lambda client, _: client.floor(), work)

    def close(self) -> None:
        """Let the connections go."""
        self._pool.shutdown()
        for client in self._clients:
            client.close()

    def _each(
        self, act: Callable[[Client, Waiting], float], work: Sequence[Waiting]
    ) -> list[float]:
        def share(number: int) -> list[float]:
            mine = work[number :: len(self._clients)]
            return [act(self._clients[number], one) for one in mine]

        shares = self._pool.map(share, range(len(self._clients)))
        return [took for taken in shares for took in taken]
