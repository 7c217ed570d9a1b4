"""离岗委托: who stands in for whom; arranging it after a look at what it covers; revoking it."""

from datetime import date
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from services.errors import Invalid, NotFound
from services.scope import Standing
from services.substitution import LONGEST_REASON, make, revoke
from services.substitution_page import PAGE, Substitutions, operating, posts_to_represent, preview
from services.substitution_terms import Terms, candidates, operates_above
from web.access import Ask, Asked, Before, Id, go, new_key, signed

router = APIRouter()


class PostNeeded(Invalid):
    """请选择委托的职务。"""

    code = "post_needed"


class SubstituteNeeded(Invalid):
    """请选择代办人。"""

    code = "substitute_needed"


class DayNeeded(Invalid):
    """请填写日期。"""

    code = "day_needed"


@router.get("/substitutions")
@signed
def substitutions(ask: Asked, before: Before = None) -> Response:
    """Those that concern the person, the newest first."""
    return _list(ask, before, below=False)


@router.get("/substitutions/below")
@signed
def below(ask: Asked, before: Before = None) -> Response:
    """Those of the posts for which the person is 系统运维员; to their own for everybody else."""
    try:
        return _list(ask, before, below=True)
    except NotFound:
        return go("/substitutions")


@router.get("/substitutions/new")
@signed
def new(
    ask: Asked,
    post: Before = None,
    to: Before = None,
    starts: str = "",
    until: str = "",
) -> Response:
    """The form; once it is filled in, what the arrangement covers today and what hinders it."""
    names = ask.request.query_params.getlist("mechanism")
    given = {"post": post, "to": to, "starts": starts, "until": until, "mechanism": names}
    return _form(ask, given)


@router.post("/substitutions")
@signed
def arrange(ask: Asked) -> Response:
    """Make it. What is wrong is shown where it is."""
    given = {
        "post": _number(ask.text("post")),
        "to": _number(ask.text("to")),
        "starts": ask.text("starts"),
        "until": ask.text("until"),
        "mechanism": ask.texts("mechanism"),
        "reason": ask.text("reason"),
    }
    try:
        make(
            ask.env,
            ask.who.actor,
            terms=terms_of(given),
            reason=ask.text("reason"),
            key=ask.form_key(),
        )
    except Invalid as error:
        return _form(ask, given, error)
    return go("/substitutions")


@router.post("/substitutions/{substitution_id}/revocation")
@signed
def end(ask: Asked, substitution_id: Id) -> Response:
    """Revoke it, or give it back."""
    revoke(ask.env, ask.who.actor, substitution_id=substitution_id, key=ask.form_key())
    return go("/substitutions/below" if ask.text("below") else "/substitutions")


def terms_of(given: dict[str, Any]) -> Terms:
    """What was filled in; Invalid with the field that is missing or wrong."""
    if given["post"] is None:
        raise PostNeeded(field="post")
    if given["to"] is None:
        raise SubstituteNeeded(field="substitute")
    days = _day(given["starts"], "starts"), _day(given["until"], "until")
    return Terms(given["post"], given["to"], *days, frozenset(given["mechanism"]))


def _list(ask: Ask, before: int | None, *, below: bool) -> Response:
    with ask.reading() as db:
        desk = ask.desk(db)
        seen = Substitutions(desk.who, below)
        if below:
            operating(desk.who)
        lines = seen.lines(db, before)
        return ask.page(
            "substitutions.html",
            desk,
            lines=lines,
            count=seen.count(db),
            below=below,
            before=lines[-1].id if len(lines) == PAGE else None,
            key=new_key(),
        )


def _form(ask: Ask, given: dict[str, Any], error: Invalid | None = None) -> Response:
    known = frozenset(name for name, _ in ask.env.mechanisms)
    with ask.reading() as db:
        desk = ask.desk(db)
        posts = posts_to_represent(db, desk.who)
        post = given["post"] if given["post"] is not None or len(posts) != 1 else posts[0][0]
        given = given | {"post": post}
        shown = None
        try:
            if given["to"] is not None and error is None:
                shown = preview(db, desk.who, terms_of(given), ask.now, known)
        except Invalid as wrong:
            error = wrong
        return ask.page(
            "substitution.html",
            desk,
            error.status if error else 200,
            posts=posts,
            candidates=candidates(db, post, desk.on) if _may(db, desk.who, post) else [],
            mechanisms=sorted(known),
            given=given,
            preview=shown,
            error=error,
            longest=LONGEST_REASON,
            key=new_key(),
        )


def _may(db: Connection, who: Standing, post_id: int | None) -> bool:
    own = post_id in who.post_ids
    return own or (post_id is not None and operates_above(db, who, post_id) is not None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _day(text: object, field: str) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise DayNeeded(field=field) from error
