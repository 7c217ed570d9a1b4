"""A scene in which commands are carried out, and what a move in it is, for tests of faults."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine, select, text

from models.base import metadata
from notifications.recording import RecordingChannels
from services.casework import mechanisms
from tests.rectification_cast import Rectification, begin
from tests.web_house import give_accounts
from tests.world import Clock

Act = Callable[[str], Any]
_MARKS = " UNION ALL ".join(
    f"SELECT '{t.name}', count(*), sum(hashtextextended(x::text, 0)::numeric) FROM \"{t.name}\" x"
    for t in metadata.sorted_tables
)
"""PostgreSQL: a row for each table, other than before when anything in it is."""


@dataclass
class Scene:
    """A started rectification with all mechanisms, channels that record, and an operator."""

    case: Rectification
    clock: Clock
    twin: RecordingChannels
    kept: dict[str, Any] = field(default_factory=dict)
    looker: sqlite3.Connection | None = None

    @property
    def env(self) -> Any:
        return self.case.env

    def actor(self, post: str) -> Any:
        return self.case.world.actor(post)

    def tables(self, *without: str) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored, but for some tables."""
        with self.env.engine.connect() as db:
            return {
                t.name: sorted((tuple(row) for row in db.execute(select(t))), key=repr)
                for t in metadata.sorted_tables
                if t.name not in without
            }

    def mark(self) -> Any:
        """The same as before only if nothing was written since; cheaper than all that is stored."""
        if self.env.engine.dialect.name == "sqlite":
            if self.looker is None:
                self.looker = sqlite3.connect(self.env.engine.url.database)
            return self.looker.execute("PRAGMA data_version").fetchone()
        with self.env.engine.connect() as db:
            return sorted(map(tuple, db.execute(text(_MARKS))))

    def carried_out(self) -> set[str]:
        """The keys of the commands that were."""
        with self.env.engine.connect() as db:
            return set(db.execute(select(metadata.tables["command"].c.key)).scalars())

    def write(self, statement: Any) -> None:
        with self.env.engine.begin() as db:
            db.execute(statement)


def scene(engine: Engine) -> Scene:
    """Before the first move."""
    clock, twin = Clock(), RecordingChannels()
    case = begin(engine, clock)
    give_accounts(case.world)
    operator = case.world.people["operator"]
    case.world.env = replace(case.env, mechanisms=mechanisms(), channels=twin, operator=operator)
    return Scene(case, clock, twin)


@dataclass(frozen=True)
class Move:
    """A command by its name. ``keyed``: the same key gives the first result.

    ``leaves``: tables in which a failure puts the row off or tells of it, as it should; ``again``:
    what has to happen before it is tried once more.
    """

    name: str
    prepare: Callable[[Scene], Act]
    keyed: bool = True
    commits: bool = True
    leaves: tuple[str, ...] = ()
    again: Callable[[Scene], None] = lambda scene: None


MOVES: list[Move] = []


def move(name: str, **given: Any) -> Callable[[Callable[[Scene], Act]], Callable[[Scene], Act]]:
    def add(prepare: Callable[[Scene], Act]) -> Callable[[Scene], Act]:
        MOVES.append(Move(name, prepare, **given))
        return prepare

    return add
