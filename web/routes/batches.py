"""组织导入: a workbook is staged with what it would change, looked at, confirmed, or taken back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from policy.calendar import local_day
from services.batches.page import PAGE, batch_head, batch_lines, hindrances, recent
from services.batches.staging import (
    AlreadySettled,
    DifferenceChanged,
    confirm,
    drop,
    importer,
    stage,
)
from services.batches.undoing import Depended, undo
from services.errors import DutiesError, Invalid, NotAuthorised
from services.faulty import Faulty
from services.template import organisation_template
from web.access import Ask, Asked, AtTheDoor, Id, go, new_key, signed

router = APIRouter()
Word = Annotated[str, Query(max_length=20)]
"""A filter of the lines; '' for all."""
After = Annotated[int, Query(ge=0, le=2**31 - 1)]
"""The last line of the page before."""
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/organisation-imports")
@signed
def batches(ask: Asked) -> Response:
    """The form, and the imports of the person's part of the tree."""
    return _list(ask)


def may_send(ask: AtTheDoor) -> None:
    """Refuse who may not import organisations, before the file is taken."""
    if ask is None:
        return
    with ask.reading() as db:
        importer(db, ask.who.actor, local_day(ask.now))


@router.post("/organisation-imports", dependencies=[Depends(may_send)])
@signed
def upload(ask: Asked) -> Response:
    """Stage the file and show what it would change; every fault is listed where it stands."""
    try:
        filename, data = ask.file("file")
        actor, key = ask.who.actor, ask.form_key()
        with ask.site.reading():
            batch_id = stage(ask.env, actor, data=data, filename=filename, key=key)
    except (Invalid, NotAuthorised) as error:
        return _list(ask, error)
    return go(f"/organisation-imports/{batch_id}")


@router.get("/organisation-imports/template")
@signed
def template(ask: Asked) -> Response:
    """The workbook to fill in."""
    headers = {"Content-Disposition": "attachment; filename=organisation.xlsx"}
    return Response(organisation_template(), media_type=_EXCEL, headers=headers)


@router.get("/organisation-imports/{batch_id}")
@signed
def batch(ask: Asked, batch_id: Id, sheet: Word = "", act: Word = "", after: After = 0) -> Response:
    """What a staged file would change, or what an import did change."""
    return _batch(ask, batch_id, sheet=sheet, act=act, after=after)


@router.post("/organisation-imports/{batch_id}/confirm")
@signed
def settle(ask: Asked, batch_id: Id) -> Response:
    """Write exactly the difference that the page showed; another one is shown instead."""
    try:
        with ask.site.reading():
            confirm(
                ask.env,
                ask.who.actor,
                batch_id=batch_id,
                fingerprint=ask.text("fingerprint"),
                key=ask.form_key(),
            )
    except (DifferenceChanged, AlreadySettled, Faulty) as error:
        return _batch(ask, batch_id, error)
    return go(f"/organisation-imports/{batch_id}")


@router.post("/organisation-imports/{batch_id}/drop")
@signed
def forget(ask: Asked, batch_id: Id) -> Response:
    """Forget a staged file."""
    try:
        drop(ask.env, ask.who.actor, batch_id=batch_id, key=ask.form_key())
    except AlreadySettled as error:
        return _batch(ask, batch_id, error)
    return go("/organisation-imports")


@router.get("/organisation-imports/{batch_id}/undo")
@signed
def look_back(ask: Asked, batch_id: Id) -> Response:
    """What taking the import back does, or what stands in its way."""
    return _undo(ask, batch_id)


@router.post("/organisation-imports/{batch_id}/undo")
@signed
def take_back(ask: Asked, batch_id: Id) -> Response:
    """Take the import back as a whole."""
    try:
        undo(ask.env, ask.who.actor, batch_id=batch_id, key=ask.form_key())
    except (Depended, AlreadySettled) as error:
        return _undo(ask, batch_id, error)
    return go(f"/organisation-imports/{batch_id}")


def _list(ask: Ask, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        return ask.page(
            "batches.html",
            desk,
            error.status if error else 200,
            operates=desk.who.operates,
            batches=recent(db, desk.who),
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            key=new_key(),
        )


def _batch(
    ask: Ask,
    batch_id: int,
    error: DutiesError | None = None,
    *,
    sheet: str = "",
    act: str = "",
    after: int = 0,
) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        head = batch_head(db, desk.who, batch_id)
        lines = batch_lines(db, desk.who, batch_id, sheet=sheet, act=act, after=after)
        return ask.page(
            "batch.html",
            desk,
            error.status if error else 200,
            head=head,
            lines=lines,
            more=lines[-1].n if len(lines) == PAGE else 0,
            sheet=sheet,
            act=act,
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            key=new_key(),
        )


def _undo(ask: Ask, batch_id: int, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        head = batch_head(db, desk.who, batch_id)
        return ask.page(
            "batch_undo.html",
            desk,
            error.status if error else 200,
            head=head,
            reasons=hindrances(db, desk.who, batch_id) if head.state == "applied" else [],
            error=error,
            key=new_key(),
        )
