"""Whether a server answers, and whether a port is free."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpx

WATCH = "watch"
"""The flow that runs by the clock."""
TAKEN_UP = timedelta(minutes=2)
"""The reconciler looks every minute, and a wake is repeated after half a minute at most: what is
still crashed then is not taken up by itself."""
AGAIN, REPEATED = timedelta(minutes=10), 3
"""A run that crashes so often within this time does it again and again."""
REMEMBERED = timedelta(days=1)
"""A crash that was longer ago is known, or its case is gone (a restore)."""
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


def crashed(api_url: str, auth: str, pool: str, at: datetime) -> bool:
    """Whether a case's run of a work pool is crashed and was not taken up again within
    :data:`TAKEN_UP`, or crashed :data:`REPEATED` times within :data:`AGAIN`; no if Prefect does not
    say.

    Our own worker's death is neither: its runs are taken over. A run of the watch is not taken up,
    the next one makes up for it; whether it comes is asked elsewhere (``services.alarms``).
    """
    left = {
        "flow_runs": {
            "state": {"type": {"any_": ["CRASHED"]}},
            "end_time": {
                "after_": (at - REMEMBERED).isoformat(),
                "before_": (at - TAKEN_UP).isoformat(),
            },
        },
        "work_pools": {"name": {"any_": [pool]}},
        "sort": "END_TIME_DESC",
        "limit": 200,
    }
    runs = _found(f"{api_url.rstrip('/')}/flow_runs/filter", auth, left) or []
    if any("number" in run["parameters"] for run in runs):
        return True
    told = {
        "occurred": {"since": (at - AGAIN).isoformat()},
        "event": {"name": ["prefect.flow-run.Crashed"]},
        "related": {
            "labels": {"prefect.resource.role": "work-pool", "prefect.resource.name": pool}
        },
    }
    said = _found(f"{api_url.rstrip('/')}/events/filter", auth, {"filter": told, "limit": 50})
    times = Counter(
        event["resource"]["prefect.resource.id"]
        for event in (said or {}).get("events", [])
        if not any(map(_is_watch, event["related"]))
    )
    return max(times.values(), default=0) >= REPEATED


def _is_watch(related: Mapping[str, str]) -> bool:
    flow = related.get("prefect.resource.role") == "flow"
    return flow and related.get("prefect.resource.name") == WATCH


def _found(url: str, auth: str, wanted: Any) -> Any:
    answer = _asked("POST", url, auth, wanted)
    return answer.json() if answer is not None and answer.status_code == httpx.codes.OK else None


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
