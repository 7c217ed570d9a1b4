"""The processes of ``make up`` in a folder of their own, and the ways into them."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any

import httpx
import psutil
from sqlalchemy import Engine, text

from deployments.clock import now
from deployments.settings import Settings, load
from services.accounts import new_password, set_password
from services.command import Actor
from services.database import open_engine, reading
from services.env import Env

SAID = "已阅 log-canary-58213"
"""What everybody here writes with a decision: nobody's log may have it."""
WAITING_SLOTS = text(
    "SELECT s.id AS slot, t.key, t.answers, a.login FROM slot s JOIN step t ON t.id = s.step_id"
    " JOIN appointment p ON p.post_id = s.post_id AND p.ends_on IS NULL"
    " JOIN account a ON a.person_id = p.person_id WHERE s.state = 'open' ORDER BY s.id"
)


def until(what: str, true: Callable[[], Any], seconds: float, every: float = 0.2) -> Any:
    """What ``true`` gives once it gives something; AssertionError after so many seconds."""
    never = threading.Event()
    for _ in range(int(seconds / every)):
        found = true()
        if found:
            return found
        never.wait(every)
    raise AssertionError(f"{what}: not within {seconds} s")


def free_port() -> int:
    """A port nobody listens on now."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """A running installation."""

    settings: Settings
    runner: subprocess.Popen[str]
    output: Path
    engine: Engine
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """What the runner printed so far."""
        return self.output.read_text(encoding="utf-8")

    def process(self, module: str) -> psutil.Process | None:
        """The child of the runner whose command names ``module``; the oldest is at work, another
        waits to take its place."""
        children = psutil.Process(self.runner.pid).children()
        found = (child for child in children if module in " ".join(_command(child)))
        return min(found, key=psutil.Process.create_time, default=None)

    def kill(self, module: str) -> int:
        """kill -9 a child; the number it had."""
        process = self.process(module)
        assert process is not None, module
        process.kill()
        return process.pid

    def replaced(self, module: str, pid: int) -> bool:
        """Whether another process does the work of ``pid``."""
        process = self.process(module)
        return process is not None and process.pid != pid

    def password(self, login: str) -> str:
        """The password of an account; one that is no demo log-in gets its own."""
        if login not in self.passwords:
            self.passwords[login] = new_password()
            env = Env(self.engine, now)
            set_password(env, Actor(None, "test"), login, self.passwords[login])
        return self.passwords[login]

    def waiting(self) -> list[Any]:
        """Every open slot with its step's key and answers, and who may answer it."""
        with reading(self.engine) as db:
            return list(db.execute(WAITING_SLOTS))

    def row(self, query: str, **given: Any) -> Any:
        """The first row of a query."""
        with reading(self.engine) as db:
            return db.execute(text(query), given).first()

    def prefect(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask Prefect's API; None while it does not answer."""
        user, _, password = self.settings.prefect_auth.partition(":")
        url = f"{self.settings.prefect_api_url}{path}"
        try:
            answer = httpx.request(
                "GET" if body is None else "POST",
                url,
                json=body,
                auth=(user, password),
                timeout=10,
                trust_env=False,
            )
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """``fourduties up`` on free ports; stopped by Ctrl-C, and nothing of it is left."""
    settings = load(
        None,
        data=folder / "data",
        port=free_port(),
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
    )
    output = folder / "up.txt"
    with output.open("w") as out:
        runner = subprocess.Popen(
            [sys.executable, "-c", "from deployments.cli import app; app()", "up"],
            env={**os.environ, **settings.exported()},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    engine = open_engine(settings.database_url)
    found = House(settings, runner, output, engine)
    try:
        until("up", lambda: "fourduties is up" in found.said or runner.poll() is not None, 240)
        assert runner.poll() is None, found.said
        kept = settings.secrets / "demo-logins.json"
        found.passwords = {one["login"]: one["password"] for one in json.loads(kept.read_text())}
        yield found
    finally:
        stop(runner)
        engine.dispose()


def stop(runner: subprocess.Popen[str]) -> None:
    """Ctrl-C, and look that every child is gone."""
    children = psutil.Process(runner.pid).children(recursive=True) if runner.poll() is None else []
    runner.send_signal(signal.SIGINT)
    runner.wait(timeout=30)
    assert not [child for child in children if child.is_running()]


class Api:
    """A signed-in person at the HTTP API; what they were answered is in ``journal``."""

    def __init__(self, at: House, login: str, journal: list[dict[str, Any]]) -> None:
        self._client = httpx.Client(
            base_url=at.settings.base_url,
            headers={"Origin": at.settings.base_url},
            timeout=30,
            trust_env=False,
        )
        self._journal = journal
        given = {"login": login, "password": at.password(login), "next": "/"}
        signed = self._again(lambda: self._client.post("/login", data=given))
        assert signed.status_code == httpx.codes.SEE_OTHER, signed.text
        token = self._again(lambda: self._client.get("/api/session")).json()["csrf"]
        self._client.headers["X-CSRF-Token"] = token

    def decide(self, slot: int, answer: str) -> None:
        """Decide, with the same key until it is answered."""
        headers = {"Idempotency-Key": f"decide-{slot:06}"}
        url, body = f"/api/steps/{slot}/decision", {"answer": answer, "reason": SAID}
        done = self._again(lambda: self._client.post(url, json=body, headers=headers))
        assert done.status_code == httpx.codes.OK, done.text
        self._journal.append({"decision": done.json()["decision_id"], "slot": slot})

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def _again(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        def answered() -> httpx.Response | None:
            try:
                answer = call()
            except httpx.TransportError:
                return None
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        found: httpx.Response = until("an answer", answered, 60)
        return found
