"""The record of log-ins and accounts: a line for each act, and its entry in the audit chain.

No password, code or secret gets here, and of a log-in that is not there not even its name: people
type their password into that field.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert, update

from models.account import AccountAct, AccountEvent, Session
from models.base import table
from services.command import Work

STREAM = "login"
_events = table(AccountEvent)
_sessions = table(Session)


def note(
    work: Work,
    act: AccountAct,
    accounts: Iterable[int | None],
    *,
    session: int | None = None,
    address: str = "",
    **more: Any,
) -> None:
    """Write that something happened to accounts; None is a log-in that is not there.

    ``address``: where the request came from, '' where that says nothing. It is kept in the record
    only, which can be cleared one day; the chain cannot.
    """
    ids = list(accounts)
    line = {"at": work.now, "act": act, "by_person_id": work.actor.person_id}
    line |= {"session_id": session, "address": address}
    if ids:
        work.db.execute(insert(_events), [line | {"account_id": account} for account in ids])
    work.audit(STREAM, {"act": act.value, "accounts": ids, "session": session, **more})


def end_sessions(work: Work, accounts: Iterable[int], *, but: int | None = None) -> int:
    """End the live sessions of accounts, all or all but one; how many. The caller notes why."""
    live = update(_sessions).where(
        _sessions.c.account_id.in_(list(accounts)), _sessions.c.revoked_at.is_(None)
    )
    if but is not None:
        live = live.where(_sessions.c.id != but)
    return int(work.db.execute(live.values(revoked_at=work.now)).rowcount)
