"""拆分: a new unit is made of posts of another one, with the units and cases that go with them.

Posts move as they are: holder, open slots and portfolios stay with them, so nothing waits on
nobody for a moment. Where they stood before stays in history (``FormerPost``).
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from models.base import table
from models.casework import Case, CaseState
from models.organisation import FormerPost, Organisation, Portfolio, Post, Relation
from policy.spans import Days
from services.command import Actor, Work, execute
from services.dated import add_dated
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.moves import Moves, lasting, of_posts
from services.organisers import STREAM, Unit, actor_of, require_same, unit_of
from services.posting import lock_posts
from services.reorganising import LONGEST_NAME, lock_subtree, put_below
from services.sanitising import check_text
from services.scope import Standing

_cases = table(Case)
_former = table(FormerPost)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)


class CodeTaken(DutiesError):
    """这个编码已经使用。"""

    status = 409
    code = "code_taken"


@dataclass(frozen=True, slots=True)
class Parts:
    """What goes to the new unit: posts of the old one, units directly below it, its cases."""

    posts: Collection[int]
    children: Collection[int] = ()
    cases: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """What would go to the new unit."""

    unit: Unit
    moves: Moves


def split_unit(
    env: Env,
    actor: Actor,
    *,
    unit_id: int,
    code: str,
    name: str,
    short_name: str,
    parts: Parts,
    seen: str,
    key: str,
) -> int:
    """Make a unit beside another of its level and kind, from today; its id.

    ``seen`` is the fingerprint of :func:`splitting`. Who served the old unit, or was in charge of
    it, serves and leads both. Errors: NotFound, ``Changed``, :class:`CodeTaken`, Invalid for parts
    that are not the unit's, without a name, or for one whose superior is none of theirs.
    """
    names = {"code": code.strip(), "name": name.strip(), "short_name": short_name.strip()}
    given = {part: sorted(set(getattr(parts, part))) for part in ("posts", "children", "cases")}
    body = {"unit": unit_id, **names, **given, "seen": seen}

    def act(work: Work) -> dict[str, int]:
        unit = lock_subtree(work, unit_id)
        lock_posts(work.db, given["posts"])
        found = splitting(work.db, actor_of(work), unit, parts, work.today)
        require_same(seen, found.moves.fingerprint)
        check_new(work.db, names)
        for name in ("name", "short_name"):
            check_text(actor, "unit.split", name, names[name])
        new = _found(work, unit, names)
        _move_posts(work, unit.id, new.id, given["posts"])
        for child in given["children"]:
            put_below(work, unit_of(work.db, None, child), new)
        mine = _cases.c.id.in_(given["cases"]), _cases.c.state == CaseState.OPEN
        work.db.execute(update(_cases).where(*mine).values(organisation_id=new.id))
        _double_ties(work, unit.id, new.id)
        work.audit(STREAM, {"act": "unit_split", **body, "made": new.id})
        return {"unit": new.id}

    return int(execute(env, actor, "unit.split", key, body, act)["unit"])


def splitting(db: Connection, who: Standing | None, unit: Unit, parts: Parts, on: date) -> Split:
    """What a split would move; errors as of :func:`split_unit`."""
    _founder(db, who, unit)
    mine = _posts.c.organisation_id == unit.id, _posts.c.successor_id.is_(None)
    _all_of(db, _posts, parts.posts, mine, "posts")
    below_ = _organisations.c.parent_id == unit.id, _organisations.c.ends_on.is_(None)
    _all_of(db, _organisations, parts.children, below_, "children")
    running = _cases.c.organisation_id == unit.id, _cases.c.state == CaseState.OPEN
    _all_of(db, _cases, parts.cases, running, "cases")
    if not parts.posts:
        raise Invalid("请选择划入新单位的职务。", field="posts")
    moves = of_posts(db, parts.posts, on)
    return Split(
        unit,
        Moves(
            units=tuple(sorted(parts.children)),
            posts=moves.posts,
            appointments=moves.appointments,
            slots=moves.slots,
            portfolios=moves.portfolios,
            cases=tuple(sorted(parts.cases)),
            places=(unit.path,),
        ),
    )


def _founder(db: Connection, who: Standing | None, unit: Unit) -> None:
    """The new unit stands beside the old one: whoever splits their own would found one that is
    none of theirs."""
    if unit.parent_id is not None:
        with suppress(NotFound):
            unit_of(db, who, unit.parent_id)
            return
    raise Invalid("拆分出的单位归上级管理，请由上级的系统运维员办理。")


def _all_of(db: Connection, rows: Any, ids: Collection[int], conditions: Any, field: str) -> None:
    wanted = sorted(set(ids))
    query = select(func.count()).select_from(rows).where(rows.c.id.in_(wanted), *conditions)
    if db.execute(query).scalar_one() != len(wanted):
        raise Invalid("所选内容中有不属于这个单位的。", field=field)


def check_new(db: Connection, names: dict[str, str]) -> None:
    """Whether a new unit may be called so; Invalid names the field, :class:`CodeTaken`."""
    for field, given in names.items():
        if not given or len(given) > LONGEST_NAME:
            raise Invalid(f"编码和名称须填写，最长 {LONGEST_NAME} 个字。", field=field)
    same = select(_organisations.c.id).where(_organisations.c.code == names["code"])
    if db.execute(same).first() is not None:
        raise CodeTaken(field="code")


def _found(work: Work, unit: Unit, names: dict[str, str]) -> Unit:
    row = work.db.execute(
        select(_organisations.c.level, _organisations.c.kind).where(_organisations.c.id == unit.id)
    ).one()
    values = {**names, "level": row.level, "kind": row.kind, "parent_id": unit.parent_id}
    made = insert(_organisations).values(**values, path="").returning(_organisations.c.id)
    new = int(work.db.execute(made).scalar_one())
    above = unit.path[: -len(f"{unit.id}/")]
    mine = _organisations.c.id == new
    work.db.execute(update(_organisations).where(mine).values(path=f"{above}{new}/"))
    return unit_of(work.db, None, new)


def _move_posts(work: Work, old: int, new: int, post_ids: list[int]) -> None:
    rows = work.db.execute(select(_posts.c.id, _posts.c.title).where(_posts.c.id.in_(post_ids)))
    kept = [
        {"post_id": row.id, "organisation_id": old, "title": row.title, "ends_on": work.today}
        for row in rows
    ]
    work.db.execute(insert(_former), kept)
    mine = update(_posts).where(_posts.c.id.in_(post_ids))
    work.db.execute(mine.values(organisation_id=new))


def _double_ties(work: Work, old: int, new: int) -> None:
    """The organs of the old unit serve the new one on the same days from today, and whoever is in
    charge of it leads both."""
    served = _relations.c.served_id == old, lasting(_relations.c, work.today)
    for row in work.db.execute(select(_relations).where(*served)).all():
        values = {"kind": row.kind, "organ_id": row.organ_id, "served_id": new}
        add_dated(work, _relations, values, _from_today(work, row))
    led = _portfolios.c.unit_id == old, lasting(_portfolios.c, work.today)
    for row in work.db.execute(select(_portfolios).where(*led)).all():
        values = {"post_id": row.post_id, "unit_id": new, "area": row.area}
        add_dated(work, _portfolios, values, _from_today(work, row))


def _from_today(work: Work, row: Any) -> Days:
    return Days(max(row.starts_on, work.today), row.ends_on)
