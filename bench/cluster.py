"""A PostgreSQL cluster of one's own in a temporary folder, for benches and for tests."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

SERVER_USER = "postgres"
"""PostgreSQL refuses to run as root; this Debian user owns the cluster then."""
_DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")
_PREFIX, _MARK = "fourduties-postgresql-", "in-use"
_STARTS = 100
_ROOM = 2 << 30
"""Bytes a cluster of a whole test run may want."""


class NoPostgreSQL(RuntimeError):
    """PostgreSQL's server programs are not installed (Debian: ``apt-get install postgresql``)."""


def programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``: the newest of Debian's, else the one on PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    found = debian[-1] if debian else shutil.which("initdb")
    if found is None:
        raise NoPostgreSQL(NoPostgreSQL.__doc__)
    return Path(found).parent


def _version(initdb: Path) -> int:
    name = initdb.parent.parent.name
    return int(name) if name.isdigit() else 0


@contextmanager
def cluster(*, durable: bool = True) -> Iterator[str]:
    """Start a cluster on a free port of 127.0.0.1; gives the URL of its database ``postgres``.

    It is stopped and removed in the end, and stops when this process is killed.
    ``durable=False`` leaves fsync out: for tests only.
    """
    with killable_cluster(durable=durable) as server:
        yield server.url


@contextmanager
def killable_cluster(*, durable: bool = True) -> Iterator["Server"]:
    """The same, as a server that can be killed and started again on its data."""
    above = _above(durable)
    _sweep(above)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, SERVER_USER)
        with _held(folder), _running(folder, durable=durable) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Mark a folder as in use; the mark goes with the process, however it ends."""
    made = folder / "mark"
    with made.open("w") as mark:
        flock(mark, LOCK_EX)
        made.rename(folder / _MARK)  # only now others see it: they could take it before
        yield


def _sweep(above: Path) -> None:
    """Remove what killed processes left behind."""
    for mark in above.glob(f"{_PREFIX}*/{_MARK}"):
        with suppress(OSError), mark.open() as held:
            flock(held, LOCK_EX | LOCK_NB)
            shutil.rmtree(mark.parent, ignore_errors=True)


class Server:
    """The server of a cluster, on one port for as long as the cluster is there."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._data, self._log, self._port = folder / "data", folder / "log", _free_port()
        self._options = [
            word for name, value in settings.items() for word in ("-c", f"{name}={value}")
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The database ``postgres``."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers; after :meth:`kill` its data are recovered before."""
        for _ in range(_STARTS):
            self._process = self._started()
            if self._answers(self._process):
                return
            time.sleep(0.1)  # processes of a killed server still let go of the shared memory
        raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL the first process, as when power goes; the others notice and end."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """At once: nothing of it is kept."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        where = ("-D", self._data, "-p", str(self._port))
        command = _as_server_user(programs() / "postgres", *where, *self._options)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        where = ["-h", "127.0.0.1", "-p", str(self._port)]
        ready = [str(programs() / "pg_isready"), "-q", *where]
        for _ in range(1200):
            if subprocess.run(ready, check=False).returncode == 0:
                return True
            if process.poll() is not None:
                return False
            time.sleep(0.05)
        return False


@contextmanager
def _running(folder: Path, *, durable: bool) -> Iterator[Server]:
    initdb: list[str | Path] = [programs() / "initdb", "-D", folder / "data"]
    initdb += ["-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
    subprocess.run(_as_server_user(*initdb), check=True, cwd="/", capture_output=True)
    server = Server(
        folder,
        {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            **({} if durable else dict.fromkeys(_DURABILITY, "off")),
        },
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _as_server_user(*command: str | Path) -> list[str]:
    """A command run as a user PostgreSQL accepts, and ended together with this process."""
    user = ["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]
    root = os.geteuid() == 0
    words = ["setpriv", *(user if root else []), "--pdeathsig", "QUIT", "--", *command]
    return [str(word) for word in words]


def _above(durable: bool) -> Path:
    """In memory when nothing has to last, where the machine offers the room; else as usual."""
    memory = Path("/dev/shm")
    if durable or not os.access(memory, os.W_OK):
        return Path(tempfile.gettempdir())
    return memory if shutil.disk_usage(memory).free > _ROOM else Path(tempfile.gettempdir())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
