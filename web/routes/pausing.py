"""暂停、恢复: the forms for a case or for one branch of it, and doing it."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from policy.pause import PauseKind
from services.errors import AlreadyDecided, Invalid
from services.pausing import (
    LONGEST,
    MayNotPause,
    PauseForm,
    pause,
    pause_form,
    place_of,
    prolong,
    resume,
    resume_form,
)
from services.scope import Standing
from web.access import Ask, Asked, Id, go, new_key, signed

router = APIRouter()


class HowNeeded(Invalid):
    """请选择恢复还是继续暂停。"""

    code = "how_needed"


FIELDS = ("how", "kind", "review_on", "reason")
Form = Callable[[Connection, Standing, int], PauseForm]


@router.get("/branches/{branch_id}/pause")
@signed
def pausing(ask: Asked, branch_id: Id) -> Response:
    """What would be paused, and the form; to the case or the problem for who may not."""
    return _shown(ask, branch_id, "pause.html", pause_form)


@router.post("/branches/{branch_id}/pause")
@signed
def stop(ask: Asked, branch_id: Id) -> Response:
    """Pause it. What is wrong is shown where it is."""
    key = ask.form_key()
    given: dict[str, Any] = {name: ask.text(name) for name in ("kind", "review_on", "reason")}
    try:
        pause(ask.env, ask.who.actor, branch_id=branch_id, key=key, **given)
    except Invalid as error:
        return _page(ask, branch_id, "pause.html", pause_form, error)
    return _back(ask, branch_id)


@router.get("/branches/{branch_id}/resumption")
@signed
def resuming(ask: Asked, branch_id: Id) -> Response:
    """What stands, and the form to let it go on or to prolong it."""
    return _shown(ask, branch_id, "resumption.html", resume_form)


@router.post("/branches/{branch_id}/resumption")
@signed
def go_on(ask: Asked, branch_id: Id) -> Response:
    """Resume it, or prolong the pause until another day."""
    key, given = ask.form_key(), {"branch_id": branch_id, "reason": ask.text("reason")}
    how: Any = given
    try:
        if ask.text("how") == "prolong":
            prolong(ask.env, ask.who.actor, review_on=ask.text("review_on"), key=key, **how)
        elif ask.text("how") == "resume":
            resume(ask.env, ask.who.actor, key=key, **how)
        else:
            raise HowNeeded(field="how")
    except Invalid as error:
        return _page(ask, branch_id, "resumption.html", resume_form, error)
    return _back(ask, branch_id)


def _shown(ask: Ask, branch_id: int, template: str, form: Form) -> Response:
    try:
        return _page(ask, branch_id, template, form)
    except (MayNotPause, AlreadyDecided):
        return _back(ask, branch_id)


def _back(ask: Ask, branch_id: int) -> Response:
    with ask.reading() as db:
        return go(place_of(db, branch_id))


def _page(
    ask: Ask, branch_id: int, template: str, form: Form, error: Invalid | None = None
) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = form(db, desk.who, branch_id)
        return ask.page(
            template,
            desk,
            error.status if error else 200,
            branch_id=branch_id,
            shown=shown,
            kinds=list(PauseKind),
            given={name: ask.text(name) if error else "" for name in FIELDS},
            error=error,
            field=error.details.get("field", "") if error else "",
            longest=LONGEST,
            back=place_of(db, branch_id),
            key=new_key(),
        )
