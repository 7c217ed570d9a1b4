"""Slow, huge and very many requests against a real web process: others are served meanwhile."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET, create_connection, socket

import httpx
import psutil
import pytest

from deployments.clock import now
from deployments.settings import Settings, load
from models.organisation import RelationKind
from services.casework import mechanisms
from services.database import open_engine
from services.env import Env
from tests import limited_web, world
from tests.prefect_house import free_port, until
from tests.sheets import SHEET, feedback, repacked, sheet_part
from tests.web_house import PASSWORD, give_accounts

MB = 1 << 20
IDLE = 2000
ROOM = 50 * MB
"""How much more memory a process may take, whatever is sent to it."""


@dataclass
class Web:
    """A process that serves."""

    settings: Settings
    process: psutil.Process
    folder: Path

    @property
    def memory(self) -> int:
        return int(self.process.memory_info().rss)

    def connect(self) -> socket:
        return create_connection((self.settings.host, self.settings.port), timeout=20)

    def ask(self, path: str = "/login") -> int:
        """The status of a page."""
        with httpx.Client(base_url=self.settings.base_url, trust_env=False) as client:
            return client.get(path, timeout=10).status_code

    def head(self, path: str, *lines: str, method: str = "POST") -> bytes:
        given = (f"Host: {self.settings.host}", f"Origin: {self.settings.base_url}", *lines)
        return "\r\n".join([f"{method} {path} HTTP/1.1", *given, "", ""]).encode()


@contextmanager
def serving(folder: Path, url: str, **more: str) -> Iterator[Web]:
    """The process of ``tests.limited_web`` over a database."""
    settings = load(None, data=folder / "var", database_url=url, port=free_port())
    hang = folder / "hang"
    env = {**os.environ, **settings.exported(), limited_web.HANG: str(hang), **more}
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.limited_web"], env=env, stdout=log, stderr=log
        )
    try:
        web = Web(settings, psutil.Process(process.pid), folder)
        until(lambda: _answers(web), 60)
        yield web
    finally:
        hang.unlink(missing_ok=True)
        process.terminate()
        process.wait(30)


def _answers(web: Web) -> bool:
    with suppress(httpx.TransportError):
        return web.ask("/health") == 200
    return False


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    shutil.copyfile(sqlite_template, folder / "fourduties.db")
    with serving(folder, f"sqlite:///{folder / 'fourduties.db'}") as made:
        assert made.ask() == 200  # warm: templates are loaded
        yield made


def all_of(connection: socket) -> bytes:
    """What the other side says until it closes."""
    said = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            said += part
    return said


def test_a_head_that_never_ends_is_closed_and_others_are_served(web: Web) -> None:
    with closing(web.connect()) as slow, closing(web.connect()) as silent:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert web.ask() == 200
        said = all_of(slow)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert "没有传完" in said.decode()
        assert all_of(silent) == b""


def test_a_second_head_on_a_kept_connection_is_waited_for_no_longer(web: Web) -> None:
    with closing(web.connect()) as kept:
        kept.sendall(web.head("/health", method="GET"))
        assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")
        kept.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
        assert b"HTTP/1.1 408 " in all_of(kept)


def test_a_body_that_stops_arriving_is_refused(web: Web) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    with closing(web.connect()) as slow:
        slow.sendall(web.head("/login", form, "Content-Length: 1000") + b"login=a")
        assert web.ask() == 200
        said = all_of(slow).decode()
    assert said.startswith("HTTP/1.1 408 ")
    assert "没有传完，没有保存" in said


def test_a_body_that_drips_is_refused_too(web: Web) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    with closing(web.connect()) as slow:
        slow.sendall(web.head("/login", form, "Content-Length: 1000"))
        slow.settimeout(limited_web.SECONDS / 4)
        said = b""
        for _ in range(100):
            with suppress(TimeoutError):
                said = slow.recv(65536)
                break
            slow.sendall(b"a")
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_huge_body_is_refused_before_it_is_sent(web: Web) -> None:
    before = web.memory
    declared = "Content-Length: 5368709120"
    for kind in ("multipart/form-data; boundary=x", "application/json"):
        with closing(web.connect()) as sender:
            sender.sendall(web.head("/import", f"Content-Type: {kind}", declared))
            said = sender.recv(65536)
            assert said.startswith(b"HTTP/1.1 413 ")
            assert "太大" in (said + sender.recv(65536)).decode()
    assert web.memory - before < ROOM


def test_a_huge_body_that_says_no_length_is_stopped_and_the_refusal_is_read(web: Web) -> None:
    before, sent = web.memory, 0
    chunk = b"%x\r\n" % MB + b"x" * MB + b"\r\n"
    with closing(web.connect()) as sender:
        sender.sendall(
            web.head("/import", "Content-Type: application/json", "Transfer-Encoding: chunked")
        )
        with suppress(ConnectionError):
            while sent < 5 << 30:
                sender.sendall(chunk)
                sent += len(chunk)
                assert web.memory - before < ROOM
        assert b"HTTP/1.1 413 " in all_of(sender)
    assert sent < 100 * MB
    assert web.ask() == 200


def test_who_sends_a_file_that_is_too_large_reads_why(web: Web) -> None:
    """The answer is there before the file is; a browser reads it only when it could send all."""
    answer = httpx.post(
        f"{web.settings.base_url}/import",
        files={"file": ("a.xlsx", b"x" * (30 * MB))},
        headers={"Origin": web.settings.base_url, "Accept": "text/html"},
        trust_env=False,
        timeout=20,
    )
    assert answer.status_code == 413
    assert "文件不超过 20 MB" in answer.text


def test_a_form_is_no_place_for_a_file(web: Web) -> None:
    answer = httpx.post(
        f"{web.settings.base_url}/login",
        files={"file": ("a.xlsx", b"x" * (2 * MB))},
        headers={"Origin": web.settings.base_url},
        trust_env=False,
        timeout=20,
    )
    assert answer.status_code == 413


def test_two_thousand_idle_sockets_keep_nobody_out(web: Web) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, IDLE + 500)), hard))
    before = web.memory
    with ExitStack() as stack:
        for number in range(IDLE):
            stack.enter_context(closing(web.connect()))
            if number % 250 == 0:
                assert web.ask() == 200
        assert web.ask() == 200
        assert web.memory - before < ROOM
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_where_there_are_too_many_who_waited_longest_goes(tmp_path: Path, sqlite_url: str) -> None:
    long = {limited_web.MOST: "3", limited_web.HEAD: "600"}
    with serving(tmp_path, sqlite_url, **long) as web, ExitStack() as stack:
        first, second, third = (stack.enter_context(closing(web.connect())) for _ in range(3))
        third.sendall(web.head("/hang", method="GET"))
        _read_until(third, b"done")
        assert web.ask() == 200
        assert all_of(first) == b""
        second.sendall(web.head("/health", method="GET"))
        _read_until(second, b"ok")


def test_an_answer_nobody_reads_is_given_up(web: Web) -> None:
    script = web.head("/static/vendor/htmx.min.js", method="GET")
    with closing(socket()) as deaf:
        deaf.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        deaf.connect((web.settings.host, web.settings.port))
        deaf.settimeout(0.5)
        with suppress(TimeoutError):
            deaf.sendall(script * 3000)
        mine = deaf.getsockname()[1]
        until(lambda: mine not in [c.raddr.port for c in web.process.net_connections() if c.raddr])


def test_while_all_are_being_answered_who_comes_last_is_told_so(
    tmp_path: Path, sqlite_url: str
) -> None:
    (tmp_path / "hang").touch()
    with serving(tmp_path, sqlite_url, **{limited_web.MOST: "3"}) as web, ExitStack() as stack:
        busy = [stack.enter_context(closing(web.connect())) for _ in range(3)]
        for one in busy:
            one.sendall(web.head("/hang", "Connection: close", method="GET"))
            _read_until(one, b"begun")
        with closing(web.connect()) as last:
            said = all_of(last).decode()
        assert said.startswith("HTTP/1.1 503 ")
        assert "系统繁忙" in said
        (tmp_path / "hang").unlink()
        assert all(b"done" in all_of(one) for one in busy)
        assert web.ask() == 200


def _read_until(connection: socket, wanted: bytes) -> None:
    said = b""
    while wanted not in said:
        said += connection.recv(4096)


def test_a_bomb_takes_no_memory(tmp_path: Path, sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    people = world.build(Env(engine, now, mechanisms()))
    give_accounts(people)
    world.serve(people, "inspection", RelationKind.INSPECTION_OFFICE)
    engine.dispose()
    town = str(people.organisations["town"])
    bomb = repacked(feedback(), SHEET, sheet_part(" " * 450_000_000))
    with serving(tmp_path, sqlite_url) as web:
        here = {"Origin": web.settings.base_url, "Accept": "text/html"}
        with httpx.Client(
            base_url=web.settings.base_url, headers=here, trust_env=False, timeout=30
        ) as client:
            client.post("/login", data={"login": "inspection_head", "password": PASSWORD})
            csrf = client.get("/api/session").json()["csrf"]
            before = web.memory
            for _ in range(3):
                form = {"csrf": csrf, "key": "bomb", "unit": town}
                answer = client.post("/import", data=form, files={"file": ("a.xlsx", bomb)})
                assert "解压后过大" in answer.text
            assert web.memory - before < ROOM
