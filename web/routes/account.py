"""账号与安全: one's own password, one-time codes and sessions, and as which post one acts."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from policy.password import SHORTEST
from services.account_record import own_record
from services.accounts import change_password
from services.desk import Desk
from services.errors import DutiesError, Invalid
from services.factor import (
    Entry,
    begin_factor,
    confirm_factor,
    drop_factor,
    enrolment,
    in_use,
)
from services.one_time_code import NoKey
from services.own_sessions import act_as, end_others, own_sessions
from services.reads import SHOWN, looks_at
from services.session import PASSWORD
from services.throttle import TooManyTries
from web.access import Ask, Asked, FirstThis, go, local, new_key, settling, signed

router = APIRouter(prefix="/account")
CODES = "/account/codes"


class NotTheSame(Invalid):
    """两次输入的新密码不一样。"""

    code = "not_the_same"


@router.get("")
@signed
def account(ask: Asked) -> Response:
    """The account with its posts, sessions and the newest lines of its record."""
    with ask.reading() as db:
        return ask.page(
            "account.html",
            ask.desk(db),
            sessions=own_sessions(db, ask.who, ask.now),
            record=own_record(db, ask.who.account_id),
            has_codes=in_use(db, ask.who),
            key=new_key(),
        )


@router.get("/reads")
@signed
def reads(ask: Asked) -> Response:
    """Who read what is kept of the person (谁看过我的记录)."""
    with ask.reading() as db:
        looks = looks_at(db, ask.who.person_id)
        return ask.page("reads.html", ask.desk(db), looks=looks, shown=SHOWN)


@router.post("/post")
@signed
def switch(ask: Asked) -> Response:
    """Act as another of one's posts, and stay on the page."""
    post = ask.text("post")
    if not post.isdecimal() or len(post) > 18:
        raise Invalid(field="post")
    act_as(ask.env, ask.who, post_id=int(post), key=ask.own_key(new_key()))
    return go(local(ask.text("next")))


@router.post("/sessions/end")
@signed
def end(ask: Asked) -> Response:
    """End the person's other sessions."""
    end_others(ask.env, ask.who, key=ask.form_key())
    return go("/account#sessions")


@router.get("/password")
@settling
def password(ask: Asked) -> Response:
    """The form for a new password."""
    return _password(ask)


@router.post("/password")
@settling
def change(ask: Asked) -> Response:
    """Change the password. What is wrong is shown where it is; nothing typed comes back."""
    try:
        if ask.secret("password") != ask.secret("again"):
            raise NotTheSame(field="again")
        with ask.site.hashing():
            change_password(
                ask.env,
                ask.who,
                old=ask.secret("old"),
                new=ask.secret("password"),
                address=ask.address,
            )
    except (Invalid, TooManyTries) as error:
        return _password(ask, error)
    return go("/account")


@router.get("/codes")
@settling
def codes(ask: Asked) -> Response:
    """One-time codes: taking them up, or giving them up; a password that is owed comes first."""
    _password_first(ask)
    return _codes(ask)


@router.post("/codes")
@settling
def begin(ask: Asked) -> Response:
    """Make a secret for the person's device."""
    _password_first(ask)
    try:
        begin_factor(ask.env, ask.who, key=ask.form_key())
    except (Invalid, NoKey) as error:
        return _codes(ask, error)
    return go(CODES)


@router.post("/codes/confirm")
@settling
def confirm(ask: Asked) -> Response:
    """Show by a code that the device has the secret."""
    _password_first(ask)
    try:
        with ask.site.hashing():  # a code is guessed as a password is: a few at a time
            confirm_factor(ask.env, ask.who, _entry(ask))
    except (Invalid, NoKey, TooManyTries) as error:
        return _codes(ask, error)
    return go("/account")


@router.post("/codes/drop")
@signed
def drop(ask: Asked) -> Response:
    """Use codes no more."""
    try:
        with ask.site.hashing():  # a code is guessed as a password is: a few at a time
            drop_factor(ask.env, ask.who, _entry(ask))
    except (Invalid, NoKey, TooManyTries) as error:
        return _codes(ask, error)
    return go("/account")


def _password_first(ask: Ask) -> None:
    """Who has a slip that others saw may not bind a device to the account."""
    if ask.who.owes == PASSWORD:
        raise FirstThis


def _entry(ask: Ask) -> Entry:
    return Entry(ask.text("code"), ask.address, ask.form_key())


def _password(ask: Ask, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        return ask.page(
            "password.html",
            _desk(ask, db),
            error.status if error else 200,
            error=error,
            shortest=SHORTEST,
        )


def _codes(ask: Ask, error: DutiesError | None = None) -> Response:
    with ask.reading() as db:
        return ask.page(
            "codes.html",
            _desk(ask, db),
            error.status if error else 200,
            error=error,
            used=in_use(db, ask.who),
            enrolment=enrolment(ask.env, db, ask.who),
            key=new_key(),
        )


def _desk(ask: Ask, db: Any) -> Desk | None:
    """No navigation for somebody to whom nothing else is open."""
    return None if ask.who.owes else ask.desk(db)
