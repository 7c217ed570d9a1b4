"""Who stands in for whom (离岗委托), as pages, messages and ladders ask it.

Every page says 代某某 in the same words, from here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, select

from models.base import table
from models.organisation import Organisation, Post
from models.substitution import Substitution, SubstitutionMechanism
from services.catalogue import translated
from services.scope import post_name, stands

_limits = table(SubstitutionMechanism)
_posts = table(Post)
_substitutions = table(Substitution)
_units = table(Organisation)


@dataclass(frozen=True, slots=True)
class Instead:
    """Somebody who stands in today; ``mechanisms`` None: in every matter."""

    post_id: int
    """The represented post."""
    substitute_id: int
    substitute: str
    """The post by which they were named."""
    until: date
    """The last day."""
    mechanisms: frozenset[str] | None
    slot_id: int | None = None
    """The only slot that it is about (委托)."""

    def covers(self, mechanism: str, slot_id: int | None = None) -> bool:
        """Whether it is about a case of this mechanism, or about this slot only."""
        if self.slot_id is not None:
            return self.slot_id == slot_id
        return self.mechanisms is None or mechanism in self.mechanisms


def in_place(post: str, by: str) -> str:
    """``副书记代书记`` of what a substitute did for a post; the post where ``by`` is ''."""
    return translated("%(by)s on behalf of %(post)s", by=by, post=post) if by else post


def behalf(post: str) -> str:
    """``代书记``: what somebody is in a step that they are asked in a holder's place."""
    return translated("on behalf of %(post)s", post=post)


def substitute_names(db: Connection, substitution_ids: Iterable[int | None]) -> dict[int, str]:
    """The posts by which substitutes were named, by substitution; no query where there are none."""
    wanted = set(substitution_ids) - {None}
    if not wanted:
        return {}
    rows = db.execute(_NAMED.where(_substitutions.c.id.in_(wanted)))
    return {row.id: post_name(row.short_name, row.title) for row in rows}


def mechanisms_of(db: Connection, substitution_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """The mechanisms that substitutions are limited to; those about every one are left out."""
    found: dict[int, set[str]] = defaultdict(set)
    if substitution_ids:
        query = select(_limits.c.substitution_id, _limits.c.mechanism)
        for row in db.execute(query.where(_limits.c.substitution_id.in_(substitution_ids))):
            found[row.substitution_id].add(row.mechanism)
    return {id_: frozenset(names) for id_, names in found.items()}


def instead_of(db: Connection, post_ids: Collection[int], on: date) -> dict[int, list[Instead]]:
    """Who stands in for the holders of posts on a day, by post; posts without one are left out."""
    found: dict[int, list[Instead]] = defaultdict(list)
    if not post_ids:
        return found
    rows = db.execute(
        _NAMED.add_columns(
            *(
                _substitutions.c[name]
                for name in ("post_id", "substitute_id", "ends_on", "every_mechanism", "slot_id")
            )
        ).where(_substitutions.c.post_id.in_(sorted(set(post_ids))), stands(on))
    ).all()
    limits = mechanisms_of(db, [row.id for row in rows if not row.every_mechanism])
    for row in rows:
        found[row.post_id].append(
            Instead(
                post_id=row.post_id,
                substitute_id=row.substitute_id,
                substitute=post_name(row.short_name, row.title),
                until=row.ends_on - timedelta(days=1),
                mechanisms=None if row.every_mechanism else limits.get(row.id, frozenset()),
                slot_id=row.slot_id,
            )
        )
    return found


def _named() -> Any:
    return (
        select(_substitutions.c.id, _posts.c.title, _units.c.short_name)
        .join(_posts, _posts.c.id == _substitutions.c.substitute_post_id)
        .join(_units, _units.c.id == _posts.c.organisation_id)
    )


_NAMED = _named()
