"""Acts that all processes together may do only so often: when the next is free stands in a row."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.base import table
from models.operating import Pace as PaceRow
from policy.pace import Pace
from services.env import Env

_paces = table(PaceRow)


def permits(env: Env, name: str, pace: Pace, wanted: int) -> int:
    """How many of ``wanted`` acts of this name the caller may do now.

    Of two processes that ask at the same moment one gets nothing, and asks again.
    """
    mine = _paces.c.name == name
    with env.engine.begin() as db:
        now = env.clock()
        free_at = db.execute(select(_paces.c.free_at).where(mine)).scalar()
        if free_at is None:
            build: Any = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
            first = {"name": name, "free_at": now}
            db.execute(build(_paces).on_conflict_do_nothing(index_elements=["name"]), first)
            free_at = now
        granted, then = pace.grant(free_at, now, wanted)
        as_read = update(_paces).where(mine, _paces.c.free_at == free_at).values(free_at=then)
        return granted if granted and db.execute(as_read).rowcount else 0
