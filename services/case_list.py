"""The cases a person may see (周期): one condition for the list and its count."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from models.base import table
from models.casework import Case, Origin, Slot, SlotState, Step
from models.organisation import Organisation
from policy.calendar import Calendar
from services.calendar import latest
from services.due import Due, due_of
from services.runs import is_stopped
from services.scope import Standing, sees_case
from services.taken_over import IS_TAKEN_OVER

PAGE = 50
_cases = table(Case)
_organisations = table(Organisation)
_slots = table(Slot)
_steps = table(Step)
_RUNS = _steps.c.paused_at.is_(None)


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case in the list; ``due`` is the earliest date it waits for."""

    id: int
    number: str
    mechanism: str
    unit: str
    state: str
    opened_at: datetime
    ended_at: datetime | None
    waiting: int
    due: Due | None
    stopped: bool
    """An operator stopped its run (运行已停, rule M)."""
    imported: bool
    """It was running before it came here (存量台账, 导入)."""


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases in somebody's scope."""

    who: Standing

    def count(self, db: Connection) -> int:
        """How many there are: the same condition as the list (INV-13)."""
        query = select(func.count()).select_from(_cases).where(self._condition())
        return db.execute(query).scalar_one()

    def lines(self, db: Connection, now: datetime, before: int | None = None) -> list[CaseLine]:
        """A page of them, the newest first; ``before`` is the id of the last one seen."""
        query = (
            select(
                _cases,
                _organisations.c.short_name.label("unit"),
                IS_TAKEN_OVER.label("imported"),
            )
            .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
            .where(self._condition())
            .order_by(_cases.c.id.desc())
            .limit(PAGE)
        )
        if before is not None:
            query = query.where(_cases.c.id < before)
        rows = db.execute(query).all()
        open_ = _open_of(db, [row.id for row in rows])
        calendar = latest(db)
        return [_line(row, open_.get(row.id), now, calendar) for row in rows]

    def _condition(self) -> ColumnElement[bool]:
        return sees_case(self.who)


def _open_of(db: Connection, case_ids: list[int]) -> dict[int, Row[Any]]:
    query = (
        select(
            _steps.c.case_id,
            func.count().label("waiting"),
            func.min(_steps.c.due_at).filter(_RUNS).label("due_at"),
            func.min(_steps.c.due_at).filter(~_RUNS).label("standing"),
            func.max(_steps.c.paused_at).label("paused_at"),
        )
        .join(_slots, _slots.c.step_id == _steps.c.id)
        .where(
            _steps.c.case_id.in_(case_ids),
            _steps.c.origin != Origin.RUNG,
            _slots.c.state == SlotState.OPEN,
        )
        .group_by(_steps.c.case_id)
    )
    return {row.case_id: row for row in db.execute(query)}


def _due(open_: Row[Any], now: datetime, calendar: Calendar) -> Due | None:
    """The earliest date; where everything stands, the earliest of these."""
    if open_.due_at is None:
        return due_of(open_.standing, False, now, calendar, open_.paused_at)
    return due_of(open_.due_at, False, now, calendar)


def _line(row: Row[Any], open_: Row[Any] | None, now: datetime, calendar: Calendar) -> CaseLine:
    return CaseLine(
        id=row.id,
        number=row.number,
        mechanism=row.mechanism,
        unit=row.unit,
        state=str(row.state),
        opened_at=row.opened_at,
        ended_at=row.ended_at,
        waiting=open_.waiting if open_ else 0,
        due=_due(open_, now, calendar) if open_ else None,
        stopped=is_stopped(row),
        imported=bool(row.imported),
    )
