"""组织与任职: the tree that opens branch by branch, a search, and a unit with its history."""

from fastapi import APIRouter
from starlette.responses import Response

from services.organisation_page import MOST, below, named, organisation_page, top
from web.access import Asked, Id, signed

router = APIRouter()
LONGEST_SEARCH = 60


@router.get("/organisations")
@signed
def organisations(ask: Asked, name: str = "") -> Response:
    """Where the tree begins for this person or, with ``name``, the units of such a name."""
    wanted = name.strip()[:LONGEST_SEARCH].replace("\0", "")
    with ask.reading() as db:
        desk = ask.desk(db)
        nodes = named(db, desk.who, wanted) if wanted else top(db, desk.who)
        return ask.page("organisations.html", desk, nodes=nodes, name=wanted, most=MOST)


@router.get("/organisations/{organisation_id}/below")
@signed
def branch(ask: Asked, organisation_id: Id) -> Response:
    """Only the units below one, to be opened in place."""
    with ask.reading() as db:
        desk = ask.desk(db)
        nodes = below(db, desk.who, organisation_id)
        return ask.page("organisation_branch.html", desk, nodes=nodes)


@router.get("/organisations/{organisation_id}")
@signed
def organisation(ask: Asked, organisation_id: Id) -> Response:
    """A unit: names, relations, posts and portfolios with their dates."""
    with ask.reading() as db:
        desk = ask.desk(db)
        shown = organisation_page(db, desk.who, organisation_id)
        return ask.page("organisation.html", desk, shown=shown)
