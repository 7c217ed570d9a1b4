"""组织与任职: the tree that opens branch by branch, a search, and a unit with its history."""

from fastapi import APIRouter
from starlette.responses import Response

from services.organisation_page import below, named, organisation_page, top
from web.access import Asked, Before, Id, signed

router = APIRouter()
LONGEST_SEARCH = 60


@router.get("/organisations")
@signed
def organisations(ask: Asked, name: str = "", after: str = "") -> Response:
    """Where the tree begins for this person or, with ``name``, the units of such a name; those
    after a code."""
    wanted, after = _text(name), _text(after)
    with ask.reading() as db:
        desk = ask.desk(db)
        nodes = named(db, desk.who, wanted, after) if wanted else top(db, desk.who, after)
        return ask.page("organisations.html", desk, nodes=nodes, name=wanted)


@router.get("/organisations/{organisation_id}/below")
@signed
def branch(ask: Asked, organisation_id: Id, after: str = "") -> Response:
    """Only the units below one, those after a code, to be opened in place."""
    with ask.reading() as db:
        desk = ask.desk(db)
        nodes = below(db, desk.who, organisation_id, _text(after))
        return ask.page("organisation_branch.html", desk, nodes=nodes, of=organisation_id)


@router.get("/organisations/{organisation_id}")
@signed
def organisation(
    ask: Asked, organisation_id: Id, after: str = "", served: Before = None
) -> Response:
    """A unit: names, relations, posts and portfolios with their dates; the units below after a
    code, and those it serves after so many."""
    with ask.reading() as db:
        desk = ask.desk(db)
        start = _text(after)
        shown = organisation_page(db, desk.who, organisation_id, after=start, served=served or 0)
        return ask.page("organisation.html", desk, shown=shown, served=served or 0)


def _text(given: str) -> str:
    return given.strip()[:LONGEST_SEARCH].replace("\0", "")
