"""The units of an import: those that are there and those of the file, by code or by name."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from documents.organisation_file import UnitRow
from documents.resemble import Resembling
from models.base import table
from models.organisation import Level, Organisation, OrganisationKind, Relation, RelationKind
from services.batches.difference import Difference
from services.establishment import LEVELS
from services.posts import COMMITTEES

AT_ONCE = 10_000
_organisations, _relations = table(Organisation), table(Relation)
_organs, _served = _organisations.alias("organ"), _organisations.alias("served")
_TIES = (
    select(
        _organs.c.code,
        _organs.c.kind,
        _organs.c.short_name,
        _served.c.code,
        _served.c.kind,
        _served.c.short_name,
    )
    .join_from(_relations, _organs, _organs.c.id == _relations.c.organ_id)
    .join(_served, _served.c.id == _relations.c.served_id)
    .where(_relations.c.kind == RelationKind.DISCIPLINE, _relations.c.ends_on.is_(None))
    .order_by(_relations.c.id)
)
_COLUMNS = select(
    _organisations.c.id,
    _organisations.c.code,
    _organisations.c.name,
    _organisations.c.short_name,
    _organisations.c.level,
    _organisations.c.kind,
    _organisations.c.path,
).where(_organisations.c.ends_on.is_(None))


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation that is there."""

    id: int
    code: str
    name: str
    short_name: str
    level: Level
    kind: OrganisationKind
    path: str


@dataclass(frozen=True, slots=True)
class Tie:
    """Who is the discipline organ of whom, where a row of the file gives one of them a new kind.

    Codes, kinds as they are, and what they are called.
    """

    organ: str
    organ_kind: OrganisationKind
    organ_name: str
    served: str
    served_kind: OrganisationKind
    served_name: str


@dataclass(slots=True)
class Units:
    """Who is meant by a code or a name, for somebody who may write below ``under``.

    ``under`` are paths; None: everything. Units that the person may only name (those above, with
    their organs) are known too; what is neither answers like what is not there.
    """

    under: tuple[str, ...] | None
    known: dict[str, Unit] = field(default_factory=dict)
    rows: dict[str, UnitRow] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    """Codes of the file that are used where the person does not look."""
    ties: list[Tie] = field(default_factory=list)
    """Without an end, of units of the file that get a new kind."""
    _names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _near: dict[bool, Resembling] = field(default_factory=dict, compare=False)
    """Codes (True) and names (False) to suggest, once they are asked for."""

    @classmethod
    def of(
        cls,
        db: Connection,
        rows: Sequence[UnitRow],
        under: tuple[str, ...] | None,
    ) -> "Units":
        """What is there, and the first row of the file for each code."""
        made = cls(under)
        for row in db.execute(_seen(under)):
            made.known[row.code] = Unit(*row)
        for new in rows:
            if new.code:
                made.rows.setdefault(new.code, new)
        made._find_taken(db)
        made._find_ties(db)
        for unit in made.known.values():
            made._name(unit.code, unit.name, unit.short_name)
        for new in made.rows.values():
            made._name(new.code, new.name, new.short_name)
        return made

    def find(self, name: str, *, mine: bool = True) -> tuple[str, str]:
        """The code of the unit with a code or name, or ``""`` and why, in Chinese.

        ``mine``: only one that the person may write to.
        """
        codes = self.codes(name, mine=mine)
        if len(codes) == 1:
            return next(iter(codes)), ""
        if codes:
            return "", f"有 {len(codes)} 个“{name}”，请填写编码"
        return "", f"没有“{name}”这个组织{self._hint(name)}"

    def codes(self, name: str, *, mine: bool) -> set[str]:
        """The codes of all units with this code, or else with this name."""
        is_code = name in self.known or name in self.rows
        found = {name} if is_code else self._names.get(name, set())
        return {code for code in found if not mine or self.mine(code)}

    def mine(self, code: str) -> bool:
        """Whether the person may write to it: to what is there by its path, to new units if all
        goes well with their own row."""
        unit = self.known.get(code)
        if unit is None:
            return code in self.rows and code not in self.taken
        return self.under is None or unit.path.startswith(self.under)

    def short_name(self, code: str) -> str:
        """What it is called after the import, shortly."""
        row = self.rows.get(code)
        unit = self.known.get(code)
        if row is not None and row.short_name:
            return row.short_name
        return unit.short_name if unit else row.name if row else code

    def level(self, code: str) -> Level | None:
        """The level it has after the import."""
        row = self.rows.get(code)
        if row is not None:
            return LEVELS.get(row.level)
        return self.known[code].level

    def kind(self, code: str) -> OrganisationKind | None:
        """The kind it has after the import."""
        row = self.rows.get(code)
        if row is not None:
            return OrganisationKind(row.kind) if row.kind else None
        return self.known[code].kind

    def keep_ids(self, found: Difference) -> None:
        """Tell a difference the ids and paths of the units that are there."""
        for unit in self.known.values():
            found.numbers["organisation"][unit.code] = unit.id
            found.paths[unit.id] = unit.path

    def _name(self, code: str, *names: str) -> None:
        for name in names:
            if name:
                self._names[name].add(code)

    def _find_taken(self, db: Connection) -> None:
        wanted = sorted(self.rows.keys() - self.known.keys())
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            codes = select(_organisations.c.code).where(_organisations.c.code.in_(some))
            self.taken |= set(db.execute(codes).scalars())

    def _find_ties(self, db: Connection) -> None:
        rows = ((row, self.known.get(code)) for code, row in self.rows.items())
        ids = sorted(u.id for row, u in rows if u and row.kind and row.kind != u.kind)
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            either = _relations.c.organ_id.in_(some) | _relations.c.served_id.in_(some)
            self.ties += [Tie(*row) for row in db.execute(_TIES.where(either))]

    def _hint(self, name: str) -> str:
        """Codes for what is written like one, else names."""
        coded = name.isascii()
        if coded not in self._near:
            mine = {code for code in (*self.known, *self.rows) if self.mine(code)}
            names = (n for n, codes in self._names.items() if codes & mine)
            self._near[coded] = Resembling(mine if coded else names)
        return self._near[coded].hint(name)


def _seen(under: tuple[str, ...] | None) -> Select[Any]:
    """Every living unit; or those below, those above and the organs of these."""
    if under is None:
        return _COLUMNS
    above = {int(part) for path in under for part in path.split("/") if part}
    organs = and_(_organisations.c.parent_id.in_(above), _organisations.c.kind.not_in(COMMITTEES))
    below = (_organisations.c.path.startswith(path, autoescape=True) for path in under)
    return _COLUMNS.where(or_(*below, _organisations.c.id.in_(above), organs))
