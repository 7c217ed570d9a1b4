"""A small cast for tests of the heart: one town under one district, every post by its name.

``outsider`` holds a post elsewhere and must see nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Engine, insert, select, text

from models.base import metadata, table
from models.casework import Slot, SlotState, Step
from models.operating import Installation
from models.organisation import (
    Appointment,
    Level,
    Organisation,
    OrganisationKind,
    Person,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from services import calendar
from services.casework import Decided, decide
from services.command import SYSTEM, Actor, Work, execute
from services.env import Env
from services.migration import newest

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_SINCE = date(2020, 1, 1)
_ORGANISATIONS = (
    ("district", "滨河区委", Level.DISTRICT, OrganisationKind.COMMITTEE, None),
    ("discipline", "滨河区纪委", Level.DISTRICT, OrganisationKind.DISCIPLINE, "district"),
    ("personnel", "滨河区委组织部", Level.DISTRICT, OrganisationKind.ORGANISATION_DEPT, "district"),
    (
        "inspection",
        "滨河区委巡察办",
        Level.DISTRICT,
        OrganisationKind.INSPECTION_OFFICE,
        "district",
    ),
    ("town", "梧桐路街道党工委", Level.TOWN, OrganisationKind.COMMITTEE, "district"),
    ("town_discipline", "梧桐路街道纪工委", Level.TOWN, OrganisationKind.DISCIPLINE, "town"),
    ("other", "临江镇党委", Level.TOWN, OrganisationKind.COMMITTEE, "district"),
)
_POSTS = (
    ("district_secretary", "district", PostKind.SECRETARY, "书记", 0),
    ("district_member", "district", PostKind.MEMBER, "分管副书记", 1),
    ("operator", "district", PostKind.OPERATOR, "系统运维员", 9),
    ("discipline_secretary", "discipline", PostKind.SECRETARY, "书记", 0),
    ("personnel_head", "personnel", PostKind.HEAD, "部长", 0),
    ("inspection_head", "inspection", PostKind.HEAD, "主任", 0),
    ("secretary", "town", PostKind.SECRETARY, "书记", 0),
    ("deputy", "town", PostKind.MEMBER, "副书记", 1),
    ("clerk", "town", PostKind.CLERK, "联络员", 5),
    ("town_discipline_secretary", "town_discipline", PostKind.SECRETARY, "书记", 0),
    ("outsider", "other", PostKind.SECRETARY, "书记", 0),
)
_RELATIONS = (
    ("discipline", "district", RelationKind.DISCIPLINE),
    ("personnel", "district", RelationKind.ORGANISATION_DEPT),
    ("inspection", "district", RelationKind.INSPECTION_OFFICE),
    ("town_discipline", "town", RelationKind.DISCIPLINE),
    ("discipline", "town_discipline", RelationKind.SUPERIOR_DISCIPLINE),
)


def lay_out(engine: Engine) -> None:
    """The tables and the rows that migrating leaves, without migrating: for databases in memory."""
    metadata.create_all(engine)
    with engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        db.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": newest()})
        db.execute(insert(table(Installation)).values(id=1, epoch=1, holding=False))


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        """Move on by so many days, hours or seconds."""
        self.now += timedelta(**amount)


@dataclass
class World:
    """The cast by name: ids of organisations, posts and persons."""

    env: Env
    organisations: dict[str, int] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    _keys: "count[int]" = field(default_factory=count)

    def actor(self, post: str) -> Actor:
        """The person who holds a post."""
        return Actor(self.people[post])

    def key(self) -> str:
        """A new idempotency key."""
        return f"test-{next(self._keys)}"

    def do(self, act: object) -> dict[str, object]:
        """Run a function of :class:`Work` as a command of the system."""
        return execute(self.env, SYSTEM, "test", self.key(), {}, act)  # type: ignore[arg-type]

    def open_slots(self) -> list[tuple[int, str, str]]:
        """Every open slot as (id, step key, post name), in the order they came to be."""
        names = {post_id: name for name, post_id in self.posts.items()}
        slots, steps = table(Slot), table(Step)
        query = (
            select(slots.c.id, steps.c.key, slots.c.post_id)
            .join(steps, steps.c.id == slots.c.step_id)
            .where(slots.c.state == SlotState.OPEN)
            .order_by(slots.c.id)
        )
        with self.env.engine.connect() as db:
            return [(row.id, row.key, names[row.post_id]) for row in db.execute(query)]

    def waiting(self) -> list[tuple[str, str]]:
        """What waits on whom: (step key, post name)."""
        return [(key, post) for _, key, post in self.open_slots()]

    def answer(self, key: str, answer: str = "done", post: str = "", **given: object) -> Decided:
        """Answer the open slot of a step as the holder of the post it asks."""
        slot_id, _, asked = next(
            slot for slot in self.open_slots() if slot[1] == key and post in ("", slot[2])
        )
        given = {"key": self.key(), **given}
        return decide(self.env, self.actor(asked), slot_id=slot_id, answer=answer, **given)  # type: ignore[arg-type]


def build(env: Env) -> World:
    """Put the cast into an empty database."""
    world = World(env)
    world.do(lambda work: _fill(world, work))
    return world


def _fill(world: World, work: Work) -> dict[str, object]:
    calendar.seed(work)
    for name, title, level, kind, parent in _ORGANISATIONS:
        world.organisations[name] = _organisation(world, work, name, title, level, kind, parent)
    for name, organisation, post_kind, title, rank in _POSTS:
        post = {
            "organisation_id": world.organisations[organisation],
            "kind": post_kind,
            "title": title,
            "rank": rank,
        }
        world.posts[name] = _insert(work, Post, post)
        world.people[name] = _insert(work, Person, {"name": f"{organisation} {title}"})
        appoint(work, world.posts[name], world.people[name])
    for organ, served, relation in _RELATIONS:
        between = {"organ_id": world.organisations[organ], "served_id": world.organisations[served]}
        _insert(work, Relation, {"kind": relation, **between, "starts_on": _SINCE})
    in_charge = {"post_id": world.posts["district_member"], "unit_id": world.organisations["town"]}
    _insert(work, Portfolio, {**in_charge, "starts_on": _SINCE})
    return {}


def appoint(work: Work, post_id: int, person_id: int) -> int:
    """Let a person hold a post."""
    values = {"post_id": post_id, "person_id": person_id, "starts_on": _SINCE}
    return _insert(work, Appointment, values)


def _organisation(
    world: World,
    work: Work,
    name: str,
    title: str,
    level: Level,
    kind: OrganisationKind,
    parent: str | None,
) -> int:
    values = {
        "code": name,
        "name": title,
        "short_name": title,
        "level": level,
        "kind": kind,
        "parent_id": world.organisations[parent] if parent else None,
        "path": "",
    }
    made = _insert(work, Organisation, values)
    organisations = table(Organisation)
    above = "/"
    if parent:
        of_parent = organisations.c.id == world.organisations[parent]
        above = work.db.execute(select(organisations.c.path).where(of_parent)).scalar_one()
    work.db.execute(
        organisations.update().where(organisations.c.id == made).values(path=f"{above}{made}/")
    )
    return made


def serve(world: "World", organ: str, kind: RelationKind, unit: str = "town") -> None:
    """Since long an organ serves a unit."""
    ids = world.organisations
    row = {"organ_id": ids[organ], "served_id": ids[unit], "kind": kind, "starts_on": _SINCE}
    world.do(lambda work: {"made": _insert(work, Relation, row)})


def _insert(work: Work, model: type, values: Mapping[str, Any]) -> int:
    rows = table(model)
    return int(work.db.execute(insert(rows).returning(rows.c.id), values).scalar_one())
