"""References: whatever a row points to is there; what points to nothing is named and left out."""

from collections.abc import Iterator

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record

_POINTS = (
    ("cases", "policy_id", "policies"),
    ("branches", "case_id", "cases"),
    ("branches", "parent_id", "branches"),
    ("fanouts", "branch_id", "branches"),
    ("steps", "branch_id", "branches"),
    ("steps", "case_id", "cases"),
    ("slots", "step_id", "steps"),
    ("decisions", "slot_id", "slots"),
    ("decisions", "step_id", "steps"),
    ("decisions", "branch_id", "branches"),
    ("facts", "branch_id", "branches"),
    ("effects", "branch_id", "branches"),
    ("effects", "case_id", "cases"),
    ("rungs", "slot_id", "slots"),
    ("rungs", "step_id", "steps"),
    ("members", "rung_id", "rungs"),
    ("members", "step_id", "steps"),
    ("tasks", "problem_id", "problems"),
)


def dangling(record: Record) -> Iterator[Violation]:
    """Rows whose parents are gone; the checks that follow never meet them."""
    for table, column, parents in _POINTS:
        there = {row["id"] for row in getattr(record, parents)} | {None}
        rows = getattr(record, table)
        for row in rows:
            if row[column] not in there:
                ids = {"table": table, "id": row["id"], column: row[column]}
                yield Violation(Kind.LOST, "a row points to one that is not there", ids)
        setattr(record, table, [row for row in rows if row[column] in there])
