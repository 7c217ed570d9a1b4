"""合并、撤销: a unit ends and another takes over its posts' work, its cases and what stands below.

Every post of the unit goes to a post of another unit. One that something waits on needs a target
that a person chose; the others go to the post of the same title or kind there, or to its head. A
unit whose cases run is merged, not just closed: a case needs a unit that answers for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from models.base import table
from models.casework import Case, CaseState, Slot, SlotState
from models.organisation import Organisation, Post, Relation
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError, Invalid
from services.moves import Moves, of_units
from services.organisers import STREAM, Unit, actor_of, require_same, unit_of
from services.posting import abolish, lock_posts
from services.rectification_follow import follow_units
from services.reorganising import end_ties, keep_former, lock_unit, put_below
from services.scope import Standing

_cases = table(Case)
_organisations = table(Organisation)
_posts = table(Post)
_relations = table(Relation)
_slots = table(Slot)


class TargetsNeeded(DutiesError):
    """还有待办没有指定由谁承接，不能撤并。请为每个有待办的职务指定承接职务。"""

    status = 409
    code = "targets_needed"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A post of the unit that ends: what waits on it; who would take it, None: to be chosen."""

    post_id: int
    title: str
    waiting: int
    target: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends with a unit, and what goes where."""

    unit: Unit
    into: Unit
    posts: tuple[Leftover, ...]
    children: tuple[int, ...]
    moves: Moves

    @property
    def open(self) -> tuple[Leftover, ...]:
        """The posts that still need a target."""
        return tuple(post for post in self.posts if post.target is None)


def merge_unit(
    env: Env,
    actor: Actor,
    *,
    unit_id: int,
    into: int,
    targets: Mapping[int, int],
    seen: str,
    key: str,
) -> int:
    """End a unit today: its posts go to ``targets``, its cases and the units below to ``into``.

    ``seen`` is the fingerprint of :func:`ending`; the drain moves what is open. How many slots are
    to move. Errors: NotFound, ``Changed``, :class:`TargetsNeeded`, Invalid for a target that is
    no living post of another unit, or a unit below itself.
    """
    body = {
        "unit": unit_id,
        "into": into,
        "targets": {str(post): targets[post] for post in sorted(targets)},
        "seen": seen,
    }

    def act(work: Work) -> dict[str, int]:
        unit = lock_unit(work, unit_id)
        found = ending(work.db, actor_of(work), unit, into, targets, work.today)
        require_same(seen, found.moves.fingerprint)
        return {"slots": _end(work, found, body)}

    return int(execute(env, actor, "unit.merge", key, body, act)["slots"])


def ending(
    db: Connection,
    who: Standing | None,
    unit: Unit,
    into: int,
    targets: Mapping[int, int],
    on: date,
) -> Ending:
    """What merging a unit into another would do; :class:`Ending` names who still needs a target."""
    successor = unit_of(db, who, into)
    if successor.path.startswith(unit.path):
        raise Invalid("不能并入它自己或它的下级单位。", field="into")
    _check(db, unit, targets)
    there = db.execute(
        select(_posts)
        .where(_posts.c.organisation_id == successor.id, _posts.c.successor_id.is_(None))
        .order_by(_posts.c.rank, _posts.c.id)
    ).all()
    left = [
        Leftover(row.id, row.title, row.waiting, targets.get(row.id) or _target(row, there))
        for row in db.execute(_own_posts(unit.id))
    ]
    below_ = _organisations.c.parent_id == unit.id, _organisations.c.ends_on.is_(None)
    children = db.execute(
        select(_organisations.c.id).where(*below_).order_by(_organisations.c.id)
    ).scalars()
    moves = of_units(db, [unit.id], on)
    return Ending(unit, successor, tuple(left), tuple(children), moves)


def _target(post: Row[Any], there: Any) -> int | None:
    """Only for a post that nothing waits on: the same title, the same kind, or the head."""
    if post.waiting or not there:
        return None
    for name in ("title", "kind"):
        for one in there:
            if one._mapping[name] == post._mapping[name]:
                return int(one.id)
    return int(there[0].id)


def _end(work: Work, found: Ending, body: dict[str, Any]) -> int:
    if found.open:
        raise TargetsNeeded(posts=[post.post_id for post in found.open])
    db, unit, into = work.db, found.unit, found.into
    successors = {post.post_id: post.target for post in found.posts if post.target is not None}
    lock_posts(db, [*successors, *successors.values()])
    for child in found.children:
        put_below(work, unit_of(db, None, child), into)
    abolish(work, successors, found.moves)
    _hand_relations(work, unit.id, into.id, found.moves)
    end_ties(work, found.moves)
    mine = _cases.c.organisation_id == unit.id, _cases.c.state == CaseState.OPEN
    db.execute(update(_cases).where(*mine).values(organisation_id=into.id))
    follow_units(work, unit.id, into.id)
    keep_former(work, unit)
    gone = {"ends_on": work.today, "successor_id": into.id}
    db.execute(update(_organisations).where(_organisations.c.id == unit.id).values(gone))
    said = {"act": "unit_merged", **body, "children": list(found.children)}
    work.audit(STREAM, {**said, "cases": list(found.moves.cases)})
    return len(found.moves.slots)


def _hand_relations(work: Work, unit_id: int, into: int, moves: Moves) -> None:
    """Whom the unit served as an organ, its successor serves from today."""
    ids = _relations.c.id.in_(moves.relations), _relations.c.organ_id == unit_id
    for row in work.db.execute(select(_relations).where(*ids)).all():
        if row.served_id in (unit_id, into):
            continue
        values = {"kind": row.kind, "organ_id": into, "served_id": row.served_id}
        work.db.execute(insert(_relations).values(**values, starts_on=work.today))


def _own_posts(unit_id: int) -> Any:
    waits = (_slots.c.post_id == _posts.c.id) & (_slots.c.state == SlotState.OPEN)
    columns = [_posts.c[name] for name in ("id", "title", "kind", "rank")]
    return (
        select(*columns, func.count(_slots.c.id).label("waiting"))
        .outerjoin(_slots, waits)
        .where(_posts.c.organisation_id == unit_id, _posts.c.successor_id.is_(None))
        .group_by(*columns)
        .order_by(_posts.c.rank, _posts.c.id)
    )


def _check(db: Connection, unit: Unit, targets: Mapping[int, int]) -> None:
    wanted = sorted(set(targets.values()))
    living = _posts.c.id.in_(wanted), _posts.c.successor_id.is_(None)
    elsewhere = _posts.c.organisation_id != unit.id
    found = db.execute(select(func.count()).where(*living, elsewhere)).scalar_one()
    if found != len(wanted):
        raise Invalid("承接职务须是其他单位现有的职务。", field="targets")
