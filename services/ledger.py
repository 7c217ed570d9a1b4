"""Taking running work over (存量台账): a ledger is staged, looked at, and confirmed or dropped.

Nothing is written before somebody saw what it means here; confirming reads it again under locks
and writes only what was shown, all of it or nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from documents.ledger import LedgerFile, read_ledger
from models.base import table
from models.casework import Case
from models.ledger import Ledger
from models.organisation import Organisation
from policy.batch import BatchState, may_become
from policy.calendar import local_day
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.faulty import refuse
from services.importing import Unit, importing_for, unit_for
from services.ledger_rows import Placed, place
from services.ledger_writing import carry_on
from services.problem_import import refuse_again
from services.rectification import require_superior
from services.sanitising import check_file, check_text

STREAM = "import"
USUAL_BATCH = "存量"
MOST_TOLD = 500
"""How many changes of form are kept to be shown."""
_LONGEST_BATCH = 40
_cases = table(Case)
_ledgers = table(Ledger)
_organisations = table(Organisation)


class LedgerChanged(DutiesError):
    """您查看之后，有关的单位、职务或者日期又有变动，没有导入。请重新查看后再确认。"""

    status = 409
    code = "ledger_changed"


class LedgerSettled(DutiesError):
    """这份台账已经办理过了（已导入或者已放弃）。"""

    status = 409
    code = "ledger_settled"


@dataclass(frozen=True, slots=True)
class StagedLedger:
    """A ledger as its page shows it; ``case_id`` and ``number`` once it was imported."""

    id: int
    unit: str
    batch: str
    state: BatchState
    filename: str
    fingerprint: str
    said: Mapping[str, Any]
    staged_at: datetime
    applied_at: datetime | None
    case_id: int | None
    number: str


def stage_ledger(
    env: Env,
    actor: Actor,
    *,
    organisation: str | int,
    data: bytes,
    filename: str,
    key: str,
    batch: str = "",
) -> int:
    """Keep a ledger with what it would become; its number. What one had staged before is dropped.

    ``batch`` tells the rounds of one organisation apart. :class:`~services.faulty.Faulty` with
    every fault by sheet, row and column; ``MayNotImport``; ``AlreadyImported``; ``Invalid`` for the
    name of the batch.
    """
    batch = batch.strip() or USUAL_BATCH
    _check_names(actor, batch, filename)
    with reading(env.engine) as db:
        unit_for(db, actor, local_day(env.clock()), organisation)
    file = read_ledger(data, filename)
    if not file.problems:
        refuse(file.faults)
    digest = hashlib.sha256(data).hexdigest()
    body = {"organisation": organisation, "sha256": digest, "filename": filename, "batch": batch}

    def act(work: Work) -> dict[str, int]:
        unit, placed = _placed(work, organisation, batch, file)
        work.confirmed |= check_file(actor, "ledger.stage", file.notices)
        _drop_earlier(work)
        values = {
            "organisation_id": unit.id,
            "batch": batch,
            "state": BatchState.STAGED,
            "filename": filename,
            "sha256": digest,
            "data": data,
            "fingerprint": placed.fingerprint(),
            "said": _said(file, placed),
            "person_id": work.actor.person_id,
            "staged_at": work.now,
        }
        made = insert(_ledgers).values(values).returning(_ledgers.c.id)
        ledger_id = int(work.db.execute(made).scalar_one())
        said = {"act": "ledger_staged", "ledger": ledger_id, "unit": unit.id, "sha256": digest}
        work.audit(STREAM, said)
        return {"ledger": ledger_id}

    return int(execute(env, actor, "ledger.stage", key, body, act)["ledger"])


def confirm_ledger(env: Env, actor: Actor, *, ledger_id: int, fingerprint: str, key: str) -> int:
    """Write a staged ledger and open its case at the stage where the work is; the case's id.

    ``fingerprint`` is of what was shown. If it means something else by now, that is kept to be
    shown and :class:`LedgerChanged` raised; ``Faulty`` if something has become wrong;
    :class:`LedgerSettled`; ``NotFound`` for somebody else's.
    """
    with reading(env.engine) as db:
        staged = _own(db, actor, ledger_id)
        unit_for(db, actor, local_day(env.clock()), staged.organisation_id)
    file = read_ledger(bytes(staged.data or b""), staged.filename)

    def act(work: Work) -> dict[str, Any]:
        row = _lock(work, ledger_id, BatchState.APPLIED)
        unit, placed = _placed(work, row.organisation_id, row.batch, file)
        if not placed.fingerprint() == fingerprint == row.fingerprint:
            shown = {"fingerprint": placed.fingerprint(), "said": _said(file, placed)}
            work.db.execute(_of(ledger_id).values(**shown))
            return {"case": None}
        case_id = carry_on(work, ledger_id, unit.id, row.batch, placed)
        said = _said(file, placed)
        settled = {"case_id": case_id, "applied_at": work.now, "data": None, "said": said}
        work.db.execute(_of(ledger_id).values(state=BatchState.APPLIED, **settled))
        entry = {"act": "ledger_imported", "ledger": ledger_id, "case": case_id}
        source = {"sha256": row.sha256, "filename": row.filename, "batch": row.batch}
        work.audit(STREAM, entry | source | {"unit": unit.id, "counts": said["counts"]})
        return {"case": case_id}

    body = {"ledger": ledger_id, "fingerprint": fingerprint}
    done = execute(env, actor, "ledger.confirm", key, body, act, rows=("R4.5-1",))
    if done["case"] is None:
        raise LedgerChanged(ledger=ledger_id)
    return int(done["case"])


def drop_ledger(env: Env, actor: Actor, *, ledger_id: int, key: str) -> None:
    """Forget a staged ledger. :class:`LedgerSettled`; ``NotFound`` for somebody else's."""

    def act(work: Work) -> dict[str, int]:
        _lock(work, ledger_id, BatchState.DROPPED)
        work.db.execute(_of(ledger_id).values(state=BatchState.DROPPED, data=None, said={}))
        work.audit(STREAM, {"act": "ledger_dropped", "ledger": ledger_id})
        return {"ledger": ledger_id}

    execute(env, actor, "ledger.drop", key, {"ledger": ledger_id}, act)


def ledger_page(db: Connection, actor: Actor, ledger_id: int) -> StagedLedger:
    """A ledger for who staged it; ``NotFound`` for anybody else's."""
    row = _own(db, actor, ledger_id)
    unit = select(_organisations.c.name).where(_organisations.c.id == row.organisation_id)
    number = select(_cases.c.number).where(_cases.c.id == row.case_id)
    return StagedLedger(
        id=row.id,
        unit=str(db.execute(unit).scalar_one()),
        batch=row.batch,
        state=BatchState(row.state),
        filename=row.filename,
        fingerprint=row.fingerprint,
        said=row.said,
        staged_at=row.staged_at,
        applied_at=row.applied_at,
        case_id=row.case_id,
        number=str(db.execute(number).scalar() or ""),
    )


def _placed(
    work: Work, organisation: str | int, batch: str, file: LedgerFile
) -> tuple[Unit, Placed]:
    """The unit, if the actor may import for it, and the ledger as it is meant there."""
    unit = importing_for(work, organisation)
    require_superior(work, unit.id)
    refuse_again(work.db, unit.id, batch)
    placed = place(work, unit, file)
    refuse(placed.faults)
    return unit, placed


def _said(file: LedgerFile, placed: Placed) -> dict[str, Any]:
    changes = [str(change) for change in file.changes]
    return placed.said() | {"changes": changes[:MOST_TOLD], "change_count": len(changes)}


def _check_names(actor: Actor, batch: str, filename: str) -> None:
    if len(batch) > _LONGEST_BATCH:
        raise Invalid(f"批次最长 {_LONGEST_BATCH} 个字。", field="batch")
    for name, text in (("batch", batch), ("filename", filename)):
        check_text(actor, "ledger.stage", name, text)


def _own(db: Connection, actor: Actor, ledger_id: int, *, lock: bool = False) -> Row[Any]:
    """Who staged it sees it; what the command line staged, the command line."""
    mine = _ledgers.c.id == ledger_id, _mine(actor)
    query = select(_ledgers).where(*mine)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound
    return row


def _mine(actor: Actor) -> Any:
    person = actor.person_id
    return _ledgers.c.person_id.is_(None) if person is None else _ledgers.c.person_id == person


def _lock(work: Work, ledger_id: int, wanted: BatchState) -> Row[Any]:
    row = _own(work.db, work.actor, ledger_id, lock=True)
    if not may_become(BatchState(row.state), wanted):
        raise LedgerSettled
    return row


def _of(ledger_id: int) -> Any:
    return update(_ledgers).where(_ledgers.c.id == ledger_id)


def _drop_earlier(work: Work) -> None:
    """One staged ledger a person: who uploads the mended one means that one."""
    earlier = update(_ledgers).where(_mine(work.actor), _ledgers.c.state == BatchState.STAGED)
    work.db.execute(earlier.values(state=BatchState.DROPPED, data=None, said={}))
