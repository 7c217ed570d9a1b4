"""Why an import cannot be taken back though nothing refers to it: what was registered meanwhile
would clash with what comes back, or somebody was told of work by what would be gone."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, and_, exists, select

from models.base import table
from models.batch import BatchChange, ChangeAct
from models.casework import Slot
from models.message import Message
from models.organisation import Appointment, Organisation, Person, Portfolio, Post, Relation
from policy.terms import Term, clashes
from services.administration import open_role
from services.posts import ORGAN_NAMES
from services.scope import post_name

_AT_ONCE = 10_000
_appointments = table(Appointment)
_changes = table(BatchChange)
_organisations = table(Organisation)
_organs = _organisations.alias("organ")
_people = table(Person)
_portfolios = table(Portfolio)
_messages = table(Message)
_posts = table(Post)
_relations = table(Relation)
_slots = table(Slot)
_Ends = Mapping[int, date | None]
"""The last days that come back, by the ids of their rows."""


def clashing(db: Connection, batch_id: int) -> Iterator[str]:
    """Each clash in Chinese, naming the post and the person, or the unit and its organ."""
    yield from _of_appointments(db, batch_id)
    ends = _ends(db, batch_id, _portfolios.name)
    rows = list(_beside(db, batch_id, _CHARGES, _portfolios.c.post_id, ends))
    for _, other in _pairs(rows, ends, lambda row: (row.post_id, row.unit_id, row.area)):
        name = post_name(other.short_name, other.title)
        yield f"“{name}”自 {other.starts_on} 起另有同一分管，与要恢复的重叠"
    ends = _ends(db, batch_id, _relations.name)
    rows = list(_beside(db, batch_id, _RELATIONS, _relations.c.served_id, ends))
    for back, other in _pairs(rows, ends, lambda row: (row.served_id, row.kind)):
        yield (
            f"“{other.short_name}”自 {other.starts_on} 起的{ORGAN_NAMES[other.kind]}是"
            f"“{other.organ}”，与要恢复的“{back.organ}”重叠"
        )
    yield from _of_leads(db, batch_id)
    yield from _told(db, batch_id)


def _of_appointments(db: Connection, batch_id: int) -> Iterator[str]:
    ends = _ends(db, batch_id, _appointments.name)
    rows = list(_beside(db, batch_id, _TERMS, _appointments.c.post_id, ends))
    for row in rows:
        if row.id not in ends:
            continue
        name, last = post_name(row.short_name, row.title), ends[row.id]
        if row.successor_id is not None and (last is None or last > row.abolished):
            yield f"“{name}”已经撤销，不能恢复“{row.name}”的任职"
        longer = row.ends_on is not None and (last is None or last > row.ends_on)
        if row.role is not None and longer:
            yield f"“{row.name}”现在是管理员，不担任职务，不能恢复为“{name}”"
    for back, other in _pairs(rows, ends, lambda row: row.post_id):
        name = post_name(other.short_name, other.title)
        yield (
            f"“{name}”自 {other.starts_on} 起由“{other.name}”任职，"
            f"与要恢复的“{back.name}”的任职重叠，请先为“{other.name}”办理离任"
        )


def _of_leads(db: Connection, batch_id: int) -> Iterator[str]:
    """Posts that would lead a unit again beside another."""
    led = {row.row_id for row in _updates(db, batch_id, _posts.name) if row.before.get("rank") == 0}
    other = _posts.alias("other")
    query = (
        select(other.c.title, _organisations.c.short_name, _posts.c.title.label("back"))
        .join(_organisations, _organisations.c.id == other.c.organisation_id)
        .join(_posts, _posts.c.organisation_id == other.c.organisation_id)
        .where(other.c.rank == 0, other.c.successor_id.is_(None), other.c.id != _posts.c.id)
        .where(~_written(batch_id, _posts.name, other.c.id))
    )
    for row in _some(db, query, _posts.c.id, led):
        yield f"“{row.short_name}”现在的主要负责人职务是“{row.title}”，不能恢复为“{row.back}”"


def _told(db: Connection, batch_id: int) -> Iterator[str]:
    """Who was told of work under an appointment that would be gone: nothing else says why."""
    query = (
        select(_posts.c.title, _organisations.c.short_name, _people.c.name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .join(_appointments, _appointments.c.post_id == _posts.c.id)
        .join(_people, _people.c.id == _appointments.c.person_id)
        .join(_slots, _slots.c.post_id == _posts.c.id)
        .join(
            _messages,
            and_(_messages.c.step_id == _slots.c.step_id, _messages.c.person_id == _people.c.id),
        )
        .where(_written(batch_id, _appointments.name, _appointments.c.id, ChangeAct.INSERT))
        .distinct()
    )
    for row in db.execute(query):
        name = post_name(row.short_name, row.title)
        yield f"“{name}”的待办已通知“{row.name}”办理"


def _pairs(
    rows: Iterable[Row[Any]], ends: _Ends, key: Callable[[Row[Any]], Hashable]
) -> Iterator[tuple[Row[Any], Row[Any]]]:
    """(what comes back, what was registered otherwise) that would share a day."""
    together: dict[Hashable, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        together[key(row)].append(row)
    for some in together.values():
        terms = [Term(row.starts_on, ends.get(row.id, row.ends_on)) for row in some]
        for places in clashes(terms):
            pair = sorted((some[place] for place in places), key=lambda row: row.id not in ends)
            if pair[0].id in ends and pair[1].id not in ends:
                yield pair[0], pair[1]


def _ends(db: Connection, batch_id: int, name: str) -> _Ends:
    rows = _updates(db, batch_id, name)
    said = {row.row_id: row.before["ends_on"] for row in rows if "ends_on" in row.before}
    return {row_id: date.fromisoformat(day) if day else None for row_id, day in said.items()}


def _updates(db: Connection, batch_id: int, name: str) -> Iterator[Row[Any]]:
    query = select(_changes.c.row_id, _changes.c.before).where(
        _changes.c.batch_id == batch_id,
        _changes.c.table_name == name,
        _changes.c.act == ChangeAct.UPDATE,
    )
    yield from db.execute(query)


def _beside(
    db: Connection, batch_id: int, query: Select[Any], of: Column[Any], ends: _Ends
) -> Iterator[Row[Any]]:
    """The rows that would stand beside those that come back, and these; none that goes."""
    own = of.table
    owners = {row[0] for row in _some(db, select(of), own.c.id, ends)}
    inserted = _written(batch_id, own.name, own.c.id, ChangeAct.INSERT)
    yield from _some(db, query.where(~inserted), of, owners)


def _written(batch_id: int, name: str, column: Any, act: ChangeAct | None = None) -> Any:
    wanted = exists().where(
        _changes.c.batch_id == batch_id,
        _changes.c.table_name == name,
        _changes.c.row_id == column,
    )
    return wanted if act is None else wanted.where(_changes.c.act == act)


def _some(
    db: Connection, query: Select[Any], column: Any, ids: Iterable[int]
) -> Iterator[Row[Any]]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        yield from db.execute(query.where(column.in_(wanted[start : start + _AT_ONCE])))


_TERMS = (
    select(
        _appointments,
        _people.c.name,
        _posts.c.title,
        _posts.c.successor_id,
        _posts.c.ends_on.label("abolished"),
        _organisations.c.short_name,
        open_role(_people.c.id).label("role"),
    )
    .join(_people, _people.c.id == _appointments.c.person_id)
    .join(_posts, _posts.c.id == _appointments.c.post_id)
    .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
)
_CHARGES = (
    select(_portfolios, _posts.c.title, _organisations.c.short_name)
    .join(_posts, _posts.c.id == _portfolios.c.post_id)
    .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
)
_RELATIONS = (
    select(_relations, _organisations.c.short_name, _organs.c.short_name.label("organ"))
    .join(_organisations, _organisations.c.id == _relations.c.served_id)
    .join(_organs, _organs.c.id == _relations.c.organ_id)
)
