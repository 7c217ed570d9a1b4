"""Processes of a bench: started tied to it, looked at from outside, ended with it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

from deployments import tether

T = TypeVar("T")
_PATIENCE = 15


@contextmanager
def running(argv: Iterable[str], env: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """A process, what it says in ``log``; it is ended at the end, and when this one is killed."""
    command = [sys.executable, str(tether.__file__), str(os.getpid()), *argv]
    with log.open("ab") as out:
        started = subprocess.Popen(
            command,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield psutil.Process(started.pid)
    finally:
        _end(started)


def _end(started: "subprocess.Popen[bytes]") -> None:
    try:
        family = psutil.Process(started.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    started.terminate()
    try:
        started.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
    for child in family:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """User and system time of processes and all they started, ended children included."""
    return sum(map(_family_seconds, processes))


def _family_seconds(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(map(_seconds, family))


def _seconds(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0  # ended just now: its parent has it among its children's


def require_alive(process: psutil.Process, log: Path) -> None:
    """RuntimeError with the end of its log when a process has ended."""
    if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
        said = log.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{log.name}: the process has ended\n{said[-2000:]}")


def peak_rss_mb(process: psutil.Process) -> float:
    """The most memory a process ever had resident, in MB (Linux)."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def until(what: str, true: Callable[[], T], seconds: float, every: float = 0.05) -> T:
    """What ``true`` gives once it gives something; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
