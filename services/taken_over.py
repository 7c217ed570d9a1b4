"""What pages say of running work that was taken over (存量台账): 导入, and what the ledger told."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select

from models.base import table
from models.casework import Case
from models.ledger import Extension, Ledger, LedgerProblem, LedgerTask

_cases = table(Case)
_extensions = table(Extension)
_ledgers = table(Ledger)
_told = table(LedgerProblem)
_told_tasks = table(LedgerTask)
IS_TAKEN_OVER: ColumnElement[bool] = exists().where(_ledgers.c.case_id == _cases.c.id)
"""The condition on ``case``, for lists."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """From which ledger a case came, and when."""

    filename: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the ledger told of a problem: row in the ledger, stage in its words, dates, evidence."""

    row: int
    stage: str
    applied_on: date | None
    closed_on: date | None
    evidence: str
    filename: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A date that was moved, to when, and who agreed."""

    to_on: date
    agreed_on: date
    agreed_by: str


def taken_over(db: Connection, case_id: int) -> TakenOver | None:
    """Where a case came from; None for one that began here."""
    query = select(_ledgers.c.filename, _ledgers.c.applied_at).where(_ledgers.c.case_id == case_id)
    row = db.execute(query).first()
    return TakenOver(*row) if row is not None else None


def told_of(db: Connection, problem_id: int) -> Told | None:
    """What its ledger told of a problem; None for one that was found here."""
    names = ("row_number", "stage", "applied_on", "closed_on", "evidence")
    query = (
        select(*(_told.c[name] for name in names), _ledgers.c.filename, _ledgers.c.applied_at)
        .join(_ledgers, _ledgers.c.id == _told.c.ledger_id)
        .where(_told.c.problem_id == problem_id)
    )
    row = db.execute(query).first()
    return Told(*row) if row is not None else None


def done_before(db: Connection, task_ids: Collection[int]) -> dict[int, date]:
    """The tasks that were done before they were taken over, with the day."""
    query = select(_told_tasks.c.task_id, _told_tasks.c.done_on).where(
        _told_tasks.c.task_id.in_(task_ids), _told_tasks.c.done_on.is_not(None)
    )
    return {row.task_id: row.done_on for row in db.execute(query)}


def moved(db: Connection, task_ids: Collection[int]) -> dict[int, list[Moved]]:
    """The extensions of each task, the first one first."""
    found: dict[int, list[Moved]] = defaultdict(list)
    columns: list[Any] = [
        _extensions.c[name] for name in ("task_id", "to_on", "agreed_on", "agreed_by")
    ]
    query = select(*columns).where(_extensions.c.task_id.in_(task_ids))
    for row in db.execute(query.order_by(_extensions.c.task_id, _extensions.c.number)):
        found[row.task_id].append(Moved(row.to_on, row.agreed_on, row.agreed_by))
    return found
