"""办理 beside deciding: the form of an act (转办、接办、催办 …), and doing it."""

from contextlib import suppress

from fastapi import APIRouter
from starlette.responses import Response

from policy.acts import Act
from services.acts import act_form, act_on
from services.acts.acting import LONGEST, MayNotAct
from services.errors import AlreadyDecided, Invalid, NotFound
from services.step_page import step_page
from web.access import Ask, Asked, Id, go, new_key, signed

router = APIRouter()


@router.get("/steps/{slot_id}/acts/{act}")
@signed
def act(ask: Asked, slot_id: Id, act: Act) -> Response:
    """What the act asks for; to the step for who may not, or comes too late."""
    if act is Act.RECORD:  # it brings a file, and has a page of its own
        return go(f"/steps/{slot_id}/paper")
    try:
        return _page(ask, slot_id, act)
    except (MayNotAct, AlreadyDecided):
        return go(f"/steps/{slot_id}")


@router.post("/steps/{slot_id}/acts/{act}")
@signed
def do(ask: Asked, slot_id: Id, act: Act) -> Response:
    """Do it. What is wrong is shown where it is; the page of the step follows, or the inbox where
    it is not theirs to see any more.
    """
    key = ask.form_key()
    given = {name: ask.text(name) for name in ask.form if name not in ("csrf", "key", "reason")}
    try:
        act_on(
            ask.env,
            ask.who.actor,
            act,
            slot_id=slot_id,
            reason=ask.text("reason"),
            given=given,
            key=key,
        )
    except Invalid as error:
        return _page(ask, slot_id, act, error)
    return go(f"/steps/{slot_id}" if _still_seen(ask, slot_id) else "/")


def _still_seen(ask: Ask, slot_id: int) -> bool:
    with ask.reading() as db, suppress(NotFound):
        step_page(db, ask.desk(db).who, slot_id, ask.now)
        return True
    return False


def _page(ask: Ask, slot_id: int, act: Act, error: Invalid | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = act_form(db, desk.who, act, slot_id)
        return ask.page(
            "act.html",
            desk,
            error.status if error else 200,
            slot_id=slot_id,
            shown=shown,
            given=ask.form if error else {},
            error=error,
            longest=LONGEST,
            key=new_key(),
        )
