"""What waits on a person (我的待办): one query object for the list, its count and the badge.

Trap 13: no variables are joined, only rows by their keys; pages go on by key, not by offset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select

from models.base import table
from models.casework import Case, Origin, Slot, Step
from policy.calendar import Calendar, instant_on, local_day
from services import duty, vacancy_subject
from services.calendar import latest
from services.catalogue import step_title
from services.due import Due, due_of
from services.errors import NotFound
from services.rungs import NextRung, next_rungs
from services.scope import Standing, asks, asks_on_behalf, post_name
from services.subject import with_subject
from services.substitutes import behalf

PAGE = 50
SOON_DAYS = 3
_cases = table(Case)
_slots = table(Slot)
_steps = table(Step)
_PAUSED = _steps.c.paused_at.is_not(None)


@dataclass(frozen=True, slots=True)
class After:
    """Where a page of the inbox ended."""

    due_at: datetime | None
    slot_id: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the inbox."""

    slot_id: int
    step_id: int
    case_id: int
    title: str
    subject: str
    case_number: str
    unit: str
    post: str
    role: str
    behalf: str
    """代某某: for whom this person is asked; '' where the post is their own."""
    due: Due | None
    due_at: datetime | None
    waited: int
    """Working days since the step was opened."""
    paused: bool
    """Whether its clock stands (暂停): it may be decided, and nobody is waited for."""
    raised: bool
    """Whether a rung was fired for it already."""
    next_rung: NextRung | None
    """What happens next; None too on a superior's list, which does not say it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many wait; of these ``late``, and ``soon``: due within :data:`SOON_DAYS` working days."""

    all: int
    late: int
    soon: int


@dataclass(frozen=True, slots=True)
class Inbox:
    """The open slots of the posts a person holds, and of those for whose holders they stand in."""

    who: Standing
    behalf: bool = False
    """Only the latter (代他人)."""

    @property
    def _waits(self) -> ColumnElement[bool]:
        return asks_on_behalf(self.who) if self.behalf else asks(self.who)

    def count(self, db: Connection) -> int:
        """How many wait: the same condition as the list (INV-13)."""
        return db.execute(select(func.count()).select_from(_slots).where(self._waits)).scalar_one()

    def of_post(self, post_id: int) -> "Inbox":
        """What waits on one of the posts they hold; NotFound for any other."""
        held = tuple(post for post in self.who.posts if post.id == post_id)
        if not held:
            raise NotFound
        return Inbox(replace(self.who, posts=held, behalf=()))

    def by_post(self, db: Connection) -> dict[int, int]:
        """How many wait on each post: together they are :meth:`count`."""
        query = select(_slots.c.post_id, func.count().label("waiting")).where(self._waits)
        rows = db.execute(query.group_by(_slots.c.post_id))
        return {row.post_id: row.waiting for row in rows}

    def counts(self, db: Connection, now: datetime) -> Counts:
        """How many wait, are late and are due soon: the same condition as the list."""
        today = local_day(now)
        last = latest(db).add_working_days(today, SOON_DAYS)
        ends = instant_on(last + timedelta(days=1))
        runs, due_at = _steps.c.paused_at.is_(None), _steps.c.due_at
        late = func.sum(case((and_(runs, due_at <= now), 1), else_=0))
        soon = func.sum(case((and_(runs, due_at > now, due_at <= ends), 1), else_=0))
        query = select(func.count(), func.coalesce(late, 0), func.coalesce(soon, 0))
        query = query.select_from(_slots).join(_steps, _steps.c.id == _slots.c.step_id)
        return Counts(*db.execute(query.where(self._waits)).one())

    def items(self, db: Connection, now: datetime, after: "After | None" = None) -> list[Item]:
        """A page of what waits, by due date, what is paused below; ``after``: of the last row."""
        query = listed().where(self._waits).limit(PAGE)
        if after is not None:
            query = query.where(_later(after))
        rows, calendar = db.execute(query).all(), latest(db)
        rungs = next_rungs(db, rows, self.who.on, calendar)
        return items_of(db, rows, now, calendar, rungs, self.who)

    def next_after(self, db: Connection, slot_id: int) -> int | None:
        """The slot that is decided next, once this one is."""
        query = select(_slots.c.id).join(_steps, _steps.c.id == _slots.c.step_id)
        query = query.where(self._waits, _slots.c.id != slot_id)
        found = db.execute(query.order_by(*_order()).limit(1)).first()
        return found.id if found else None


def group_of(item: Item, on: date) -> str:
    """The heading under which a row stands."""
    if item.paused:
        return "paused"
    if item.due is None:
        return "undated"
    if item.due.left < 0:
        return "late"
    if item.due.left <= SOON_DAYS:
        return "soon"
    return "month" if (item.due.on.year, item.due.on.month) == (on.year, on.month) else "later"


def listed() -> Select[Any]:
    """Slots with what a page says of them, in the order of the inbox; add a WHERE."""
    slots = select(
        _slots.c.id.label("slot_id"),
        _slots.c.post_id,
        _slots.c.added_to,
        *(_steps.c[name] for name in _STEP),
        _steps.c.id.label("step_id"),
        _steps.c.case_id,
        _cases.c.policy_id,
        _cases.c.organisation_id,
    )
    return with_subject(slots, _slots).order_by(*_order())


_STEP = (
    "key",
    "mode",
    "origin",
    "due_key",
    "due_at",
    "provisional",
    "ladder",
    "rungs_fired",
    "deadline_version",
    "next_rung_at",
    "opened_at",
    "paused_at",
)


def _order() -> tuple[Any, ...]:
    return _PAUSED, _steps.c.due_at.is_(None), _steps.c.due_at, _slots.c.id


def _later(after: After) -> Any:
    due_at, slot_id = after.due_at, after.slot_id
    dated = _steps.c.due_at > due_at, (_steps.c.due_at == due_at) & (_slots.c.id > slot_id)
    undated = _steps.c.due_at.is_(None)
    below = or_(undated, *dated) if due_at is not None else undated & (_slots.c.id > slot_id)
    return _PAUSED & below if after.paused else or_(_PAUSED, below)


def items_of(
    db: Connection,
    rows: Sequence[Row[Any]],
    now: datetime,
    calendar: Calendar,
    rungs: Mapping[int, NextRung],
    who: Standing | None = None,
) -> list[Item]:
    """Rows of :func:`listed` as people read them, with the next rungs by slot.

    ``who`` is the person who is asked, for 代某某; None where nobody is.
    """
    about = _subjects(db, rows)
    return [
        replace(
            _item(row, now, calendar, about.get(row.step_id), rungs.get(row.slot_id)),
            behalf=_behalf(row, who),
        )
        for row in rows
    ]


def _subjects(db: Connection, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """What superiors' lists and vacancies are about, by step."""
    lists = duty.subjects(db, [row.step_id for row in rows if row.origin == Origin.RUNG])
    asked = [row for row in rows if row.mechanism == "vacancy" and row.origin == Origin.SCRIPT]
    vacant = vacancy_subject.subjects(db, [row.case_id for row in asked])
    return lists | {row.step_id: vacant[row.case_id] for row in asked if row.case_id in vacant}


def _behalf(row: Row[Any], who: Standing | None) -> str:
    instead = who.stands_in(row.post_id, row.mechanism, row.slot_id) if who else None
    return behalf(instead.post.name) if instead else ""


def _item(
    row: Row[Any], now: datetime, calendar: Calendar, subject: str | None, rung: NextRung | None
) -> Item:
    return Item(
        slot_id=row.slot_id,
        step_id=row.step_id,
        case_id=row.case_id,
        title=step_title(row.mechanism, row.key),
        subject=subject or row.subject,
        case_number=row.number,
        unit=row.unit,
        post=post_name(row.post_unit, row.post_title),
        role=ADDED if row.added_to is not None else role_of(row.origin, row.mode),
        behalf="",
        due=due_of(row.due_at, row.provisional, now, calendar, row.paused_at),
        due_at=row.due_at,
        waited=calendar.working_days_between(local_day(row.opened_at), local_day(now)),
        paused=row.paused_at is not None,
        raised=row.rungs_fired > 0,
        next_rung=rung,
    )


ADDED = "role.added"
"""The role of who was added to who is asked (加签)."""


def role_of(origin: str, mode: str) -> str:
    """What the person is in this step: the ordinary case, or the exception that gets a chip."""
    if origin != "script":
        return f"role.{origin}"
    return f"role.{mode}"
