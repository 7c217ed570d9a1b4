"""佐证: adding files to a step, one piece with its versions, and the files themselves.

A file is never shown as a page of ours: its answer is sandboxed, says its kind and nothing else,
and may only be embedded in our own pages.
"""

from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.responses import FileResponse, Response

from policy.evidence import LONGEST_NOTE, FileKind
from services.errors import Invalid, NotFound
from services.evidence import Added, add_evidence, require_asked
from services.evidence_intake import Upload
from services.evidence_page import piece, piece_of
from services.evidence_reading import Opened, Way, open_version, reads_of
from services.evidence_withdrawal import withdraw_evidence
from services.faulty import Faulty
from services.step_page import step_page
from web.access import Ask, Asked, AtTheDoor, Id, go, new_key, signed
from web.guard import POLICY

router = APIRouter()
MEDIA = {
    FileKind.PDF: "application/pdf",
    FileKind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    FileKind.DOC: "application/msword",
    FileKind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileKind.XLS: "application/vnd.ms-excel",
    FileKind.PNG: "image/png",
    FileKind.JPEG: "image/jpeg",
    FileKind.GIF: "image/gif",
    FileKind.WEBP: "image/webp",
}
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
"""What a file may do in a browser: be looked at. Chromium shows a PDF with its own styles only."""


def may_give(ask: AtTheDoor, slot_id: Id) -> None:
    """Refuse who may add nothing to this step, before the files are taken."""
    if ask is not None:
        require_asked(ask.env, ask.who.actor, slot_id)


MAY_GIVE = [Depends(may_give)]


@router.post("/steps/{slot_id}/evidence", dependencies=MAY_GIVE)
@signed
def submit(ask: Asked, slot_id: Id) -> Response:
    """Add files to a step, all of them or none, and go back to it."""
    try:
        added(ask, slot_id, ask.form_key())
    except Invalid as error:
        return _form(ask, slot_id, error)
    return go(f"/steps/{slot_id}#evidence")


@router.get("/steps/{slot_id}/evidence")
@signed
def form(ask: Asked, slot_id: Id) -> Response:
    """The form alone, as its errors show it; to the step for who can add nothing."""
    return _form(ask, slot_id)


@router.get("/evidence/{evidence_id}")
@signed
def shown(ask: Asked, evidence_id: Id) -> Response:
    """One piece: its versions, the newest in the page where a browser can, and who read it."""
    return _piece(ask, evidence_id)


@router.post("/evidence/versions/{version_id}/withdrawn")
@signed
def withdraw(ask: Asked, version_id: Id) -> Response:
    """Take a version back while its step is open, and show the piece again."""
    by, reason = ask.who.actor, ask.text("reason")
    try:
        done = withdraw_evidence(
            ask.env, by, version_id=version_id, reason=reason, key=ask.form_key()
        )
    except Invalid as error:
        return _piece(ask, _piece_of(ask, version_id), error, version_id)
    return go(f"/evidence/{done.evidence_id}")


@router.get("/evidence/versions/{version_id}/seen")
@signed
def seen(ask: Asked, version_id: Id) -> Response:
    """The file of a version, to be looked at; what no browser shows is downloaded."""
    return _opened(ask, version_id, Way.SEEN)


@router.get("/evidence/versions/{version_id}/downloaded")
@signed
def downloaded(ask: Asked, version_id: Id) -> Response:
    """The file of a version, to be kept."""
    return _opened(ask, version_id, Way.DOWNLOADED)


def _opened(ask: Ask, version_id: int, way: Way) -> Response:
    by, post_id = ask.who.actor, ask.who.post_id
    return handed_out(open_version(ask.env, by, version_id, way, post_id=post_id))


def added(ask: Ask, slot_id: int, key: str) -> Added:
    """Add the files of this request; the page and the API ask for the same."""
    piece_id = ask.text("evidence")
    if piece_id and (not piece_id.isdecimal() or len(piece_id) > 18):
        raise NotFound
    return add_evidence(
        ask.env,
        ask.who.actor,
        slot_id=slot_id,
        uploads=[Upload(name, source) for name, source in ask.files("files")],
        note=ask.text("note"),
        key=key,
        evidence_id=int(piece_id) if piece_id else None,
    )


def _piece_of(ask: Ask, version_id: int) -> int:
    with ask.reading() as db:
        return piece_of(db, version_id)


def _piece(
    ask: Ask, evidence_id: int, error: Invalid | None = None, version_id: int = 0
) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        answer = ask.page(
            "evidence.html",
            desk,
            error.status if error else 200,
            piece=piece(db, desk.who, evidence_id),
            reads=reads_of(db, evidence_id),
            error=error,
            wrong=version_id,
            given=ask.text("reason"),
            longest=LONGEST_NOTE,
            key=new_key(),
        )
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


def _form(ask: Ask, slot_id: int, error: Invalid | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        step = step_page(db, desk.who, slot_id, ask.now)
        if not step.adds_evidence:
            return go(f"/steps/{slot_id}")
        return ask.page(
            "evidence_form.html",
            desk,
            error.status if error else 200,
            slot_id=slot_id,
            title=step.item.title,
            pieces=step.continues,
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            given={"note": ask.text("note"), "evidence": ask.text("evidence")},
            longest=LONGEST_NOTE,
            key=new_key(),
        )


def handed_out(opened: Opened) -> Response:
    """A file that somebody gave, as it leaves the house: sandboxed, and by its own name."""
    how = "inline" if opened.way is Way.SEEN else "attachment"
    headers = {
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(opened.name, safe='')}",
        "Content-Security-Policy": SANDBOX,
        "X-Frame-Options": "SAMEORIGIN",
    }
    return FileResponse(opened.path, media_type=MEDIA[opened.kind], headers=headers)
