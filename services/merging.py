"""合并、撤销: a unit ends and another takes over its posts' work, its cases and what stands below.

Every post of the unit goes to a post of another unit. One that something waits on needs a target
that a person chose; the others go to the post of the same title or kind there, or to its head.
Closed without a successor (撤销), a unit leaves what is open to its superior, for a case needs a
unit that answers for it; what it served and was in charge of ends, and nobody has it from it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from models.base import table
from models.casework import Case, CaseState, Slot, SlotState
from models.organisation import Organisation, Post, Relation
from policy.spans import Days
from services.command import Actor, Work, execute
from services.dated import add_dated
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.moves import Moves, of_units
from services.organisers import STREAM, Unit, actor_of, require_same, unit_of
from services.posting import abolish, lock_posts
from services.rectification_follow import follow_units
from services.reorganising import end_ties, keep_former, leaving_line, lock_subtree, put_below
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
    takers: tuple[int, ...]
    """The units whose posts may take what is open."""
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
    no living post of ``takers``, or a unit below itself.
    """
    body = {
        "unit": unit_id,
        "into": into,
        "targets": {str(post): targets[post] for post in sorted(targets)},
        "seen": seen,
    }

    def act(work: Work) -> dict[str, int]:
        unit = lock_subtree(work, unit_id)
        found = ending(work.db, actor_of(work), unit, into, targets, work.today)
        require_same(seen, found.moves.fingerprint)
        return {"slots": _end(work, found, body)}

    return int(execute(env, actor, "unit.merge", key, body, act)["slots"])


def close_unit(
    env: Env, actor: Actor, *, unit_id: int, targets: Mapping[int, int], seen: str, key: str
) -> int:
    """End a unit today without a successor: what is open goes to ``targets``, its cases and the
    units below to its superior; its portfolios and relations end. How many slots are to move.

    ``seen`` is the fingerprint of :func:`closure`. Errors as of :func:`merge_unit`, and Invalid
    for a unit that has no superior.
    """
    body = {"unit": unit_id, "targets": _said(targets), "seen": seen}

    def act(work: Work) -> dict[str, int]:
        unit = lock_subtree(work, unit_id)
        found = closure(work.db, actor_of(work), unit, targets, work.today)
        require_same(seen, found.moves.fingerprint)
        return {"slots": _end(work, found, body, closed=True)}

    return int(execute(env, actor, "unit.close", key, body, act)["slots"])


def closure(
    db: Connection, who: Standing | None, unit: Unit, targets: Mapping[int, int], on: date
) -> Ending:
    """What closing a unit would do: as :func:`ending`, with its superior taking what is left."""
    if unit.parent_id is None:
        raise Invalid("这个单位没有上级，不能撤销；请改用合并。")
    return ending(db, who, unit, unit.parent_id, targets, on)


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
    children = tuple(
        db.execute(
            select(_organisations.c.id).where(*below_).order_by(_organisations.c.id)
        ).scalars()
    )
    takers = _takers(db, who, successor, children)
    _check(db, takers, targets)
    moves = of_units(db, [unit.id], on)
    moves = replace(moves, places=(*moves.places, successor.path))
    moves = leaving_line(db, unit, successor, moves, on)
    return Ending(unit, successor, tuple(left), children, takers, moves)


def _takers(
    db: Connection, who: Standing | None, into: Unit, children: tuple[int, ...]
) -> tuple[int, ...]:
    """The unit that takes over, those above it and those that stood below the ended one, as far as
    the person may change them: what is open does not go where somebody has no say."""
    found = []
    for unit_id in (*(int(part) for part in reversed(into.path.split("/")) if part), *children):
        with suppress(NotFound):
            found.append(unit_of(db, who, unit_id).id)
    return tuple(found)


def _target(post: Row[Any], there: Any) -> int | None:
    """Only for a post that nothing waits on: the same title, the same kind, or the head."""
    if post.waiting or not there:
        return None
    for name in ("title", "kind"):
        for one in there:
            if one._mapping[name] == post._mapping[name]:
                return int(one.id)
    return int(there[0].id)


def _said(targets: Mapping[int, int]) -> dict[str, int]:
    return {str(post): targets[post] for post in sorted(targets)}


def _end(work: Work, found: Ending, body: dict[str, Any], *, closed: bool = False) -> int:
    if found.open:
        raise TargetsNeeded(posts=[post.post_id for post in found.open])
    db, unit, into = work.db, found.unit, found.into
    successors = {post.post_id: post.target for post in found.posts if post.target is not None}
    lock_posts(db, [*successors, *successors.values()])
    for child in found.children:
        put_below(work, unit_of(db, None, child), into)
    abolish(work, successors, found.moves, hand_portfolios=not closed)
    if not closed:
        _hand_relations(work, unit.id, into.id, found.moves)
    end_ties(work, found.moves)
    mine = _cases.c.organisation_id == unit.id, _cases.c.state == CaseState.OPEN
    db.execute(update(_cases).where(*mine).values(organisation_id=into.id))
    follow_units(work, unit.id, into.id)
    keep_former(work, unit)
    gone = {"ends_on": work.today, "successor_id": None if closed else into.id}
    db.execute(update(_organisations).where(_organisations.c.id == unit.id).values(gone))
    said = {"act": "unit_closed" if closed else "unit_merged", **body}
    left = {"children": list(found.children), "cases": list(found.moves.cases)}
    work.audit(STREAM, {**said, "left_to": into.id, **left})
    return len(found.moves.slots)


def _hand_relations(work: Work, unit_id: int, into: int, moves: Moves) -> None:
    """Whom the unit serves as an organ, or will, its successor serves on the same days from today,
    except where it does already."""
    ids = _relations.c.id.in_(moves.relations), _relations.c.organ_id == unit_id
    for row in work.db.execute(select(_relations).where(*ids)).all():
        if row.served_id in (unit_id, into):
            continue
        values = {"kind": row.kind, "organ_id": into, "served_id": row.served_id}
        add_dated(work, _relations, values, Days(max(row.starts_on, work.today), row.ends_on))


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


def _check(db: Connection, takers: tuple[int, ...], targets: Mapping[int, int]) -> None:
    wanted = sorted(set(targets.values()))
    living = _posts.c.id.in_(wanted), _posts.c.successor_id.is_(None)
    near = _posts.c.organisation_id.in_(takers)
    found = db.execute(select(func.count()).where(*living, near)).scalar_one()
    if found != len(wanted):
        raise Invalid("请从所列的职务中选择承接职务。", field="targets")
