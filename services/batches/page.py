"""What pages show of imports: the latest ones, and one with its lines by sheet and act."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, true

from documents.organisation_file import TERMS
from models.base import table
from models.batch import Batch, BatchLine, LineAct
from models.organisation import Organisation
from policy.batch import BatchState
from services.batches.difference import Field
from services.batches.seen import sees_batch
from services.batches.undoing import in_the_way
from services.errors import NotFound
from services.scope import Standing

PAGE = 100
RECENT = 20
_batches = table(Batch)
_lines = table(BatchLine)
_organisations = table(Organisation)
_HEAD = select(
    _batches.c.id,
    _batches.c.state,
    _batches.c.filename,
    _batches.c.sha256,
    _batches.c.fingerprint,
    _batches.c.said,
    _batches.c.staged_at,
    _batches.c.applied_at,
    _batches.c.undone_at,
    _organisations.c.short_name.label("unit"),
).outerjoin(_organisations, _organisations.c.id == _batches.c.organisation_id)


@dataclass(frozen=True, slots=True)
class Head:
    """An import as a list shows it; ``unit`` is whose 系统运维员 sent it, None: the system."""

    id: int
    state: BatchState
    filename: str
    sha256: str
    fingerprint: str
    said: dict[str, Any]
    staged_at: datetime
    applied_at: datetime | None
    undone_at: datetime | None
    unit: str | None

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many lines of each act, by sheet."""
        found: dict[str, dict[str, int]] = self.said["counts"]
        return found

    def total(self, act: str) -> int:
        """How many lines of an act, over all sheets."""
        return sum(of_sheet[act] for of_sheet in self.counts.values())

    @property
    def appoints(self) -> bool:
        """Whether it says who holds posts: they may need accounts, which no import makes."""
        return TERMS in self.counts

    @property
    def nothing(self) -> bool:
        """Whether the file changes nothing."""
        return not any(self.total(act) for act in LineAct if act is not LineAct.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the preview."""

    n: int
    sheet: str
    row: int
    act: LineAct
    what: str
    fields: tuple[Field, ...]


def recent(db: Connection, who: Standing) -> list[Head]:
    """The latest imports that this person answers for, the newest first."""
    query = _HEAD.where(sees_batch(who)).order_by(_batches.c.id.desc()).limit(RECENT)
    return [Head(*row) for row in db.execute(query)]


def batch_head(db: Connection, who: Standing | None, batch_id: int) -> Head:
    """One import; ``NotFound`` for what is not there or not this person's. None is the system."""
    seen = true() if who is None else sees_batch(who)
    row = db.execute(_HEAD.where(_batches.c.id == batch_id, seen)).first()
    if row is None:
        raise NotFound
    return Head(*row)


def batch_lines(
    db: Connection,
    who: Standing | None,
    batch_id: int,
    *,
    sheet: str = "",
    act: str = "",
    after: int = 0,
) -> list[Shown]:
    """A page of its lines in the order of the file, of one sheet, one act, or all that change."""
    batch_head(db, who, batch_id)
    query = select(_lines).where(_lines.c.batch_id == batch_id, _lines.c.n > after)
    if sheet:
        query = query.where(_lines.c.sheet == sheet)
    if act in set(LineAct):
        query = query.where(_lines.c.act == LineAct(act))
    else:
        query = query.where(_lines.c.act != LineAct.UNCHANGED)
    return [_shown(row) for row in db.execute(query.order_by(_lines.c.n).limit(PAGE))]


def hindrances(db: Connection, who: Standing, batch_id: int) -> list[str]:
    """Why an import cannot be undone now, in Chinese; empty when it can."""
    batch_head(db, who, batch_id)
    return in_the_way(db, batch_id)


def _shown(row: Row[Any]) -> Shown:
    fields = tuple((name, before, after) for name, before, after in row.fields)
    return Shown(row.n, row.sheet, row.row_number, row.act, row.what, fields)
