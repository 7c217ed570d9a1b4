"""What the database knows of the house as a whole, as numbers for whoever watches it.

A few counts over indexed rows, asked when somebody looks. Ages are in seconds, 0 when nothing
waits; that of a watch that never looked is infinite.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, text

from models.base import Instant


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of one number, or of one instant whose age is meant (``never`` without one)."""

    help: str
    query: str
    age: bool = False
    never: float = 0.0


GAUGES: Mapping[str, Asked] = {
    "open_cases": Asked(
        "Cases that are open.", "SELECT count(*) FROM \"case\" WHERE state = 'open'"
    ),
    "open_steps": Asked(
        "Steps that wait for somebody.",
        "SELECT count(DISTINCT step_id) FROM slot WHERE state = 'open'",
    ),
    "overdue_slots": Asked(
        "Open questions to a post whose step's deadline has passed.",
        "SELECT count(*) FROM slot s JOIN step t ON t.id = s.step_id"
        " WHERE s.state = 'open' AND t.due_at < :now AND t.paused_at IS NULL",
    ),
    "due_wakes": Asked(
        "Branches' wakes that are due.", "SELECT count(*) FROM wake WHERE try_at <= :now"
    ),
    "due_wakes_age_seconds": Asked(
        "Age of the oldest due wake of a branch.",
        "SELECT min(try_at) AS at FROM wake WHERE try_at <= :now",
        age=True,
    ),
    "run_wakes": Asked(
        "Wakes of Prefect runs that are due.", "SELECT count(*) FROM run_wake WHERE try_at <= :now"
    ),
    "run_wakes_age_seconds": Asked(
        "Age of the oldest due wake of a Prefect run.",
        "SELECT min(try_at) AS at FROM run_wake WHERE try_at <= :now",
        age=True,
    ),
    "pending_effects": Asked(
        "Effects that are queued or under way.",
        "SELECT count(*) FROM effect WHERE state IN ('queued', 'claimed')",
    ),
    "unsent_messages": Asked(
        "Messages that are to be sent now.",
        "SELECT count(*) FROM message WHERE send_after <= :now",
    ),
    "unsent_messages_age_seconds": Asked(
        "Age of the oldest message that is to be sent now.",
        "SELECT min(send_after) AS at FROM message WHERE send_after <= :now",
        age=True,
    ),
    "run_events": Asked(
        "Events that Prefect has not been told of yet.", "SELECT count(*) FROM run_event"
    ),
    "watch_age_seconds": Asked(
        "How long ago the watch last came to the end of a look.",
        "SELECT looked_at AS at FROM installation WHERE id = 1",
        age=True,
        never=float("inf"),
    ),
}
"""Each gauge (``fourduties_<name>``) by its name."""


def gauges(db: Connection, now: datetime) -> dict[str, float]:
    """All of :data:`GAUGES` as they are now."""
    return {name: _value(db, asked, now) for name, asked in GAUGES.items()}


def _value(db: Connection, asked: Asked, now: datetime) -> float:
    query: Any = text(asked.query)
    if ":now" in asked.query:
        query = query.bindparams(bindparam("now", now, type_=Instant))
    if not asked.age:
        return float(db.execute(query).scalar_one())
    at = db.execute(query.columns(at=Instant)).scalar()
    return max((now - at).total_seconds(), 0.0) if at is not None else asked.never
