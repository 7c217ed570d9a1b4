"""Uploading a feedback: the file becomes problems and the case that answers them, or nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.errors import DutiesError, Invalid
from services.faulty import Faulty
from services.importing import MayNotImport, importable, may_import
from services.problem_import import AlreadyImported, import_feedback
from services.receipt import receipt_of
from services.template import problem_template
from web.access import Ask, Asked, AtTheDoor, Id, go, new_key, signed

router = APIRouter()
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Slot = Annotated[int, Query(ge=0, le=2**63 - 1)]
"""The slot whose step a task sheet was read at; 0 for none."""


class UnitNeeded(Invalid):
    """请选择被巡察的单位。"""

    code = "unit_needed"


@router.get("/import")
@signed
def form(ask: Asked) -> Response:
    """The form, with the units this person may import for."""
    return _page(ask)


def may_send(ask: AtTheDoor) -> None:
    """Refuse who may import for no unit, before the file is taken."""
    if ask is None:
        return
    with ask.reading() as db:
        if not may_import(db, ask.desk(db).who):
            raise MayNotImport


@router.post("/import", dependencies=[Depends(may_send)])
@signed
def submit(ask: Asked) -> Response:
    """Import and open the case, and go there; every fault is listed where it stands."""
    try:
        filename, data = ask.file("file")
        with ask.site.reading():
            done = import_feedback(
                ask.env,
                ask.who.actor,
                organisation=_unit(ask),
                data=data,
                filename=filename,
                key=ask.form_key(),
                batch=ask.text("batch"),
            )
    except (Invalid, AlreadyImported) as error:
        return _page(ask, error)
    if done.changed:
        return go(f"/import/receipts/{done.receipt}")
    return go(f"/cases/{done.case_id}?imported={done.problems}")


@router.get("/import/template")
@signed
def template(ask: Asked) -> Response:
    """The empty workbook to fill in."""
    named = {"Content-Disposition": "attachment; filename=feedback-template.xlsx"}
    return Response(problem_template(), media_type=XLSX, headers=named)


@router.get("/import/receipts/{command_id}")
@signed
def receipt(ask: Asked, command_id: Id, slot: Slot = 0) -> Response:
    """What an import wrote, and what it read otherwise; ``slot`` is the step it was made at."""
    with ask.reading() as db:
        shown = receipt_of(db, ask.who.person_id, command_id)
        return ask.page("receipt.html", ask.desk(db), receipt=shown, slot=slot)


def _page(ask: Ask, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        return ask.page(
            "import.html",
            desk,
            error.status if error else 200,
            units=importable(db, desk.who),
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            unit=ask.text("unit"),
            batch=ask.text("batch"),
            key=new_key(),
        )


def _unit(ask: Ask) -> int:
    unit = ask.text("unit")
    if not unit.isdecimal() or len(unit) > 18:
        raise UnitNeeded(field="unit")
    return int(unit)
