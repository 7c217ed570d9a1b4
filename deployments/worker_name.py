"""Workers by name: a name says which process bears it, so its death shows without heartbeats."""

import os
import socket
from collections.abc import Iterable, Mapping

import psutil


def own_name() -> str:
    """``<host>.<pid>.<start in ms>``: unique, also when a process number is used again."""
    born = psutil.Process().create_time()
    return f"{_host()}.{os.getpid()}.{round(born * 1000)}"


def dead(names: Iterable[str], online: Mapping[str, bool]) -> frozenset[str]:
    """Those of ``names`` that execute nothing any more.

    Of this machine: whose process has ended. Of others, and of processes here that are stopped:
    whom the server has not heard of for three heartbeats (``online`` says so by name; one it does
    not know is dead).
    """
    here = f"{_host()}."
    return frozenset(
        name
        for name in names
        if name
        and not (name.startswith(here) and _works(name))
        and not (_may_work(name, here) and online.get(name, False))
    )


def _works(name: str) -> bool:
    return _status(name) not in (None, psutil.STATUS_STOPPED)


def _may_work(name: str, here: str) -> bool:
    return not name.startswith(here) or _status(name) is not None


def _status(name: str) -> str | None:
    """The state of a process of this machine; None when it has ended."""
    _, pid, born = name.rsplit(".", 2)
    try:
        process = psutil.Process(int(pid))
        same = round(process.create_time() * 1000) == int(born)
        return str(process.status()) if same else None
    except (psutil.NoSuchProcess, ValueError):
        return None


def _host() -> str:
    return socket.gethostname().replace("/", "-").replace("%", "-")
