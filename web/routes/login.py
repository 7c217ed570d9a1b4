"""Signing in and out."""

from fastapi import APIRouter
from starlette.responses import Response

from services.errors import DutiesError
from services.session import sign_in, sign_out
from web.access import Ask, Asked, go, local, public, settling
from web.browsers import named

router = APIRouter()


@router.get("/login")
@public
def form(ask: Asked, next: str = "/") -> Response:
    """The form; ``next`` is the page that was asked for."""
    return _form(ask, next)


@router.post("/login")
@public
def submit(ask: Asked) -> Response:
    """Open a session, and go to the page that was asked for."""
    target, login = ask.text("next"), ask.text("login")
    try:
        with ask.site.hashing():
            token = sign_in(
                ask.env,
                login=login,
                password=ask.secret("password"),
                code=ask.text("code"),
                address=ask.address,
                browser=named(ask.request.headers.get("User-Agent", "")),
                former=ask.request.cookies.get(ask.site.cookie, ""),
            )
    except DutiesError as error:
        return _form(ask, target, login, error)
    answer = go(local(target))
    _keep(ask, answer, token)
    return answer


@router.post("/logout")
@settling
def leave(ask: Asked) -> Response:
    """Revoke the session."""
    sign_out(ask.env, ask.who)
    answer = go("/login")
    answer.delete_cookie(
        ask.site.cookie, secure=ask.site.secure_cookies, httponly=True, samesite="lax"
    )
    return answer


def _form(ask: Ask, target: str, login: str = "", error: DutiesError | None = None) -> Response:
    status = error.status if error else 200
    return ask.page("login.html", None, status, target=local(target), login=login, error=error)


def _keep(ask: Ask, answer: Response, token: str) -> None:
    answer.set_cookie(
        ask.site.cookie,
        token,
        secure=ask.site.secure_cookies,
        httponly=True,
        samesite="lax",
        path="/",
    )
