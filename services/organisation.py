"""The tree of organisations comes in from a table, as one command: all of it or nothing."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from documents.tree import TreeRow, check_tree, parents_first, read_tree
from models.base import table
from models.organisation import Level, Organisation, RelationKind
from policy.access import Action, Reach
from services.audit import canonical
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import NotAuthorised
from services.establishment import IN_CHARGE_BELOW, Establishment, establishment
from services.faulty import refuse
from services.founding import Founding, Placed
from services.posts import COMMITTEES, organ, post_by_title
from services.scope import by, standing

STREAM = "organisation"
_AT_ONCE = 10_000
_organisations = table(Organisation)
_WORDS = {Level.CITY: "省"}
"""A kept 市 may be a 省: what is put below it is checked no more strictly."""


class NotOperator(NotAuthorised):
    """只有系统运维员可以在自己的组织之下导入组织架构。"""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: rows of the table, and everything that was made of them."""

    added: int
    kept: int
    renamed: tuple[str, ...]
    """Codes that were kept although the table calls them otherwise."""
    organisations: int
    posts: int


@dataclass(frozen=True, slots=True)
class TreePreview:
    """What a table would add; ``renamed`` as in :class:`ImportReport`."""

    new: tuple[TreeRow, ...]
    kept: int
    renamed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    id: int
    name: str
    level: Level
    path: str


def import_csv(env: Env, actor: Actor, data: bytes, *, key: str, on: date) -> ImportReport:
    """:func:`import_tree` of a CSV file; :class:`~services.faulty.Faulty` for a bad one."""
    rows, faults = read_tree(data)
    refuse(faults)
    return import_tree(env, actor, rows, key=key, on=on)


def preview_csv(env: Env, data: bytes) -> TreePreview:
    """What :func:`import_csv` would add now; nothing is written. ``Faulty`` for a bad file."""
    rows, faults = read_tree(data)
    refuse(faults)
    with reading(env.engine) as db:
        kept = _kept(db, {row.code for row in rows} | {row.parent_code for row in rows})
    refuse(check_tree(rows, {code: _word(found.level) for code, found in kept.items()}))
    new = parents_first([row for row in rows if row.code not in kept])
    return TreePreview(tuple(new), len(rows) - len(new), tuple(_renamed(rows, kept)))


def import_tree(
    env: Env, actor: Actor, rows: Sequence[TreeRow], *, key: str, on: date
) -> ImportReport:
    """Add the organisations that are new, each with organs, posts, holders and accounts by rule.

    Codes that exist are kept as they are, so the same table again changes nothing. ``on`` is the
    first day of what is made. :class:`~services.faulty.Faulty` names every row and column that is
    wrong; :class:`NotOperator` for anybody but the system and the 系统运维员 above the new rows.
    """
    digest = hashlib.sha256(canonical({"rows": [asdict(row) for row in rows]}).encode())
    body = {"rows": len(rows), "sha256": digest.hexdigest(), "on": on.isoformat()}

    def act(work: Work) -> dict[str, Any]:
        kept = _kept(work.db, {row.code for row in rows} | {row.parent_code for row in rows})
        refuse(check_tree(rows, {code: _word(found.level) for code, found in kept.items()}))
        new = parents_first([row for row in rows if row.code not in kept])
        _check_authority(work, new, kept)
        plans = _plans(work.db, new)
        made = _found(work.db, new, plans, kept, on)
        report = {
            "added": len(new),
            "kept": len(rows) - len(new),
            "renamed": _renamed(rows, kept),
            **made,
        }
        work.audit(STREAM, {"act": "tree_imported", **body, **report})
        return report

    result = execute(env, actor, "organisation.import_tree", key, body, act, rows=("G-1",))
    return ImportReport(**(result | {"renamed": tuple(result["renamed"])}))


def organisation_id(db: Connection, code: str) -> int | None:
    """The id of the organisation with a code, or None."""
    return db.execute(select(_organisations.c.id).where(_organisations.c.code == code)).scalar()


def _found(
    db: Connection,
    new: Sequence[TreeRow],
    plans: Mapping[str, Establishment],
    kept: Mapping[str, _Kept],
    on: date,
) -> dict[str, int]:
    founding = Founding.of(db, list(plans.values()), on)
    placed: dict[str, Placed] = {}
    for row in new:
        parent = row.parent_code
        if parent and parent not in placed:
            placed[parent] = _place(db, kept[parent], on)
        placed[row.code] = founding.found(row.code, plans[row.code], placed.get(parent))
    founding.write(db)
    return {
        "organisations": len(founding.rows["organisation"]),
        "posts": len(founding.rows["post"]),
    }


def _plans(db: Connection, new: Sequence[TreeRow]) -> dict[str, Establishment]:
    roots = [row.code for row in new if not row.parent_code]
    first = db.execute(select(_organisations.c.id).limit(1)).first() is None
    only = roots[0] if first and len(roots) == 1 else None
    return {
        row.code: establishment(
            row.name, row.level, is_root=not row.parent_code, bare=row.code == only
        )
        for row in new
    }


def _kept(db: Connection, codes: Iterable[str]) -> dict[str, _Kept]:
    found = {}
    wanted = sorted(codes)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        rows = db.execute(
            select(
                _organisations.c.code,
                _organisations.c.id,
                _organisations.c.name,
                _organisations.c.level,
                _organisations.c.path,
            ).where(_organisations.c.code.in_(some), _organisations.c.kind.in_(COMMITTEES))
        )
        found.update({code: _Kept(*rest) for code, *rest in rows})
    return found


def _word(level: Level) -> str:
    return _WORDS.get(level, level.value)


def _place(db: Connection, kept: _Kept, on: date) -> Placed:
    """Where an organisation stands that was there before."""
    organs = {}
    for kind in RelationKind:
        try:
            organs[kind] = organ(db, kept.id, kind, on)
        except LookupError:
            continue
    title = IN_CHARGE_BELOW.get(kept.level)
    return Placed(kept.id, kept.path, organs, post_by_title(db, kept.id, title) if title else None)


def _renamed(rows: Sequence[TreeRow], kept: Mapping[str, _Kept]) -> list[str]:
    return sorted(
        row.code
        for row in rows
        if row.code in kept
        and establishment(row.name, row.level, is_root=False).name != kept[row.code].name
    )


def _check_authority(work: Work, new: Sequence[TreeRow], kept: Mapping[str, _Kept]) -> None:
    person_id = work.actor.person_id
    if person_id is None:
        return
    who = standing(work.db, person_id, work.today)
    under = tuple(post.path for post in by(who, Action.CHANGE_UNIT, Reach.IN_LINE))
    codes = {row.code for row in new}
    tops = [row.parent_code for row in new if row.parent_code not in codes]
    if not under or not all(top and kept[top].path.startswith(under) for top in tops):
        raise NotOperator
