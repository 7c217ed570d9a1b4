"""办理凭证: what a person keeps of what they decided or did; for nobody else it is there."""

import json

from fastapi import APIRouter
from starlette.responses import Response

from services.decision_receipt import Receipt, receipt_of
from services.sealing import sealed_until
from web.access import Ask, Asked, Id, signed

router = APIRouter(prefix="/receipts")


@router.get("/{kind}/{about_id}")
@signed
def shown(ask: Asked, kind: str, about_id: Id) -> Response:
    """The receipt of a decision (by its slot) or of an act."""
    with ask.reading() as db:
        receipt = receipt_of(db, ask.who.person_id, kind, about_id)
        return ask.page(
            "decision_receipt.html", ask.desk(db), receipt=receipt, sealed=sealed_until(db)
        )


@router.get("/{kind}/{about_id}/file")
@signed
def downloaded(ask: Asked, kind: str, about_id: Id) -> Response:
    """The same as a file that can be checked without this system."""
    receipt = _receipt(ask, kind, about_id)
    headers = {"Content-Disposition": f'attachment; filename="{receipt.filename}"'}
    text = json.dumps(receipt.file(), ensure_ascii=False, indent=2) + "\n"
    return Response(text, media_type="application/json", headers=headers)


def _receipt(ask: Ask, kind: str, about_id: int) -> Receipt:
    with ask.reading() as db:
        return receipt_of(db, ask.who.person_id, kind, about_id)
