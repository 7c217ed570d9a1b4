"""The line to PostgreSQL is cut around a COMMIT: the command's key tells what became of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import make_url

from policy.calendar import local_day
from services.database import open_engine
from services.invariants import violations
from tests.fault_moves import MOVES
from tests.fault_scene import scene

CHUNK = 1 << 16


class Line:
    """Carries bytes to the server and back; cuts the next COMMIT's line before or after it."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self.cut: str = ""
        """"before": the COMMIT is not passed on; "after": its answer is not."""
        self._open = [self._door]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Whoever still waits at an end of it is let go."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(CHUNK):
                if self.cut and b"COMMIT" in data:
                    self._cut(client, server, data)
                    return
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        """Nobody else reads what the server says now: the client is gone before it may hear it."""
        how, self.cut = self.cut, ""
        client.shutdown(socket.SHUT_RDWR)
        if how == "after":
            server.sendall(data)
            server.shutdown(socket.SHUT_WR)  # it answers, and ends when it has
        else:
            server.shutdown(socket.SHUT_RDWR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                with suppress(OSError):
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(url: str) -> Iterator[tuple[Line, str]]:
    """A line to a database, and the URL through it."""
    there = make_url(url)
    line = Line((there.host or "", there.port or 5432))
    through = there.set(host="127.0.0.1", port=line.port)
    yield line, through.render_as_string(hide_password=False)
    line.close()


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_line_that_is_cut_at_a_commit_loses_and_doubles_nothing(
    postgresql_url: str, how: str
) -> None:
    with line_to(postgresql_url) as (line, url):
        engine = open_engine(url)
        stage = scene(engine)
        for move in MOVES:
            act = move.prepare(stage)
            if not move.keyed or not move.commits:
                act(move.name)
                continue
            line.cut = how
            first = act(move.name)
            assert line.cut == "", f"{move.name} met no cut"
            assert act(move.name) == first, move.name
        found = violations(engine, local_day(stage.clock()))
        assert [one.what for one in found if one.what != "自动事项与审计记录不符"] == []
        engine.dispose()
