"""What a return voided and what stands, told from the chains alone, against the rows."""

from collections.abc import Iterator

from chaos.checks.findings import Kind, Violation
from chaos.checks.record import Record, grouped
from chaos.checks.tables import Row
from chaos.checks.trail import Trail

KEEP = "keep"
"""What ``on_return`` says of something that a return leaves as it is."""


def wrong_voids(record: Record, trail: Trail) -> Iterator[Violation]:
    """Rows that were voided by no return, and rows that stand although one went back over them."""
    yield from _steps(record, trail)
    tables = {"fact": record.facts, "effect": record.effects, "fanout": record.fanouts}
    mine = {table: grouped(rows, "branch_id") for table, rows in tables.items()}
    gone: set[int] = set()
    for branch in record.branches:  # the upper ones first: they were there first
        passed = _Passed(record, trail, branch, branch["fanout_id"] in gone)
        for table, rows in mine.items():
            for row in rows.get(branch["id"], ()):
                voided = passed.over(table, row)
                if voided and table == "fanout":
                    gone.add(row["id"])
                if bool(row["voided"]) != voided:
                    ids = {table: row["id"], "key": row["key"], "returned": voided}
                    yield Violation(Kind.STATE, f"a {table} is not voided as was audited", ids)


class _Passed:
    """The returns of a branch: when each was, and how far back it went."""

    def __init__(self, record: Record, trail: Trail, branch: Row, stopped: bool) -> None:
        self._trail, self._stopped_at = trail, 0
        if stopped:  # else it was stopped with its case, which voids nothing
            self._stopped_at = trail.places.get(("branch", branch["id"]), 0)
        self._returns = [
            (place, min(record.step[step]["seq"] for step in steps if step in record.step))
            for place, steps in trail.returns.get(branch["id"], ())
            if any(step in record.step for step in steps)
        ]

    def over(self, table: str, row: Row) -> bool:
        """Whether one of them went back over what was there by then."""
        made = self._trail.places.get((table, row["id"]), 0)
        if made < self._stopped_at and (table == "fanout" or row["on_return"] != KEEP):
            return not row.get("undoes")
        returned = any(made < place and row["seq"] >= since for place, since in self._returns)
        return returned and row["on_return"] != KEEP and not row.get("undoes")


def _steps(record: Record, trail: Trail) -> Iterator[Violation]:
    """No entry lists the steps of branches that a return stopped."""
    gone = {row["id"] for row in record.fanouts if row["voided"]}
    for step in record.steps:
        stopped = record.branch[step["branch_id"]]["fanout_id"] in gone
        if stopped and step["origin"] == "operator":
            continue  # it went if its effect did
        returned = step["id"] in trail.returned or (stopped and step["origin"] == "script")
        if bool(step["voided"]) != returned:
            ids = {"step": step["id"], "key": step["key"], "returned": returned}
            yield Violation(Kind.STATE, "a step is not voided as was audited", ids)
