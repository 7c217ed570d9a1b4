"""Which editions the open cases are pinned to, and whether this code has them (rule F)."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, literal, select, union_all

from models.base import table
from models.casework import Case, CaseState
from models.operating import Launch, LaunchTarget

_cases = table(Case)
_launches = table(Launch)
_targets = table(LaunchTarget)


@dataclass(frozen=True, slots=True)
class MissingEdition:
    """An edition that ``cases`` cases need, open or launched and not opened, and the code lacks."""

    mechanism: str
    edition: int
    cases: int


def missing_editions(db: Connection, known: Collection[tuple[str, int]]) -> list[MissingEdition]:
    """The editions of open and of launched cases that are not among ``known``, by name."""
    opened = select(_cases.c.mechanism, _cases.c.edition, literal(1).label("cases")).where(
        _cases.c.state == CaseState.OPEN
    )
    launched = (
        select(_launches.c.mechanism, _launches.c.edition, literal(1))
        .join(_targets, _targets.c.launch_id == _launches.c.id)
        .where(_launches.c.done_at.is_(None), _targets.c.case_id.is_(None))
    )
    pinned = union_all(opened, launched).subquery()
    by_edition = pinned.c.mechanism, pinned.c.edition
    query = select(*by_edition, func.sum(pinned.c.cases).label("cases"))
    return [
        MissingEdition(row.mechanism, row.edition, int(row.cases))
        for row in db.execute(query.group_by(*by_edition).order_by(*by_edition))
        if (row.mechanism, row.edition) not in known
    ]
