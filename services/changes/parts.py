"""A change of posts or units as a form: fields, a look at what would move, then the command.

Every kind of change is a value of three functions; a page needs to know none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from models.base import table
from models.casework import Slot
from services.calendar import latest
from services.command import Actor
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.inbox import Item, items_of, listed
from services.moves import Moves
from services.scope import Standing

SHOWN = 8
"""How many of the open steps that move are named; the others are counted."""
Answers = Mapping[str, Sequence[str]]
"""What was filled in: every value of each field."""
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


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it stands: with ``look`` once everything is filled in."""

    subject: str
    unit_id: int
    fields: tuple[Field, ...]
    look: Look | None
    items: tuple[Item, ...]
    """The first of the open steps that move."""
    wrong: DutiesError | None


def form_of(kind: Kind, about: About, given: Answers, now: datetime) -> Form:
    """The form of a change; what is wrong with the answers stands on it. NotFound."""
    subject, unit_id = kind.name(about)
    fields = tuple(kind.fields(about, given))
    look: Look | None = None
    wrong: DutiesError | None = None
    if given and all(text(given, field.name) for field in fields if field.required):
        try:
            look = kind.look(about, given)
        except NotFound:
            wrong = Invalid("所选的单位或职务不存在，或者不由您变动。")
        except DutiesError as error:
            wrong = error
    return Form(subject, unit_id, fields, look, _items(about, look, now), wrong)


def submit(kind: Kind, act: Act) -> None:
    """Carry a confirmed change out; errors as of its command."""
    kind.act(act)


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
