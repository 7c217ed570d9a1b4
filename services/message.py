"""What a person was told, as they read it: the texts of stored messages with their facts.

A message stores ids and dates; the numbers, units, steps and posts in its text are looked up here,
for our pages and for the delivery run alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from models.base import table
from models.casework import Case, Step
from models.message import Message
from models.organisation import Organisation, Post
from notifications.render import on_behalf, render
from policy.deadline import due_day
from services.catalogue import step_title
from services.post_names import names_of
from services.scope import post_name

PAGE = 50
_cases = table(Case)
_messages = table(Message)
_organisations = table(Organisation)
_posts = table(Post)
_steps = table(Step)


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as it is read; ``case_id`` and ``step_id`` say where it leads, if anywhere."""

    id: int
    title: str
    body: str
    at: datetime
    read: bool
    case_id: int | None
    step_id: int | None


def unread(db: Connection, person_id: int) -> int:
    """How many messages a person has not read: the badge of the list with ``unread_only``."""
    query = select(func.count()).select_from(_messages).where(_unread(person_id))
    return db.execute(query).scalar_one()


def messages_for(
    db: Connection,
    person_id: int,
    *,
    limit: int = PAGE,
    before: int | None = None,
    unread_only: bool = False,
) -> list[ShownMessage]:
    """A page of a person's messages, the newest first; ``before`` is the id of the last one seen.

    What was taken back is left out, unless it had been read already.
    """
    wanted = _unread(person_id) if unread_only else _shown(person_id)
    query = _told().where(wanted).order_by(_messages.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_messages.c.id < before)
    return _read(db, query)


def messages_by_id(db: Connection, ids: Sequence[int]) -> list[ShownMessage]:
    """These messages, the oldest first, whoever they are for and whatever became of them."""
    return _read(db, _told().where(_messages.c.id.in_(ids)).order_by(_messages.c.id))


def _unread(person_id: int) -> ColumnElement[bool]:
    return and_(
        _messages.c.person_id == person_id,
        _messages.c.read_at.is_(None),
        _messages.c.withdrawn_at.is_(None),
    )


def _shown(person_id: int) -> ColumnElement[bool]:
    return and_(
        _messages.c.person_id == person_id,
        or_(_messages.c.withdrawn_at.is_(None), _messages.c.read_at.is_not(None)),
    )


def _told() -> Select[Any]:
    units, holders = _organisations.alias("unit"), _organisations.alias("holder_unit")
    said = ("id", "template", "context", "created_at", "read_at", "substitution_id")
    return (
        select(
            *(_messages.c[name] for name in (*said, "case_id", "step_id")),
            _cases.c.number,
            _cases.c.mechanism,
            units.c.short_name.label("unit"),
            _steps.c.key.label("step_key"),
            _steps.c.due_at,
            _steps.c.provisional,
            _posts.c.title.label("post_title"),
            holders.c.short_name.label("post_unit"),
        )
        .outerjoin(_cases, _cases.c.id == _messages.c.case_id)
        .outerjoin(units, units.c.id == _cases.c.organisation_id)
        .outerjoin(_steps, _steps.c.id == _messages.c.step_id)
        .outerjoin(_posts, _posts.c.id == _messages.c.post_id)
        .outerjoin(holders, holders.c.id == _posts.c.organisation_id)
    )


def _read(db: Connection, query: Select[Any]) -> list[ShownMessage]:
    rows = db.execute(query).all()
    ids = {row.context.get(name) for row in rows for name in ("post_id", "substitute_post_id")}
    names = names_of(db, ids - {None})
    about = _step_keys(db, {row.context.get("about_step_id") for row in rows} - {None})
    units = _unit_names(db, {row.context.get("unit_id") for row in rows} - {None})
    return [_shown_message(row, names, about, units) for row in rows]


def _shown_message(
    row: Row[Any], names: Mapping[int, str], about: Mapping[int, str], units: Mapping[int, str]
) -> ShownMessage:
    facts = _facts(row, names, about) | {"about_unit": units.get(row.context.get("unit_id"))}
    text = render(row.template, facts)
    if row.substitution_id is not None:
        text = on_behalf(text, post_name(row.post_unit, row.post_title) if row.post_title else "")
    return ShownMessage(
        row.id,
        text.title,
        text.body,
        row.created_at,
        row.read_at is not None,
        row.case_id,
        row.step_id or row.context.get("about_step_id"),
    )


def _facts(row: Row[Any], names: Mapping[int, str], about: Mapping[int, str]) -> dict[str, Any]:
    """The context, and over it what is true now: a date may have moved since it was said."""
    found = {
        "number": row.number,
        "unit": row.unit,
        "step": _title(row.mechanism, row.step_key or about.get(row.context.get("about_step_id"))),
        "due_on": due_day(row.due_at) if row.due_at else None,
        "provisional": row.provisional,
        "holder_post": post_name(row.post_unit, row.post_title) if row.post_title else None,
        "post": names.get(row.context.get("post_id")),
        "substitute": names.get(row.context.get("substitute_post_id")),
    }
    return {**row.context, **{name: fact for name, fact in found.items() if fact is not None}}


def _title(mechanism: str, step_key: str | None) -> str | None:
    """What the step is called; None rather than a key that the catalogue does not have."""
    if step_key is None:
        return None
    title = step_title(mechanism, step_key)
    return None if title.startswith("step.") else title


def _step_keys(db: Connection, ids: set[int]) -> dict[int, str]:
    """The keys of steps that messages are about and do not wait for, by step."""
    if not ids:
        return {}
    query = select(_steps.c.id, _steps.c.key).where(_steps.c.id.in_(ids))
    return {row.id: row.key for row in db.execute(query)}


def _unit_names(db: Connection, ids: set[int]) -> dict[int, str]:
    """What units are called that messages are about, without a case."""
    if not ids:
        return {}
    query = select(_organisations.c.id, _organisations.c.short_name)
    return {row.id: row.short_name for row in db.execute(query.where(_organisations.c.id.in_(ids)))}
