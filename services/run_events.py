"""What Prefect's automations are told (rule G): rows written with their cause, and what is sent.

A row is written in the transaction of what it tells of, and deleted once Prefect's server keeps
the event. An event carries numbers, keys and dates; nobody's name and no problem text (design §9).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, bindparam, delete, select, text

from models.base import Instant, Json, Key, table
from models.casework import Case
from models.operating import RunEvent
from services.command import Work
from services.database import reading
from services.env import Env
from services.restricted import RESTRICTED

RUNG = "fourduties.rung"
"""A rung of a ladder fired: ``step``, ``rung`` (its kind), ``rung_number``, ``due_on``."""
CASE_ENDED = "fourduties.case.ended"
"""A case ended: ``state`` (ended, or terminated by a person)."""
EFFECT_FAILED = "fourduties.effect.failed"
"""An effect failed for good and the operator is asked: ``effect`` (its key), ``error``."""
BRANCH_BLOCKED = "fourduties.branch.blocked"
"""A script failed (受阻): ``branch`` (its id), ``error``."""
INSTALLATION = "fourduties.installation"
"""The resource of what is told of the house as a whole."""
_NAMESPACE = UUID("5a1a6d9c-5f0e-4a55-9d0b-2f7c8f6d1b3e")
_events, _cases = table(RunEvent), table(Case)
# a cause that is met again tells once; SQLAlchemy compiles its own ON CONFLICT anew each time
_TELL = text(
    'INSERT INTO run_event ("key", kind, case_id, payload, at)'
    " VALUES (:key, :kind, :case_id, :payload, :at)"
    ' ON CONFLICT ("key") DO NOTHING'
).bindparams(
    bindparam("case_id", type_=Key),
    bindparam("payload", type_=Json),
    bindparam("at", type_=Instant),
)


def tell_prefect(
    work: Work,
    kind: str,
    key: str,
    case_id: int | None,
    payload: Mapping[str, str | int | None],
) -> None:
    """Have Prefect told of an event ``kind`` if this transaction commits; ``key`` names its cause.

    Only words and codes of ours, ids and dates go into ``payload``. ``case_id`` None: it concerns
    the house as a whole.
    """
    row = {
        "key": key,
        "kind": kind,
        "case_id": case_id,
        "payload": dict(payload),
        "at": work.now,
    }
    work.db.execute(_TELL, row)


@dataclass(frozen=True, slots=True)
class Telling:
    """An event as Prefect is to have it; ``run_id`` and ``mechanism`` are '' without a case."""

    id: int
    event_id: UUID
    kind: str
    at: datetime
    resource: str
    run_id: str
    mechanism: str
    payload: dict[str, Any]


def to_tell(env: Env, limit: int, without: Iterable[int] = ()) -> list[Telling]:
    """The oldest events that Prefect has to be told of, in the order they were written."""
    query = (
        select(_events, _cases.c.number, _cases.c.mechanism, _cases.c.run_id)
        .outerjoin(_cases, _cases.c.id == _events.c.case_id)
        .where(_events.c.id.not_in(list(without)))
        .order_by(_events.c.id)
        .limit(limit)
    )
    with reading(env.engine) as db:
        return [telling_of(row) for row in db.execute(query)]


def telling_of(row: Row[Any]) -> Telling:
    """The event of a row. Of a restricted mechanism it carries the case's number only.

    Its id is made of key and time, so it is the same event however often it is sent; ids of ours
    begin anew after a restore, hence the time.
    """
    restricted = row.mechanism in RESTRICTED
    number = {"number": row.number} if row.number else {}
    return Telling(
        id=row.id,
        event_id=uuid5(_NAMESPACE, f"{row.key} {row.at.isoformat()}"),
        kind=row.kind,
        at=row.at,
        resource=f"fourduties.case.{row.number}" if row.number else INSTALLATION,
        run_id=row.run_id or "",
        mechanism="" if restricted else row.mechanism or "",
        payload=number if restricted else {**row.payload, **number},
    )


def told(env: Env, ids: Iterable[int]) -> None:
    """Prefect has these events."""
    found = list(ids)
    if found:
        with env.engine.begin() as db:
            db.execute(delete(_events).where(_events.c.id.in_(found)))
