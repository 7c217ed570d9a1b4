"""账号管理: what the system and the security administrator do to accounts."""

from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from policy.administration import Permission
from services.account_care import (
    close_account,
    end_all_sessions,
    recover_factor,
    reopen_account,
    reset_password,
)
from services.account_list import PAGE, Accounts
from services.account_making import AT_ONCE, Slip, make_accounts, units_without
from services.errors import Invalid, NotFound
from web.access import Ask, Asked, Before, Id, go, new_key, signed

router = APIRouter(prefix="/accounts")


@router.get("")
@signed
def accounts(ask: Asked, q: str = "", after: Before = None) -> Response:
    """A page of accounts with search; NotFound for whoever administers none."""
    with ask.reading() as db:
        at = ask.administration(db)
        if not at.sees_accounts:
            raise NotFound
        found = Accounts(at, q)
        lines = found.lines(db, after)
        return ask.page(
            "accounts.html",
            ask.desk(db),
            administration=at,
            lines=lines,
            count=found.count(db),
            q=q,
            after=lines[-1].id if len(lines) == PAGE else None,
            lacking=units_without(db, at) if at.may(Permission.MAKE_ACCOUNTS) else [],
            most=AT_ONCE,
            makes=at.may(Permission.MAKE_ACCOUNTS),
            closes=at.may(Permission.CLOSE_ACCOUNTS),
            resets=at.may(Permission.RESET_PASSWORDS),
            key=new_key(),
        )


@router.post("/make")
@signed
def make(ask: Asked) -> Response:
    """Make accounts for a unit; the slips are the answer, and shown this once."""
    unit = ask.text("unit")
    if not unit.isdecimal() or len(unit) > 18:
        raise Invalid(field="unit")
    with ask.site.hashing():
        slips = make_accounts(ask.env, ask.who.actor, unit_id=int(unit), key=ask.form_key())
    return _slips(ask, slips)


@router.post("/{account_id}/reset")
@signed
def reset(ask: Asked, account_id: Id) -> Response:
    """Reset a password; the slip is the answer, and shown this once."""
    with ask.site.hashing():
        slip = reset_password(ask.env, ask.who.actor, account_id=account_id, key=ask.form_key())
    return _slips(ask, [slip])


@router.post("/{account_id}/close")
@signed
def close(ask: Asked, account_id: Id) -> Response:
    """Let nobody in by an account."""
    return _done(ask, close_account, account_id)


@router.post("/{account_id}/reopen")
@signed
def reopen(ask: Asked, account_id: Id) -> Response:
    """Let its person in again."""
    return _done(ask, reopen_account, account_id)


@router.post("/{account_id}/recover")
@signed
def recover(ask: Asked, account_id: Id) -> Response:
    """Drop the one-time codes of somebody who lost their device."""
    return _done(ask, recover_factor, account_id)


@router.post("/{account_id}/end")
@signed
def end(ask: Asked, account_id: Id) -> Response:
    """End all sessions of an account."""
    return _done(ask, end_all_sessions, account_id)


def _done(ask: Ask, act: Callable[..., None], account_id: int) -> Response:
    act(ask.env, ask.who.actor, account_id=account_id, key=ask.form_key())
    return go(f"/accounts?q={quote(ask.text('q'))}")


def _slips(ask: Ask, slips: list[Slip]) -> Response:
    with ask.reading() as db:
        return ask.page("slips.html", ask.desk(db), slips=slips, home=ask.env.base_url)
