"""组织变动: posts and units are changed after a look at what moves; lists are taken over."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from services.changes import KINDS, Form, Kind, form_of, submit
from services.changes.page import PAGE, Units, unit_page
from services.changes.parts import About, Act, text
from services.changes.planned import withdraw
from services.errors import AlreadyDecided, DutiesError, Invalid, NotFound
from services.handover import handed_over, not_received, receive
from services.rerouting import LONGEST, MayNotReroute, reroute_slot, rerouting
from web.access import Ask, Asked, Before, Id, go, new_key, signed

router = APIRouter()
_OWN = ("csrf", "key", "seen")
"""Fields of every form, which say nothing of the change."""


@router.get("/changes")
@signed
def changes(
    ask: Asked, q: str = "", after: Before = None, gaps: Before = None, done: str = ""
) -> Response:
    """The units whose posts the person may change, what is planned for them, and the vacancies
    there after so many; ``done`` was carried out just now. NotFound for none."""
    with ask.reading() as db:
        desk = ask.desk(db)
        found = Units(desk.who, q.strip()[:60])
        lines, count = found.lines(db, after), found.count(db)
        if not count and not found.q:
            raise NotFound
        return ask.page(
            "changes.html",
            desk,
            lines=lines,
            count=count,
            gaps=found.gaps(db, gaps or 0) if after is None else None,
            plans=found.plans(db) if after is None and gaps is None else [],
            key=new_key(),
            q=found.q,
            done=done if done in KINDS else "",
            after=lines[-1].id if len(lines) == PAGE else None,
        )


@router.get("/changes/units/{unit_id}")
@signed
def unit(ask: Asked, unit_id: Id, done: str = "", planned: str = "", new: str = "") -> Response:
    """A unit: its posts with who holds them, what may be done, and what it was called before.

    ``done`` was carried out just now, ``planned`` was planned; ``new`` is the code of a unit that
    was split off.
    """
    with ask.reading() as db:
        desk = ask.desk(db)
        return ask.page(
            "change_unit.html",
            desk,
            shown=unit_page(db, desk.who, unit_id),
            done=done if done in KINDS else "",
            planned_now=planned if planned in KINDS else "",
            new=new[:64],
            key=new_key(),
        )


@router.get("/changes/{what}/{about_id}")
@signed
def change(ask: Asked, what: str, about_id: Id) -> Response:
    """The form of a change; once it is filled in, what would move, to be confirmed."""
    query = ask.request.query_params
    return _form(ask, what, about_id, {name: query.getlist(name) for name in query})


@router.post("/changes/{what}/{about_id}")
@signed
def carry_out(ask: Asked, what: str, about_id: Id) -> Response:
    """Carry out what was seen. What is wrong, or has changed since, is shown with a new look."""
    given = _given(ask)
    act = Act(ask.env, ask.who.actor, about_id, given, ask.text("seen"), ask.form_key())
    with ask.reading() as db:
        desk = ask.desk(db)
        _, unit_id = _kind(what).name(About(db, desk.who, about_id, desk.on))
    try:
        planned = submit(what, act)
    except DutiesError as error:
        if error.status not in (409, 422):
            raise
        return _form(ask, what, about_id, given, error)
    return go(_receipt(what, unit_id, given, planned=planned))


@router.post("/changes/planned/{planned_id}/withdrawal")
@signed
def take_back(ask: Asked, planned_id: Id) -> Response:
    """Withdraw a planned change."""
    unit_id = withdraw(ask.env, ask.who.actor, planned_id=planned_id, key=ask.form_key())
    return go(f"/changes/units/{unit_id}")


@router.get("/steps/{slot_id}/rerouting")
@signed
def reroute(ask: Asked, slot_id: Id) -> Response:
    """The form by which a superior gives a step to another post; to the step for who may not."""
    try:
        return _rerouting(ask, slot_id)
    except (MayNotReroute, AlreadyDecided):
        return go(f"/steps/{slot_id}")


@router.post("/steps/{slot_id}/rerouting")
@signed
def give(ask: Asked, slot_id: Id) -> Response:
    """Give it. What is wrong is shown where it is."""
    post, reason = ask.text("post"), ask.text("reason")
    chosen = int(post) if post.isascii() and post.isdecimal() and len(post) < 19 else 0
    key = ask.form_key()
    try:
        reroute_slot(
            ask.env, ask.who.actor, slot_id=slot_id, post_id=chosen, reason=reason, key=key
        )
    except Invalid as error:
        return _rerouting(ask, slot_id, error)
    return go(f"/steps/{slot_id}")


@router.get("/handovers")
@signed
def handovers(ask: Asked) -> Response:
    """The list that waits for the person's receipt, the oldest first; the inbox when none does."""
    with ask.reading() as db:
        waiting = not_received(db, ask.desk(db).who)
    return go(f"/handovers/{waiting[0]}" if waiting else "/")


@router.get("/handovers/{handover_id}")
@signed
def handover(ask: Asked, handover_id: Id) -> Response:
    """What was open on a post when the person took it over."""
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = handed_over(db, desk.who, handover_id, ask.now)
        return ask.page("handover.html", desk, shown=shown, key=new_key())


@router.post("/handovers/{handover_id}")
@signed
def take(ask: Asked, handover_id: Id) -> Response:
    """Confirm the receipt."""
    receive(ask.env, ask.who.actor, handover_id=handover_id, key=ask.form_key())
    return go(f"/handovers/{handover_id}")


def _rerouting(ask: Ask, slot_id: int, error: Invalid | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = rerouting(db, desk.who, slot_id)
        return ask.page(
            "rerouting.html",
            desk,
            error.status if error else 200,
            slot_id=slot_id,
            shown=shown,
            given={name: ask.text(name) for name in ("post", "reason")} if error else {},
            error=error,
            longest=LONGEST,
            key=new_key(),
        )


def _form(
    ask: Ask,
    what: str,
    about_id: int,
    given: Mapping[str, Sequence[str]],
    error: DutiesError | None = None,
) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = form_of(_kind(what), About(db, desk.who, about_id, desk.on), given, ask.now)
        wrong = error or shown.wrong
        return ask.page(
            "change.html",
            desk,
            wrong.status if wrong else 200,
            what=what,
            about_id=about_id,
            form=shown,
            given=given,
            error=wrong,
            confirms=_confirms(shown, error),
            key=new_key(),
        )


def _confirms(form: Form, error: DutiesError | None) -> bool:
    """A change that went wrong may be confirmed again when it was only overtaken."""
    return form.look is not None and not isinstance(error, Invalid)


def _kind(what: str) -> Kind:
    if what not in KINDS:
        raise NotFound
    return KINDS[what]


def _receipt(what: str, unit_id: int, given: Mapping[str, Sequence[str]], *, planned: bool) -> str:
    """The page that says what was done: of the unit, while there is one."""
    if planned:
        return f"/changes/units/{unit_id}?planned={what}"
    if what in ("merge", "close"):
        return f"/changes?done={what}"
    new = f"&new={quote(text(given, 'code'))}" if what == "split" else ""
    return f"/changes/units/{unit_id}?done={what}{new}"


def _given(ask: Ask) -> dict[str, list[str]]:
    form = ask.form
    names = [name for name in form if name not in _OWN]
    return {name: ask.texts(name) for name in names} if isinstance(form, FormData) else {}
