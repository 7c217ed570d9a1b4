"""Messages that cannot be told as they are kept: poison rows, found so that they can be named.

Such a row has a template that this code does not know, or a fact that is not what its text needs.
It keeps nobody waiting (``services.delivery``); whoever operates the system has to hear of it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, case, func, or_, select
from sqlalchemy.exc import DBAPIError

from models.base import table
from models.message import Delivery, DeliveryState, Message
from policy.calendar import Calendar
from services.delivery_plan import situation
from services.message import messages_by_id

TRIES = 3
"""So many attempts of which none arrived are no chance."""
_LOOKED_AT = 2000
"""How many messages are tried, the latest ones."""
_AT_ONCE = 200
_deliveries, _messages = table(Delivery), table(Message)
_TO_SEND = (_messages.c.send_after.is_not(None), _messages.c.withdrawn_at.is_(None))


def unreadable(db: Connection) -> list[int]:
    """The ids of messages that have no text, of those that are unread or are still to be sent."""
    waits = or_(_messages.c.read_at.is_(None), _messages.c.send_after.is_not(None))
    query = select(_messages.c.id).where(waits, _messages.c.withdrawn_at.is_(None))
    latest = query.order_by(_messages.c.id.desc()).limit(_LOOKED_AT)
    return sorted(_failing(list(db.execute(latest).scalars()), partial(messages_by_id, db)))


def unsendable(db: Connection, now: datetime, calendar: Calendar) -> list[int]:
    """The ids of messages that are to be sent and are not: either when and where cannot be told of
    them at all, or none of :data:`TRIES` attempts or more has arrived.
    """
    query = select(_messages.c.person_id, _messages.c.id).where(*_TO_SEND)
    of_person: dict[int, list[int]] = {}
    for row in db.execute(query.order_by(_messages.c.id.desc()).limit(_LOOKED_AT)):
        of_person.setdefault(row.person_id, []).append(row.id)

    def plan(person_id: int, ids: Sequence[int]) -> None:
        found = situation(db, person_id, ids, now, calendar)
        for id in ids:
            found.look_at(id)

    return sorted(
        {id for person, ids in of_person.items() for id in _failing(ids, partial(plan, person))}
        | set(_in_vain(db))
    )


def _in_vain(db: Connection) -> list[int]:
    state = _deliveries.c.state
    failed = case((state.in_([DeliveryState.REFUSED, DeliveryState.UNKNOWN]), 1), else_=0)
    sent = case((state == DeliveryState.SENT, 1), else_=0)
    query = (
        select(_messages.c.id)
        .join(_deliveries, _deliveries.c.message_id == _messages.c.id)
        .where(*_TO_SEND)
        .group_by(_messages.c.id)
        .having(func.sum(failed) >= TRIES, func.sum(sent) == 0)
    )
    return list(db.execute(query).scalars())


def _failing(ids: Sequence[int], act: Callable[[Sequence[int]], object]) -> list[int]:
    """Those of ``ids`` with which ``act`` fails: halved as long as a part of them does."""
    if len(ids) > _AT_ONCE:
        parts = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
    elif not ids or _works(ids, act):
        return []
    elif len(ids) == 1:
        return list(ids)
    else:
        parts = [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    return [id for part in parts for id in _failing(part, act)]


def _works(ids: Sequence[int], act: Callable[[Sequence[int]], object]) -> bool:
    try:
        act(ids)
    except DBAPIError:
        raise  # the database is at fault, and no row
    except Exception:
        return False
    return True
