"""办理: a step with all that is needed to decide it, and the decision."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.responses import Response

from policy.calendar import local_day
from policy.evidence import LONGEST_NOTE
from services.casework import decide
from services.errors import CannotReturn, DutiesError, Invalid
from services.faulty import Faulty
from services.history import own
from services.inbox import Inbox
from services.scope import standing
from services.step_form import Form, step_form
from services.step_page import StepPage, slot_for, step_page
from services.task_import import PLAN_STEPS, PlanNotOpen, import_tasks, require_planner
from web.access import Ask, Asked, AtTheDoor, Done, Id, go, new_key, signed
from web.forms import payload

router = APIRouter()


@router.get("/steps/{slot_id}")
@signed
def step(ask: Asked, slot_id: Id, done: Done = 0) -> Response:
    """The page of a step; ``done`` is the slot that was decided just before."""
    return _page(ask, slot_id, done=done)


@router.post("/steps/{slot_id}")
@signed
def submit(ask: Asked, slot_id: Id) -> Response:
    """Decide, and go on to the next thing that waits. What is wrong is shown where it is."""
    answer = ask.text("answer")
    try:
        decide(
            ask.env,
            ask.who.actor,
            slot_id=slot_id,
            answer=answer,
            key=ask.form_key(),
            reason=ask.text("reason"),
            payload=payload(ask, answer),
            back_to=ask.text("back_to") or None if answer == "return" else None,
        )
    except (Invalid, CannotReturn) as error:
        return _page(ask, slot_id, error=error)
    return go(_next(ask, slot_id))


def may_plan(ask: AtTheDoor, slot_id: Id) -> None:
    """Refuse a task sheet where no plan is made, or by others, before the file is taken."""
    if ask is None:
        return
    with ask.reading() as db:
        shown = step_page(db, ask.desk(db).who, slot_id, ask.now)
    if not shown.open or shown.key not in PLAN_STEPS:
        raise PlanNotOpen
    require_planner(ask.env, ask.who.actor, shown.item.case_id)


@router.post("/steps/{slot_id}/tasks", dependencies=[Depends(may_plan)])
@signed
def tasks(ask: Asked, slot_id: Id) -> Response:
    """Read the task sheet into the draft of the plan: all of it, or every fault is listed."""
    with ask.reading() as db:
        case_id = step_page(db, ask.desk(db).who, slot_id, ask.now).item.case_id
    try:
        filename, data = ask.file("file")
        with ask.site.reading():
            done = import_tasks(
                ask.env,
                ask.who.actor,
                case_id=case_id,
                data=data,
                filename=filename,
                key=ask.form_key(),
            )
    except Invalid as error:
        return _page(ask, slot_id, error=error)
    if done.changed:
        return go(f"/import/receipts/{done.receipt}?slot={slot_id}")
    return go(f"/steps/{slot_id}#act")


@router.get("/asked/{step_id}")
@signed
def asked(ask: Asked, step_id: Id) -> Response:
    """From a step, as messages name it, to the slot through which this person sees it."""
    with ask.reading() as db:
        return go(f"/steps/{slot_for(db, ask.desk(db).who, step_id)}")


def _page(ask: Ask, slot_id: int, *, done: int = 0, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = step_page(db, desk.who, slot_id, ask.now)
        made = ask.env.mechanisms.get((shown.mechanism, shown.edition))
        return ask.page(
            "step.html",
            desk,
            error.status if error else 200,
            step=shown,
            fill=_fill(db, shown, desk.on),
            clause=made.clause if made else "",
            given=_given(ask) if error else {},
            error=error,
            faults=error.faults if isinstance(error, Faulty) else (),
            done=own(db, ask.who.person_id, done) if done else None,
            longest_note=LONGEST_NOTE,
            key=new_key(),
        )


def _fill(db: Connection, shown: StepPage, on: date) -> Form:
    return step_form(db, shown.form, shown.item.case_id, on) if shown.answerable else None


def _next(ask: Ask, slot_id: int) -> str:
    with ask.reading() as db:
        who = standing(db, ask.who.person_id, local_day(ask.now))
        following = Inbox(who).next_after(db, slot_id)
    return f"/steps/{following}?done={slot_id}" if following else f"/?done={slot_id}"


def _given(ask: Ask) -> dict[str, Any]:
    return {name: value for name, value in ask.form.items() if isinstance(value, str)}
