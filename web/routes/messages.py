"""应用内消息: what the person was told, and marking it as read."""

from fastapi import APIRouter
from starlette.responses import Response

from services.message import PAGE, messages_for
from services.message_read import read_messages
from web.access import Asked, Before, go, new_key, signed

router = APIRouter()


@router.get("/messages")
@signed
def messages(ask: Asked, before: Before = None) -> Response:
    """A page of messages, the newest first."""
    with ask.reading() as db:
        found = messages_for(db, ask.who.person_id, before=before)
        return ask.page(
            "messages.html",
            ask.desk(db),
            messages=found,
            before=found[-1].id if len(found) == PAGE else None,
            key=new_key(),
        )


@router.post("/messages/read")
@signed
def read(ask: Asked) -> Response:
    """Mark messages as read: the ones of the field ``id``."""
    ids = [int(value) for value in ask.texts("id") if value.isdecimal() and len(value) < 19]
    read_messages(ask.env, ask.who.actor, ids=ids, key=ask.form_key())
    return go("/messages")
