"""线下签批登记 (代录): recording what who is asked signed on paper, and the scan that shows it."""

import json
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.acts.acting import MayNotAct
from services.acts.recording import record_paper, require_recorder
from services.acts.signing import SCAN, SIGNED_ON, SIGNER
from services.casework import Decided
from services.errors import AlreadyDecided, CannotReturn, DutiesError, Invalid
from services.evidence_intake import Upload
from services.evidence_reading import Way
from services.recording_page import recording_page
from services.signed_paper_reading import open_scan
from web.access import Ask, Asked, AtTheDoor, Id, go, new_key, signed
from web.forms import payload
from web.routes.evidence import handed_out

router = APIRouter()


class OneScan(Invalid):
    """签批件请合成一个文件（PDF 或图片）。"""

    code = "one_scan"


class NoJson(Invalid):
    """payload 须为 JSON。"""

    code = "no_json"


def may_record(ask: AtTheDoor, slot_id: Id) -> None:
    """Refuse who records nothing for this step, before the scan is taken."""
    if ask is not None:
        require_recorder(ask.env, ask.who.actor, slot_id)


MAY_RECORD = [Depends(may_record)]


@router.get("/steps/{slot_id}/paper")
@signed
def form(ask: Asked, slot_id: Id) -> Response:
    """What is asked of who records; to the step for who may not, or comes too late."""
    try:
        return _page(ask, slot_id)
    except (MayNotAct, AlreadyDecided):
        return go(f"/steps/{slot_id}")


@router.post("/steps/{slot_id}/paper", dependencies=MAY_RECORD)
@signed
def submit(ask: Asked, slot_id: Id) -> Response:
    """Record it, and show the step as it was decided. What is wrong is shown where it is."""
    try:
        recorded(ask, slot_id, ask.form_key(), payload(ask, ask.text("answer")))
    except (Invalid, CannotReturn) as error:
        return _page(ask, slot_id, error)
    return go(f"/steps/{slot_id}")


@router.get("/papers/{paper_id}/seen")
@signed
def seen(ask: Asked, paper_id: Id) -> Response:
    """The scan, to be looked at."""
    return _opened(ask, paper_id, Way.SEEN)


@router.get("/papers/{paper_id}/downloaded")
@signed
def downloaded(ask: Asked, paper_id: Id) -> Response:
    """The scan, to be kept."""
    return _opened(ask, paper_id, Way.DOWNLOADED)


def recorded(ask: Ask, slot_id: int, key: str, filled_in: Any) -> Decided:
    """Record the paper of this request; the page and the API ask for the same."""
    answer = ask.text("answer")
    scans = [Upload(name, source) for name, source in ask.files(SCAN)]
    if len(scans) > 1:
        raise OneScan(field=SCAN)
    return record_paper(
        ask.env,
        ask.who.actor,
        slot_id=slot_id,
        given={name: ask.text(name) for name in (SIGNER, SIGNED_ON)},
        answer=answer,
        scan=next(iter(scans), None),
        key=key,
        reason=ask.text("reason"),
        payload=filled_in,
        back_to=ask.text("back_to") or None if answer == "return" else None,
    )


def api_payload(ask: Ask) -> Any:
    """What the step's form asks for, as the JSON text of a field; Invalid for what is none."""
    text = ask.text("payload")
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise NoJson(field="payload") from None


def _opened(ask: Ask, paper_id: int, way: Way) -> Response:
    opened = open_scan(ask.env, ask.who.actor, paper_id, way, post_id=ask.who.post_id)
    return handed_out(opened)


def _page(ask: Ask, slot_id: int, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        page = recording_page(db, desk.who, slot_id, ask.now)
        return ask.page(
            "paper.html",
            desk,
            error.status if error else 200,
            step=page.step,
            shown=page.act,
            fill=page.fill,
            asked_on=page.asked_on,
            given={n: v for n, v in ask.form.items() if isinstance(v, str)} if error else {},
            error=error,
            key=new_key(),
        )
