"""已办: what the person decided."""

from fastapi import APIRouter
from starlette.responses import Response

from services.history import PAGE, count_done, done_by
from services.sealing import sealed_until
from web.access import Asked, Before, signed

router = APIRouter()


@router.get("/done")
@signed
def done(ask: Asked, before: Before = None) -> Response:
    """A page of decisions, the newest first."""
    with ask.reading() as db:
        lines = done_by(db, ask.who.person_id, before)
        return ask.page(
            "done.html",
            ask.desk(db),
            lines=lines,
            count=count_done(db, ask.who.person_id),
            sealed=sealed_until(db),
            before=lines[-1].id if len(lines) == PAGE else None,
        )
