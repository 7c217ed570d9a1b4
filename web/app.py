"""The web process: pages and JSON API over one :class:`Env`, with a drain of its own (rule K)."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from services.casework import Drain
from services.database import AWAY
from services.env import Env
from services.errors import DutiesError
from web import failure
from web.guard import Guard
from web.measuring import Measured
from web.pages import STATIC, Pages
from web.routes import (
    account,
    accounts,
    acts,
    api,
    batches,
    cases,
    changes,
    done,
    evidence,
    health,
    imports,
    inbox,
    ledgers,
    login,
    messages,
    organisations,
    papers,
    pausing,
    receipts,
    record,
    steps,
    substitution,
)
from web.site import Site

DRAIN_SECONDS = 5.0
MOST_LARGEST = 5
"""How many of the largest files one upload of evidence may carry."""
ROUTERS = (
    account,
    accounts,
    acts,
    api,
    batches,
    cases,
    changes,
    done,
    evidence,
    health,
    imports,
    inbox,
    ledgers,
    login,
    messages,
    organisations,
    papers,
    pausing,
    receipts,
    record,
    steps,
    substitution,
)


def create_app(
    env: Env,
    *,
    prefect_ui_url: str = "",
    secure_cookies: bool = False,
    demo: bool = False,
    drain_seconds: float = DRAIN_SECONDS,
    alarms: Callable[[], Collection[str]] = frozenset,
) -> FastAPI:
    """The application of one process.

    ``prefect_ui_url`` is where operators find runs, '' for no link. ``secure_cookies`` is for a
    server behind HTTPS: cookies are then bound to the host, and browsers told to stay on HTTPS.
    ``demo``: every page says that units and matters are invented. ``alarms``: what is wrong with
    the house now, which operators are shown (``alarm.<name>`` of the catalogue).
    """
    drain = Drain(env, drain_seconds)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        drain.start()
        yield
        drain.stop()

    app = FastAPI(title="fourduties", lifespan=life, openapi_url=None)
    app.state.site = Site(
        replace(env, nudge=drain.nudge),
        Pages(demo=demo),
        secure_cookies,
        prefect_ui_url.rstrip("/"),
        alarms,
    )
    app.add_middleware(
        Guard,
        refuse=failure.answer,
        base_url=env.base_url,
        secure=secure_cookies,
        files_bytes=MOST_LARGEST * env.files.largest if env.files else 0,
    )
    app.add_middleware(Measured, clock=env.clock)
    for kind in (DutiesError, HTTPException, RequestValidationError, *AWAY):
        app.add_exception_handler(kind, failure.answer)
    for routes in ROUTERS:
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    return app
