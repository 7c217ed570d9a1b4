"""One place where errors become answers: a Chinese page, or JSON for who asks for it."""

from typing import Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from policy.calendar import local_day
from services.database import AWAY
from services.errors import AlreadyDecided, DutiesError, Invalid, NotFound, Unsettled
from services.session import NotSignedIn
from services.storage import refusal
from web.access import SAFE, FirstThis, as_json, go
from web.site import Site

HINTED = frozenset({401, 403, 404, 409, 413, 422, 429, 500, 503})
"""Statuses with a sentence of their own about what to do next (``failure.<status>``)."""
UNSETTLED = "failure.unsettled"
"""What to do where nobody knows whether it was kept."""


class NotAllowed(DutiesError):
    """这个地址不支持这样的操作。"""

    status = 405
    code = "not_allowed"


def answer(request: Request, error: Exception) -> Response:
    """The answer to an error: what happened, what it means, and what to do next."""
    known = error if isinstance(error, DutiesError) else _as_ours(error)
    if wants_json(request):
        body = {"error": known.code, "message": known.message, "details": known.details}
        return _json(body, known.status)
    if isinstance(known, NotSignedIn) and request.headers.get("HX-Request"):
        return Response(status_code=known.status, headers={"HX-Redirect": "/login"})
    if isinstance(known, NotSignedIn) and request.method in SAFE:
        return go(f"/login?next={quote(_address(request))}")
    if isinstance(known, FirstThis) and request.method in SAFE:
        return go(known.where)
    return HTMLResponse(_page(request, known), known.status)


def wants_json(request: Request) -> bool:
    """The API always; elsewhere who prefers JSON to HTML."""
    accept = request.headers.get("Accept", "")
    return request.url.path.startswith("/api/") or (
        "application/json" in accept and "text/html" not in accept
    )


def _page(request: Request, error: DutiesError) -> str:
    site: Site = request.app.state.site
    context: dict[str, Any] = {
        "desk": None,
        "alarms": [],
        "csrf": "",
        "me": None,
        "today": local_day(site.env.clock()),
        "error": error,
        "conflict": isinstance(error, AlreadyDecided),
        "sign_in": isinstance(error, NotSignedIn),
        "unsettled": isinstance(error, Unsettled),
        "hint": _hint(error),
        "kept": getattr(request.state, "kept", {}),
        "request_id": getattr(request.state, "request_id", ""),
        "back": _address(request),
        "stands": _stands(request),
    }
    return site.pages.render("failure.html", context)


def _hint(error: DutiesError) -> str:
    if isinstance(error, Unsettled):
        return UNSETTLED
    return f"failure.{error.status}" if error.status in HINTED else ""


def _as_ours(error: Exception) -> DutiesError:
    """Raises what says nothing about the storage: a statement is wrong, or older than its tables,
    and waiting mends neither."""
    if isinstance(error, AWAY):
        found = refusal(error)
        if found is None:
            raise error
        return found
    match error:
        case RequestValidationError():
            return _invalid(error)
        case HTTPException(status_code=404):
            return NotFound()
        case HTTPException(status_code=405):
            return NotAllowed()
        case _:
            return Invalid()


def _invalid(error: RequestValidationError) -> DutiesError:
    """An address that cannot be right is not found; anything else was filled in wrongly."""
    places = {str(found["loc"][0]) for found in error.errors()}
    return NotFound() if places <= {"path", "query"} else Invalid()


def _address(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}"


def _stands(request: Request) -> str:
    """Where to see how the thing stands that somebody was too late for."""
    slot = request.path_params.get("slot_id")
    return f"/steps/{slot}" if slot is not None else request.url.path


def _json(body: Any, status: int) -> Response:
    return Response(as_json(body), status, media_type="application/json")
