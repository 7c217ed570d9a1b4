"""Whether the process lives, and whether it can serve."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response

from services.calendar import NoCalendar, latest
from services.database import AWAY, reading
from web.access import as_json, public
from web.site import Site

router = APIRouter()


@router.get("/health")
@public
def health() -> Response:
    """The process answers; nothing else is asked."""
    return _said({"ok": True})


@router.get("/ready")
@public
def ready(request: Request) -> Response:
    """The database answers and has a calendar; otherwise 503 with the reason's code."""
    site: Site = request.app.state.site
    try:
        with reading(site.env.engine) as db:
            db.execute(text("SELECT 1"))
            latest(db)
    except AWAY:
        return _not_ready("database_away")
    except NoCalendar as error:
        return _not_ready(error.code)
    return _said({"ready": True})


def _not_ready(reason: str) -> Response:
    return _said({"ready": False, "reasons": [reason]}, HTTPStatus.SERVICE_UNAVAILABLE)


def _said(what: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(as_json(what), status, media_type="application/json")
