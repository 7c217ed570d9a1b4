"""A change of posts or units as a form: fields, a look at what would move, then the command.

Every kind of change is a value of three functions; a page needs to know none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from models.base import table
from models.casework import Case, Slot
from services.calendar import latest
from services.command import Actor
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.inbox import Item, items_of, listed
from services.moves import Moves
from services.scope import Standing, sees_case

SHOWN = 8
"""How many of the open steps that move are named; the others are counted."""
FURTHEST = timedelta(days=366)
"""No change is planned for a later day."""
Answers = Mapping[str, Sequence[str]]
"""What was filled in: every value of each field."""
_cases = table(Case)
_slots = table(Slot)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose from."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """What is asked: ``kind`` is text, number, date, choice or several; ``label`` a message, or
    with ``about`` the name of the thing it is about."""

    name: str
    kind: str
    label: str
    options: tuple[Option, ...] = ()
    required: bool = True
    start: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What would move, what would end, and the fingerprint by which it is confirmed."""

    moves: Moves
    ends: Moves = Moves()
    fingerprint: str = ""
    left: tuple[int, ...] = ()
    """Open cases that somebody else goes on with, unless they are ended before."""


@dataclass(frozen=True, slots=True)
class About:
    """The thing that changes, and who looks at it on a day."""

    db: Connection
    who: Standing
    id: int
    on: date


@dataclass(frozen=True, slots=True)
class Act:
    """A confirmed change: who, about what, as it was seen."""

    env: Env
    actor: Actor
    id: int
    given: Answers
    seen: str
    key: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change. ``name`` gives what it is about, and its unit; NotFound for who may not."""

    name: Callable[[About], tuple[str, int]]
    fields: Callable[[About, Answers], list[Field]]
    look: Callable[[About, Answers], Look]
    act: Callable[[Act], None]
    plans: bool = False
    """Whether it may be planned for a later day; otherwise it takes its days from its fields."""


@dataclass(frozen=True, slots=True)
class LeftCase:
    """An open case that stays: ``id`` None where the person does not see it."""

    number: str
    id: int | None


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it stands: with ``look`` once everything is filled in."""

    subject: str
    unit_id: int
    fields: tuple[Field, ...]
    look: Look | None
    items: tuple[Item, ...]
    """The first of the open steps that move."""
    cases: tuple[LeftCase, ...]
    """The first of the cases that somebody else goes on with."""
    later: date | None
    """The day for which it would be planned; None: it is carried out at once."""
    wrong: DutiesError | None


def form_of(kind: Kind, about: About, given: Answers, now: datetime) -> Form:
    """The form of a change; what is wrong with the answers stands on it. NotFound."""
    subject, unit_id = kind.name(about)
    fields = tuple(kind.fields(about, given))
    filled = given and all(text(given, field.name) for field in fields if field.required)
    if kind.plans:
        fields = *fields, Field("on", "date", "change: from which day", start=about.on.isoformat())
    look: Look | None = None
    wrong: DutiesError | None = None
    later: date | None = None
    if filled:
        try:
            later = later_day(given, about.on) if kind.plans else None
            look = kind.look(about, given)
        except NotFound:
            wrong = Invalid("所选的单位或职务不存在，或者不由您变动。")
        except DutiesError as error:
            wrong = error
    items, cases = _items(about, look, now), _cases_of(about, look)
    return Form(subject, unit_id, fields, look, items, cases, later, wrong)


def later_day(given: Answers, today: date) -> date | None:
    """The day for which a change is to be planned; None for today. Invalid names the field."""
    on = day(given, "on") if text(given, "on") else today
    if on < today:
        raise Invalid("生效日期不能早于今天。", field="on")
    if on > today + FURTHEST:
        raise Invalid("生效日期最多计划到一年以内。", field="on")
    return on if on > today else None


def text(given: Answers, name: str) -> str:
    """The first value of a field, '' for none."""
    values = given.get(name) or ("",)
    return values[0].strip()


def number(given: Answers, name: str) -> int:
    """The number in a field; Invalid names the field."""
    return _number(text(given, name), name)


def numbers(given: Answers, name: str) -> list[int]:
    """Every number of a field that may have several."""
    return [_number(value, name) for value in given.get(name, ()) if value.strip()]


def day(given: Answers, name: str) -> date:
    """The date in a field; Invalid names the field."""
    try:
        return date.fromisoformat(text(given, name))
    except ValueError as error:
        raise Invalid("请填写日期。", field=name) from error


def _number(value: str, name: str) -> int:
    given = value.strip()
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        raise Invalid("请从列表中选择，或填写整数。", field=name)
    return int(given)


def _items(about: About, look: Look | None, now: datetime) -> tuple[Item, ...]:
    if look is None or not look.moves.slots:
        return ()
    first = _slots.c.id.in_(look.moves.slots[:500])
    rows = about.db.execute(listed().where(first).limit(SHOWN)).all()
    return tuple(items_of(about.db, rows, now, latest(about.db), {}))


def _cases_of(about: About, look: Look | None) -> tuple[LeftCase, ...]:
    if look is None or not look.left:
        return ()
    first = _cases.c.id.in_(look.left[:500])
    columns = _cases.c.id, _cases.c.number, sees_case(about.who).label("seen")
    rows = about.db.execute(select(*columns).where(first).order_by(_cases.c.id).limit(SHOWN))
    return tuple(LeftCase(row.number, row.id if row.seen else None) for row in rows)
