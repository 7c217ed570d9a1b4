"""A district ``many`` of so many towns in ``tests.world``, each with a secretary and a clerk."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import Table, insert

from models.base import table
from models.organisation import (
    Appointment,
    Level,
    Organisation,
    OrganisationKind,
    Person,
    Post,
    PostKind,
)
from services.command import Work
from services.ids import reserve
from tests.world import World

_SINCE = date(2020, 1, 1)
_POSTS = ((PostKind.SECRETARY, "书记", 0), (PostKind.CLERK, "联络员", 5))


def many_towns(world: World, count: int) -> list[int]:
    """Their ids; every post has a holder of its own."""
    made: list[int] = []

    def act(work: Work) -> dict[str, Any]:
        above = _organisation("many", "多镇区", Level.DISTRICT, world.organisations["district"])
        (many,) = _write(work, table(Organisation), [above])
        made.extend(_fill(work, many, count))
        return {}

    world.do(act)
    return made


def _fill(work: Work, district: int, count: int) -> list[int]:
    towns = _write(
        work,
        table(Organisation),
        [
            _organisation(f"many-{number}", f"第{number}镇", Level.TOWN, district)
            for number in range(count)
        ],
    )
    posts = _write(
        work,
        table(Post),
        [
            {"organisation_id": town, "kind": kind, "title": title, "rank": rank}
            for town in towns
            for kind, title, rank in _POSTS
        ],
    )
    people = _write(work, table(Person), [{"name": f"第{post}号"} for post in posts])
    held = [
        {"post_id": post, "person_id": person, "starts_on": _SINCE}
        for post, person in zip(posts, people, strict=True)
    ]
    _write(work, table(Appointment), held)
    return towns


def _organisation(code: str, name: str, level: Level, parent_id: int) -> dict[str, Any]:
    return {
        "code": code,
        "name": name,
        "short_name": name,
        "level": level,
        "kind": OrganisationKind.COMMITTEE,
        "parent_id": parent_id,
        "path": f"/many/{code}/" if code != "many" else "/many/",
    }


def _write(work: Work, into: Table, rows: list[dict[str, Any]]) -> list[int]:
    ids: Iterator[int] = reserve(work.db, into, len(rows))
    numbered = [{"id": id_, **row} for id_, row in zip(ids, rows, strict=True)]
    work.db.execute(insert(into), numbered)
    return [row["id"] for row in numbered]
