"""Names as people write them in a list, found among the units and posts of one organisation."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from documents.resemble import Resembling
from models.base import table
from models.organisation import Level, Organisation, Post
from services.establishment import territory

COLLECTIVES = frozenset(
    (
        "居民区党组织",
        "各居民区党组织",
        "村党组织",
        "各村党组织",
        "居村党组织",
        "各居村党组织",
        "机关各部门",
        "各部门",
    )
)
"""Names of many at once: kept as written, no unit of their own."""
_organisations = table(Organisation)
_posts = table(Post)


@dataclass(slots=True)
class Directory:
    """Who is meant by a name inside an organisation: by its full name, or without the place."""

    name: str
    units: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    posts: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _closed: dict[str, str] = field(default_factory=dict)
    """Names of units that are there no more, with what became of them."""
    _near: dict[str, Resembling] = field(default_factory=dict)
    """The names of units, and of posts, prepared when the first one is not found."""

    @classmethod
    def of(cls, db: Connection, organisation_id: int) -> "Directory":
        """The directory of an organisation: itself, what stands below it, and their posts."""
        own = db.execute(select(_organisations).where(_organisations.c.id == organisation_id)).one()
        made = cls(own.name)
        query = select(_organisations).where(
            _organisations.c.path.startswith(own.path, autoescape=True)
        )
        rows = {row.id: row for row in db.execute(query)}
        known = {row.id: set(_names(row, own)) for row in rows.values()}
        for unit_id, names in known.items():
            for name in names:
                if rows[unit_id].ends_on is None:
                    made.units[name].add(unit_id)
                else:
                    made._closed[name] = _ended(rows[unit_id], rows.get(rows[unit_id].successor_id))
        for post in db.execute(_posts_at(own.path, own.level)):
            for name in known[post.organisation_id]:
                made.posts[f"{name}{post.title}"].add(post.id)
            if post.organisation_id == own.id:
                made.posts[post.title].add(post.id)
        return made

    def unit(self, name: str) -> int | str:
        """The id of the unit; or why there is none, in Chinese, with up to three that are near."""
        if name in self._closed and name not in self.units:
            return f"“{name}”{self._closed[name]}"
        return self._one(self.units, name, "单位或部门")

    def post(self, title: str) -> int | str:
        """The id of the post; or why there is none, in Chinese, with up to three that are near."""
        return self._one(self.posts, title, "职务")

    def unit_or_collective(self, name: str) -> int | str | None:
        """Like :meth:`unit`; None for the name of many (居民区党组织)."""
        return None if name in COLLECTIVES else self.unit(name)

    def _one(self, known: dict[str, set[int]], name: str, what: str) -> int | str:
        found = known.get(name, set())
        if len(found) == 1:
            return next(iter(found))
        if found:
            return f"{self.name}有 {len(found)} 个“{name}”，请写全称"
        if what not in self._near:
            self._near[what] = Resembling(text for text, ids in known.items() if len(ids) == 1)
        hint = self._near[what].hint(name, means=lambda text: next(iter(known[text])))
        return f"{self.name}没有名为“{name}”的{what}{hint}"


def _names(row: Row[Any], own: Row[Any]) -> Iterator[str]:
    yield row.name
    yield row.short_name
    for prefix in (territory(own.name), own.name):
        short = row.name.removeprefix(prefix)
        if short:
            yield short


def _ended(row: Row[Any], into: Row[Any] | None) -> str:
    """What became of a unit; its successor is named if it is of the same organisation."""
    into_ = f"，其工作由{into.name}承接" if into else ""
    return f"已于 {row.ends_on.isoformat()} 撤销{into_}，请写现在负责的单位或部门"


def _posts_at(path: str, level: Level) -> Any:
    """Posts of the organisation and its organs, not of what stands a level lower."""
    return (
        select(_posts.c.id, _posts.c.organisation_id, _posts.c.title)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(
            _organisations.c.path.startswith(path, autoescape=True),
            _organisations.c.level == level,
            _posts.c.successor_id.is_(None),
        )
    )
