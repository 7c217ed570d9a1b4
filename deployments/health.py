"""Whether a server answers, and whether a port is free."""

from contextlib import closing
from datetime import datetime
from functools import cache
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpx

_SECONDS = 3.0


@cache
def _tls() -> SSLContext:
    """Made once: each request that makes its own pays 20 ms for it, also over plain HTTP."""
    return httpx.create_ssl_context(trust_env=False)


def _asked(
    method: str, url: str, auth: str = "", body: Any = None, seconds: float = _SECONDS
) -> httpx.Response | None:
    """The answer to a request with ``user:password`` if given; None when nothing answers."""
    user, _, password = auth.partition(":")
    try:
        return httpx.request(
            method,
            url,
            json=body,
            auth=(user, password) if auth else None,
            timeout=seconds,
            verify=_tls(),
            trust_env=False,
        )
    except httpx.HTTPError:
        return None


def status(url: str, auth: str = "") -> int | None:
    """The HTTP status of a GET, with ``user:password`` if given; None when nothing answers."""
    answer = _asked("GET", url, auth)
    return None if answer is None else answer.status_code


def prefect_status(api_url: str, auth: str) -> int | None:
    """200: it is up and takes our password; 401: somebody else's; None: nothing answers."""
    return status(f"{api_url.rstrip('/')}/admin/version", auth)


def prefect_works(api_url: str, auth: str) -> bool:
    """Whether a query works that fails under a FastAPI the server was not made for (422)."""
    url = f"{api_url.rstrip('/')}/deployments/filter"
    answer = _asked("POST", url, auth, {"limit": None, "sort": None})
    return answer is not None and answer.status_code == httpx.codes.OK


def crashed(api_url: str, auth: str, pool: str, since: datetime) -> int:
    """How many runs of a work pool Prefect has heard to crash since then; 0 if it does not say."""
    wanted = {
        "occurred": {"since": since.isoformat()},
        "event": {"name": ["prefect.flow-run.Crashed"]},
        "related": {
            "labels": {"prefect.resource.role": "work-pool", "prefect.resource.name": pool}
        },
    }
    url = f"{api_url.rstrip('/')}/events/filter"
    answer = _asked("POST", url, auth, {"filter": wanted, "limit": 1})
    if answer is None or answer.status_code != httpx.codes.OK:
        return 0
    return int(answer.json()["total"])


def readiness(port: int) -> list[str] | None:
    """Why a process of ours on this port of the loopback is not ready; None: it does not answer."""
    url = f"http://127.0.0.1:{port}/ready"
    answer = _asked("GET", url, seconds=3 * _SECONDS)  # it asks others before it answers
    if answer is None:
        return None
    try:
        return [str(reason) for reason in answer.json()["reasons"]]
    except (ValueError, KeyError, TypeError):
        return None  # somebody else's server


def free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = AF_INET6 if ":" in host else AF_INET
    with closing(socket(family)) as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def host_of(url: str) -> str:
    """The host a URL names."""
    return urlsplit(url).hostname or "127.0.0.1"
