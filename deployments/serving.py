"""The web process: ``python -m deployments.serving``."""

import resource
from collections.abc import Callable, Collection

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from deployments.attending import Attendant, Attended
from deployments.demo import DISTRICT
from deployments.listening import MOST_CONNECTIONS, Connection
from deployments.logs import configure
from deployments.settings import Settings, load
from deployments.starting import built
from services.casework.draining import LOOP as DRAIN
from services.database import reading
from services.env import Env
from services.organisation import organisation_id
from web.app import create_app

WEB = "web"
LOOPS = {DRAIN: 60.0}
"""Seconds since its last turn after which a loop of this process is late."""
GRACE_SECONDS = 5
"""How long answers under way may take once the process is told to end."""


def serve(settings: Settings) -> None:
    """Serve pages and API until the process is told to end. Commits before it answers, always."""
    configure(WEB)
    env = built(settings)
    attendant = Attendant(env, settings, Attended(WEB, settings.ops_port, LOOPS))
    attendant.start()
    listen(application(settings, env, attendant.alarms), settings)
    attendant.stop()


def application(
    settings: Settings, env: Env, alarms: Callable[[], Collection[str]] = frozenset
) -> FastAPI:
    """The pages and the API of this installation; with the demo's district, they say so.

    ``alarms``: what operators are shown at the head of their pages.
    """
    with reading(env.engine) as db:
        demo = organisation_id(db, DISTRICT) is not None
    return create_app(
        env,
        prefect_ui_url=settings.prefect_ui_url,
        secure_cookies=settings.base_url.startswith("https://"),
        demo=demo,
        alarms=alarms,
    )


def listen(app: ASGIApp, settings: Settings) -> None:
    """Answer requests until the process is told to end."""
    _have_descriptors(MOST_CONNECTIONS * 4)
    uvicorn.run(
        app,
        http=Connection,
        ws="none",
        host=settings.host,
        port=settings.port,
        forwarded_allow_ips=settings.proxies,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _have_descriptors(wanted: int) -> None:
    """Let this process open so many files and sockets, if the machine lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> None:
    """The web process of this installation."""
    serve(load())


if __name__ == "__main__":
    main()
