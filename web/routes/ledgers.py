"""存量台账: a ledger of running work is uploaded, looked at, and taken over or dropped."""

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.errors import DutiesError, Invalid
from services.faulty import Faulty
from services.importing import importable
from services.ledger import (
    LedgerChanged,
    LedgerSettled,
    confirm_ledger,
    drop_ledger,
    ledger_page,
    stage_ledger,
)
from services.problem_import import AlreadyImported
from services.template import ledger_template
from web.access import Ask, Asked, Id, go, new_key, signed
from web.routes.imports import XLSX, UnitNeeded, may_send

router = APIRouter()


@router.get("/ledgers")
@signed
def form(ask: Asked) -> Response:
    """The form, with the units this person may import for."""
    return _form(ask)


@router.post("/ledgers", dependencies=[Depends(may_send)])
@signed
def upload(ask: Asked) -> Response:
    """Stage the ledger and show what it becomes; every fault is listed where it stands."""
    try:
        filename, data = ask.file("file")
        with ask.site.reading():
            ledger_id = stage_ledger(
                ask.env,
                ask.who.actor,
                organisation=_unit(ask),
                data=data,
                filename=filename,
                key=ask.form_key(),
                batch=ask.text("batch"),
            )
    except (Invalid, AlreadyImported) as error:
        return _form(ask, error)
    return go(f"/ledgers/{ledger_id}")


@router.get("/ledgers/template")
@signed
def template(ask: Asked) -> Response:
    """The empty workbook to fill in."""
    named = {"Content-Disposition": "attachment; filename=ledger-template.xlsx"}
    return Response(ledger_template(), media_type=XLSX, headers=named)


@router.get("/ledgers/{ledger_id}")
@signed
def ledger(ask: Asked, ledger_id: Id) -> Response:
    """What a staged ledger becomes, or the receipt of one that was taken over."""
    return _ledger(ask, ledger_id)


@router.post("/ledgers/{ledger_id}/confirm")
@signed
def confirm(ask: Asked, ledger_id: Id) -> Response:
    """Take over exactly what the page showed; what means something else by now is shown again."""
    try:
        with ask.site.reading():
            confirm_ledger(
                ask.env,
                ask.who.actor,
                ledger_id=ledger_id,
                fingerprint=ask.text("fingerprint"),
                key=ask.form_key(),
            )
    except (LedgerChanged, LedgerSettled, AlreadyImported, Faulty) as error:
        return _ledger(ask, ledger_id, error)
    return go(f"/ledgers/{ledger_id}")


@router.post("/ledgers/{ledger_id}/drop")
@signed
def drop(ask: Asked, ledger_id: Id) -> Response:
    """Forget a staged ledger."""
    try:
        drop_ledger(ask.env, ask.who.actor, ledger_id=ledger_id, key=ask.form_key())
    except LedgerSettled as error:
        return _ledger(ask, ledger_id, error)
    return go("/ledgers")


def _form(ask: Ask, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        return ask.page(
            "ledgers.html",
            desk,
            error.status if error else 200,
            units=importable(db, desk.who),
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            unit=ask.text("unit"),
            batch=ask.text("batch"),
            key=new_key(),
        )


def _ledger(ask: Ask, ledger_id: int, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        return ask.page(
            "ledger.html",
            ask.desk(db),
            error.status if error else 200,
            ledger=ledger_page(db, ask.who.actor, ledger_id),
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            key=new_key(),
        )


def _unit(ask: Ask) -> int:
    unit = ask.text("unit")
    if not unit.isdecimal() or len(unit) > 18:
        raise UnitNeeded(field="unit")
    return int(unit)
