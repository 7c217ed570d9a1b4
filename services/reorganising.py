"""更名、划转: a unit gets another name, or another place in the tree, while its work goes on.

The old name and place stay in history until the day of the change (``FormerOrganisation``). Steps,
posts and cases belong to the unit wherever it stands: superiors are looked up when they are asked.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, and_, func, insert, literal, or_, select, update

from models.base import table
from models.organisation import FormerOrganisation, Organisation, Portfolio, Post, Relation
from services.batches.locking import lock_rows
from services.command import Actor, Work, execute
from services.dated import end_dated
from services.env import Env
from services.errors import Invalid
from services.moves import Moves, below, lasting, of_units
from services.organisers import (
    STREAM,
    Unit,
    actor_of,
    lock_organisation,
    require_same,
    unit_of,
)
from services.sanitising import check_text
from services.scope import Standing

LONGEST_NAME = 80
_former = table(FormerOrganisation)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)


@dataclass(frozen=True, slots=True)
class Reorganisation:
    """What changes with a unit: everything of its subtree, and what ends because it is no longer
    in the old line (portfolios and relations of those who were above)."""

    unit: Unit
    to: Unit | None
    moves: Moves
    ends: Moves

    @property
    def fingerprint(self) -> str:
        """What is given back with the confirmation: of all that moves, and all that ends."""
        return f"{self.moves.fingerprint[:32]}{self.ends.fingerprint[:32]}"


def rename_unit(
    env: Env, actor: Actor, *, unit_id: int, name: str, short_name: str, seen: str, key: str
) -> None:
    """Give a unit another name from today. ``seen`` is the fingerprint of :func:`renaming`.

    Errors: NotFound, ``Changed``, Invalid for a name that is missing, too long or the same.
    """
    names = {"name": name.strip(), "short_name": short_name.strip()}
    body = {"unit": unit_id, **names, "seen": seen}

    def act(work: Work) -> dict[str, int]:
        found = renaming(work.db, lock_unit(work, unit_id), work.today)
        require_same(seen, found.fingerprint)
        check_names(found.unit, names)
        for name, text in names.items():
            check_text(actor, "unit.rename", name, text)
        keep_former(work, found.unit)
        mine = _organisations.c.id == unit_id
        work.db.execute(update(_organisations).where(mine).values(names))
        former = [found.unit.name, found.unit.short_name]
        work.audit(STREAM, {"act": "unit_renamed", **body, "former": former})
        return {"unit": unit_id}

    execute(env, actor, "unit.rename", key, body, act)


def move_unit(env: Env, actor: Actor, *, unit_id: int, to: int, seen: str, key: str) -> None:
    """Put a unit with all below it under another one, from today.

    ``seen`` is the fingerprint of :func:`moving`. Portfolios and relations that the old line had
    to the subtree end. Errors: NotFound, ``Changed``, Invalid for a place below itself, or the
    present one.
    """
    body = {"unit": unit_id, "to": to, "seen": seen}

    def act(work: Work) -> dict[str, int]:
        unit = lock_subtree(work, unit_id)
        found = moving(work.db, actor_of(work), unit, to, work.today)
        require_same(seen, found.fingerprint)
        assert found.to is not None
        put_below(work, unit, found.to)
        end_ties(work, found.ends)
        kept = {"portfolios": list(found.ends.portfolios), "relations": list(found.ends.relations)}
        said = {"act": "unit_moved", **body, "former": unit.parent_id, **kept}
        work.audit(STREAM, {**said, "units": list(found.moves.units)})
        return {"units": len(found.moves.units)}

    execute(env, actor, "unit.move", key, body, act)


def renaming(db: Connection, unit: Unit, on: date) -> Reorganisation:
    """What carries the name of a unit."""
    return Reorganisation(unit, None, of_units(db, [unit.id], on), Moves())


def moving(db: Connection, who: Standing | None, unit: Unit, to: int, on: date) -> Reorganisation:
    """What moves with a unit, and what ends; errors as of :func:`move_unit`."""
    above = unit_of(db, who, to)
    if above.path.startswith(unit.path):
        raise Invalid("不能把单位划入它自己或它的下级单位。", field="to")
    if above.id == unit.parent_id:
        raise Invalid("这个单位已经在所选单位之下。", field="to")
    units = below(db, unit.path)
    left = set(_line(unit.path)) - set(_line(above.path)) - {unit.id}
    moves = of_units(db, units, on)
    moves = replace(moves, places=(*moves.places, above.path))
    return Reorganisation(unit, above, moves, _ties(db, unit.id, units, left, on))


def leaving_line(db: Connection, unit: Unit, into: Unit, moves: Moves, on: date) -> Moves:
    """What ends with a unit and, where those below it come to stand in another line, what those
    above had to do with them."""
    left = set(_line(unit.path)) - set(_line(into.path)) - {unit.id}
    units = tuple(set(below(db, unit.path)) - {unit.id})
    if not left or not units:
        return moves
    ties = _ties(db, None, units, left, on)
    return replace(
        moves,
        portfolios=tuple(sorted({*moves.portfolios, *ties.portfolios})),
        relations=tuple(sorted({*moves.relations, *ties.relations})),
    )


def lock_unit(work: Work, unit_id: int) -> Unit:
    """A unit under its lock, for who may change it; no other unit is changed meanwhile."""
    lock_organisation(work)
    mine = _organisations.c.id == unit_id
    work.db.execute(select(_organisations.c.id).where(mine).with_for_update(key_share=True))
    return unit_of(work.db, actor_of(work), unit_id)


def lock_subtree(work: Work, unit_id: int) -> Unit:
    """:func:`lock_unit` with all below it, closed ones too, before any of their paths changes.

    They are locked as an import locks them, by their ids: a unit may well stand below one with a
    higher id, and whoever locked the one and waits for the other would wait for ever.
    """
    lock_organisation(work)
    unit = unit_of(work.db, actor_of(work), unit_id)
    within = _organisations.c.path.startswith(unit.path, autoescape=True)
    subtree, held = select(_organisations.c.id).where(within), set[int]()
    while wanted := set(work.db.execute(subtree).scalars()) - held:  # new ones, by an import
        lock_rows(work.db, _organisations, wanted)
        held |= wanted
    return unit_of(work.db, actor_of(work), unit_id)


def keep_former(work: Work, unit: Unit) -> None:
    """Note how a unit was called and where it stood until today."""
    values = {"organisation_id": unit.id, "name": unit.name, "short_name": unit.short_name}
    work.db.execute(insert(_former).values(**values, parent_id=unit.parent_id, ends_on=work.today))


def put_below(work: Work, unit: Unit, above: Unit) -> None:
    """Change the place of a unit, and the paths of all below it, closed ones too: who calls holds
    the locks of all these (:func:`lock_subtree`)."""
    keep_former(work, unit)
    path = f"{above.path}{unit.id}/"
    mine = _organisations.c.id == unit.id
    work.db.execute(update(_organisations).where(mine).values(parent_id=above.id))
    rest = func.substr(_organisations.c.path, len(unit.path) + 1)
    within = _organisations.c.path.startswith(unit.path, autoescape=True)
    work.db.execute(update(_organisations).where(within).values(path=literal(path).concat(rest)))


def end_ties(work: Work, ends: Moves) -> None:
    """End portfolios and relations today."""
    end_dated(work, _portfolios, ends.portfolios)
    end_dated(work, _relations, ends.relations)


def _ties(
    db: Connection, top: int | None, units: tuple[int, ...], left: set[int], on: date
) -> Moves:
    """What the units that are no longer above had to do with the subtree, and their own organs; and
    who was in charge of its ``top``: its new superior says anew who is."""
    organs = select(_organisations.c.id).where(
        or_(_organisations.c.id.in_(left), _organisations.c.parent_id.in_(left)),
        _organisations.c.id.not_in(units),
    )
    theirs = select(_posts.c.id).where(_posts.c.organisation_id.in_(organs))
    inside = select(_posts.c.id).where(_posts.c.organisation_id.in_(units))
    led = and_(_portfolios.c.unit_id.in_(units), _portfolios.c.post_id.in_(theirs))
    if top is not None:
        led |= and_(_portfolios.c.unit_id == top, _portfolios.c.post_id.not_in(inside))
    served = _relations.c.served_id.in_(units), _relations.c.organ_id.in_(organs)
    return Moves(
        portfolios=_ids(db, _portfolios, led, lasting(_portfolios.c, on)),
        relations=_ids(db, _relations, *served, lasting(_relations.c, on)),
    )


def _ids(db: Connection, rows: Any, *conditions: Any) -> tuple[int, ...]:
    found = db.execute(select(rows.c.id).where(*conditions).order_by(rows.c.id))
    return tuple(int(id_) for id_ in found.scalars())


def _line(path: str) -> list[int]:
    return [int(part) for part in path.split("/") if part]


def check_names(unit: Unit, names: dict[str, str]) -> None:
    """Invalid, with the field, for a name that is missing, too long, or the same as before."""
    for field, given in names.items():
        if not given or len(given) > LONGEST_NAME:
            raise Invalid(f"名称须填写，最长 {LONGEST_NAME} 个字。", field=field)
    if names == {"name": unit.name, "short_name": unit.short_name}:
        raise Invalid("名称没有变化。", field="name")
