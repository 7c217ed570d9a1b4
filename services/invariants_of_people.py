"""Who decided by what right, asked of the tables (INV-12, INV-17); plain SQL, as its neighbour.

An appointment is corrected now and then with a date that is over; what rests on a substitution is
exact, since nobody changes one.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Date, text

from models.base import Instant
from policy.calendar import local_day
from services.database import BUSY_SECONDS
from services.violation import Violation

_QUERIES = (
    (
        "INV-17",
        "办理的依据不是这一职务的任职",
        "SELECT d.id AS decision FROM decision d JOIN appointment a ON a.id = d.appointment_id"
        " WHERE d.substitution_id IS NULL AND a.post_id <> d.post_id",
    ),
    (
        "INV-17",
        "代录人把自己登记为签批人",
        "SELECT d.id AS decision FROM decision d JOIN signed_paper p ON p.decision_id = d.id"
        " JOIN act a ON a.id = p.act_id"
        " WHERE a.act <> 'record' OR a.slot_id <> d.slot_id OR a.person_id = d.person_id",
    ),
    (
        "INV-17",
        "代办的人或职务与其委托不符",
        "SELECT d.id AS decision FROM decision d JOIN appointment a ON a.id = d.appointment_id"
        " JOIN substitution s ON s.id = d.substitution_id WHERE s.post_id <> d.post_id"
        " OR s.substitute_id <> d.person_id OR a.person_id <> d.person_id"
        " OR a.post_id <> s.substitute_post_id",
    ),
    (
        "INV-17",
        "代办的事项不在委托之内",
        "SELECT d.id AS decision FROM decision d JOIN substitution s ON s.id = d.substitution_id"
        ' JOIN "case" c ON c.id = d.case_id WHERE NOT s.every_mechanism AND NOT EXISTS ('
        "SELECT 1 FROM substitution_mechanism m"
        " WHERE m.substitution_id = s.id AND m.mechanism = c.mechanism)"
        " AND (s.slot_id IS NULL OR s.slot_id <> d.slot_id)",
    ),
    (
        "INV-17",
        "同一职务的同类事项同时委托了两人",
        "SELECT s.id AS substitution, o.id AS other FROM substitution s JOIN substitution o"
        " ON o.post_id = s.post_id AND o.id > s.id AND o.starts_on < s.ends_on"
        " AND s.starts_on < o.ends_on WHERE s.ended_at IS NULL AND o.ended_at IS NULL"
        " AND s.slot_id IS NULL AND o.slot_id IS NULL"
        " AND (s.every_mechanism OR o.every_mechanism OR EXISTS ("
        "SELECT 1 FROM substitution_mechanism m JOIN substitution_mechanism n"
        " ON n.mechanism = m.mechanism WHERE m.substitution_id = s.id"
        " AND n.substitution_id = o.id))",
    ),
    (
        "INV-12",
        "审核或核验的人办理过前一环节",
        "WITH kin (branch_id, of_id) AS (SELECT id, id FROM branch UNION ALL"
        " SELECT parent_id, id FROM branch WHERE parent_id IS NOT NULL)"
        " SELECT d.id AS decision, e.id AS earlier FROM step t"
        " JOIN decision d ON d.step_id = t.id"
        " LEFT JOIN substitution ds ON ds.id = d.substitution_id"
        " JOIN kin k ON k.branch_id = t.branch_id JOIN step u ON u.branch_id = k.of_id"
        " JOIN decision e ON e.step_id = u.id AND e.id < d.id"
        " LEFT JOIN substitution es ON es.id = e.substitution_id"
        " WHERE CAST(t.apart_from AS VARCHAR) <> '[]' AND NOT t.voided AND NOT u.voided"
        " AND CAST(t.apart_from AS VARCHAR) LIKE '%\"' || u.key || '\"%'"
        " AND (d.person_id = e.person_id OR d.person_id = es.person_id"
        " OR ds.person_id = e.person_id OR ds.person_id = es.person_id)",
    ),
)
_IN_TIME = text(
    "SELECT d.id AS decision, d.at, s.starts_on, s.ends_on, s.ended_at FROM decision d"
    " JOIN substitution s ON s.id = d.substitution_id"
).columns(at=Instant, starts_on=Date, ends_on=Date, ended_at=Instant)


def wrongly_decided(db: Connection) -> Iterator[Violation]:
    """Decisions of whoever had no right to them, or judged what they had a hand in."""
    for invariant, what, sql in _QUERIES:
        for row in db.execute(text(sql)):
            yield Violation(invariant, what, dict(row._mapping))
    for row in db.execute(_IN_TIME):
        if not _in_force(row):
            yield Violation("INV-17", "代办时委托没有生效", {"decision": row.decision})


def _in_force(row: Any) -> bool:
    """A command reads the clock before it waits for its turn, and may be overtaken meanwhile."""
    waited = 2 * BUSY_SECONDS
    ended = row.ended_at is not None and (row.at - row.ended_at).total_seconds() > waited
    return bool(row.starts_on <= local_day(row.at) < row.ends_on) and not ended
