"""周期: the cases in scope, one case, and one of its problems."""

from fastapi import APIRouter
from starlette.responses import Response

from services import history
from services.case_list import PAGE, Cases
from services.case_page import case_page
from services.errors import AlreadyDecided, Invalid
from services.problem_page import problem_page
from services.termination import LONGEST, MayNotTerminate, closing, terminate
from web.access import Ask, Asked, Before, Id, go, new_key, signed

router = APIRouter()


@router.get("/cases")
@signed
def cases(ask: Asked, before: Before = None) -> Response:
    """A page of the cases this person may see, the newest first."""
    with ask.reading() as db:
        desk = ask.desk(db)
        seen = Cases(desk.who)
        lines = seen.lines(db, ask.now, before)
        return ask.page(
            "cases.html",
            desk,
            lines=lines,
            count=seen.count(db),
            before=lines[-1].id if len(lines) == PAGE else None,
        )


@router.get("/cases/{case_id}")
@signed
def case(ask: Asked, case_id: Id, before: Before = None, imported: int = 0) -> Response:
    """A case; ``before`` goes back in its history, ``imported`` problems came in just now."""
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = case_page(db, desk.who, case_id, ask.now)
        past = history.of_case(db, case_id, before)
        return ask.page(
            "case.html",
            desk,
            case=shown,
            past=past,
            before=past[-1].id if len(past) == history.OF_CASE else None,
            run=_run(ask.site.prefect_ui_url, shown.run_id),
            now=ask.now,
            imported=imported,
        )


@router.get("/cases/{case_id}/termination")
@signed
def termination(ask: Asked, case_id: Id) -> Response:
    """What terminating the case would close, and the form; to the case for who may not."""
    try:
        return _termination(ask, case_id)
    except (MayNotTerminate, AlreadyDecided):
        return go(f"/cases/{case_id}")


@router.post("/cases/{case_id}/termination")
@signed
def end(ask: Asked, case_id: Id) -> Response:
    """Terminate the case. What is wrong with the reason is shown where it is."""
    try:
        terminate(
            ask.env,
            ask.who.actor,
            case_id=case_id,
            reason=ask.text("reason"),
            key=ask.form_key(),
        )
    except Invalid as error:
        return _termination(ask, case_id, error)
    return go(f"/cases/{case_id}")


@router.get("/problems/{problem_id}")
@signed
def problem(ask: Asked, problem_id: Id) -> Response:
    """A problem with its manifestations, tasks and history."""
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = problem_page(db, desk.who, problem_id)
        return ask.page("problem.html", desk, shown=shown)


@router.get("/problems/{problem_id}/plan")
@signed
def plan(ask: Asked, problem_id: Id) -> Response:
    """Only the manifestations and tasks, to be opened in place on another page."""
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = problem_page(db, desk.who, problem_id)
        return ask.page("problem_plan.html", desk, shown=shown)


def _termination(ask: Ask, case_id: int, error: Invalid | None = None) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = closing(db, desk.who, case_id)
        return ask.page(
            "termination.html",
            desk,
            error.status if error else 200,
            case_id=case_id,
            closing=shown,
            longest=LONGEST,
            given=ask.text("reason") if error else "",
            error=error,
            key=new_key(),
        )


def _run(base: str, run_id: str | None) -> str:
    return f"{base}/runs/flow-run/{run_id}" if base and run_id else ""
