"""Staging a file with what it would change, confirming it, and dropping it.

Nothing of the organisation is written before the difference was shown and confirmed; confirming
compares anew, and writes only the difference that was shown.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from documents.organisation_file import OrganisationFile, read_organisation_file
from models.base import table
from models.batch import Batch, BatchKind, BatchLine
from policy.access import Action, Reach
from policy.batch import BatchState, may_become
from policy.calendar import local_day
from services.audit import lock_stream
from services.batches.comparing import There, compare, look
from services.batches.difference import Difference, Lines
from services.batches.following import follow_import
from services.batches.gaps import gaps_left
from services.batches.seen import sees_batch
from services.batches.writing import carry_out, insert_many
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import DutiesError, NotFound
from services.faulty import refuse
from services.organisation import NotOperator
from services.sanitising import check_text
from services.scope import by, standing

STREAM = "organisation_import"
"""The audit of imports has a chain of its own: its head is locked first, so that they take turns,
and nobody who changes one post waits for it."""
TOLD = 500
"""How many changes of form, and how many gaps, are kept to be shown."""
_batches = table(Batch)
_lines = table(BatchLine)


class DifferenceChanged(DutiesError):
    """您查看之后，系统中的内容又有变动，没有导入。请查看新的变动后再确认。"""

    status = 409
    code = "difference_changed"


class AlreadySettled(DutiesError):
    """这次导入已经办理过了（已导入、已放弃或者已撤销）。"""

    status = 409
    code = "already_settled"


@dataclass(frozen=True, slots=True)
class Importer:
    """Where somebody may import: below which paths (None: everywhere), for which organisation."""

    under: tuple[str, ...] | None
    organisation_id: int | None


@dataclass(frozen=True, slots=True)
class _Compared:
    """A file against what was there on a day; ``said`` is what the batch keeps of it."""

    on: date
    there: There
    difference: Difference
    fingerprint: str
    said: dict[str, Any]


def importer(db: Connection, actor: Actor, on: date) -> Importer:
    """The system, or a 系统运维员: what stands at or below their organisations. NotOperator."""
    if actor.person_id is None:
        return Importer(None, None)
    who = standing(db, actor.person_id, on)
    held = by(who, Action.IMPORT_UNITS, Reach.IN_LINE)
    operates = sorted(held, key=lambda post: len(post.path))
    if not operates:
        raise NotOperator
    return Importer(tuple(post.path for post in operates), operates[0].organisation_id)


def stage(env: Env, actor: Actor, *, data: bytes, filename: str, key: str) -> int:
    """Keep a file with what it would change; the number of the batch.

    It is compared outside of the transaction that keeps it, so that nobody waits for that. What
    the same person had staged before and not confirmed is dropped.
    :class:`~services.faulty.Faulty` with everything that is wrong, by sheet, row and column;
    :class:`~services.organisation.NotOperator`.
    """
    check_text(actor, "batch.stage", "filename", filename)
    digest, on = hashlib.sha256(data).hexdigest(), local_day(env.clock())
    with reading(env.engine) as db:
        importer(db, actor, on)  # nobody else has a file read
    file = read_organisation_file(data, filename)
    with reading(env.engine) as db:
        there = look(db, file, under=importer(db, actor, on).under)
        found = _compare(file, there, actor, on)
    refuse(found.difference.faults)

    def act(work: Work) -> dict[str, int]:
        who = importer(work.db, actor, work.today)
        lock_stream(work.db, STREAM)
        _drop_earlier(work)
        values = {
            "kind": BatchKind.ORGANISATION,
            "state": BatchState.STAGED,
            "filename": filename,
            "sha256": digest,
            "data": data,
            "fingerprint": found.fingerprint,
            "on_day": on,
            "person_id": work.actor.person_id,
            "organisation_id": who.organisation_id,
            "said": found.said,
            "staged_at": work.now,
        }
        made = insert(_batches).values(values).returning(_batches.c.id)
        batch_id = int(work.db.execute(made).scalar_one())
        _keep_lines(work.db, batch_id, found.difference.lines)
        work.audit(STREAM, {"act": "batch_staged", "batch": batch_id, "sha256": digest})
        return {"batch": batch_id}

    body = {"sha256": digest, "filename": filename}
    return int(execute(env, actor, "batch.stage", key, body, act)["batch"])


def confirm(env: Env, actor: Actor, *, batch_id: int, fingerprint: str, key: str) -> None:
    """Write a staged file's difference, all of it or nothing.

    ``fingerprint`` is of the difference that was shown. If it is another one by now, that one is
    kept to be shown and :class:`DifferenceChanged` raised; ``Faulty`` if the file has become wrong
    meanwhile; :class:`AlreadySettled`; ``NotFound`` for a batch out of sight.
    """
    file = _staged_file(env, actor, batch_id)
    before = _compared_before(env, actor, file)

    def act(work: Work) -> dict[str, Any]:
        lock_stream(work.db, STREAM)
        _lock(work, batch_id, BatchState.APPLIED)
        found = _compared(work, file, before, fingerprint)
        if not found.fingerprint == fingerprint == _fingerprint(work.db, batch_id):
            _keep_difference(work, batch_id, found)
            return {"changed": True}
        ids = carry_out(work.db, batch_id, found.difference)
        gaps = gaps_left(work.db, found.difference, ids, work.today)
        follow_import(work, batch_id, found.difference.shifted)
        said = found.said | {"gaps": gaps[:TOLD], "gap_count": len(gaps)}
        settle(work, batch_id, BatchState.APPLIED, said=said, applied_at=work.now)
        entry = {"act": "batch_applied", "batch": batch_id, "counts": said["counts"]}
        work.audit(STREAM, entry | {"fingerprint": fingerprint})
        return {"changed": False}

    body = {"batch": batch_id, "fingerprint": fingerprint}

    def carried_out() -> bool:
        return bool(execute(env, actor, "batch.confirm", key, body, act, rows=("G-1",))["changed"])

    try:
        differs = carried_out()
    except IntegrityError:  # somebody was quicker with a code, number or title, and it shows now
        differs = carried_out()
    if differs:
        raise DifferenceChanged(batch=batch_id)


def drop(env: Env, actor: Actor, *, batch_id: int, key: str) -> None:
    """Forget a staged file. :class:`AlreadySettled`; ``NotFound`` for a batch out of sight."""

    def act(work: Work) -> dict[str, int]:
        lock_stream(work.db, STREAM)
        _lock(work, batch_id, BatchState.DROPPED)
        settle(work, batch_id, BatchState.DROPPED)
        _forget_lines(work.db, batch_id)
        work.audit(STREAM, {"act": "batch_dropped", "batch": batch_id})
        return {"batch": batch_id}

    execute(env, actor, "batch.drop", key, {"batch": batch_id}, act)


def settle(work: Work, batch_id: int, state: BatchState, **values: Any) -> None:
    """The one place that changes the state of a batch, which is locked; the file goes with it."""
    change = update(_batches).where(_batches.c.id == batch_id)
    work.db.execute(change.values(state=state, data=None, **values))


def lock(work: Work, batch_id: int) -> BatchState:
    """Lock a batch the actor may see, and say where it stands; ``NotFound`` otherwise."""
    query = select(_batches.c.state).where(_batches.c.id == batch_id)
    if work.actor.person_id is not None:
        query = query.where(sees_batch(standing(work.db, work.actor.person_id, work.today)))
    state = work.db.execute(query.with_for_update()).scalar()
    if state is None:
        raise NotFound
    return BatchState(state)


def _lock(work: Work, batch_id: int, wanted: BatchState) -> None:
    if not may_become(lock(work, batch_id), wanted):
        raise AlreadySettled


def _staged_file(env: Env, actor: Actor, batch_id: int) -> OrganisationFile:
    """The file of a batch, read outside of any transaction; nothing for one without.

    Who may see the batch is asked here too: nobody has a file read that they may not see.
    """
    query = select(_batches.c.data, _batches.c.filename).where(_batches.c.id == batch_id)
    with reading(env.engine) as db:
        if actor.person_id is not None:
            query = query.where(sees_batch(standing(db, actor.person_id, local_day(env.clock()))))
        row = db.execute(query).first()
    if row is None:
        raise NotFound
    if row.data is None:
        return OrganisationFile()
    return read_organisation_file(bytes(row.data), row.filename)


def _compared_before(env: Env, actor: Actor, file: OrganisationFile) -> _Compared | None:
    """Compared while nobody waits for it; None for who may not import (any more)."""
    on = local_day(env.clock())
    with reading(env.engine) as db:
        try:
            under = importer(db, actor, on).under
        except NotOperator:
            return None
        there = look(db, file, under=under)
        return _compare(file, there, actor, on)


def _compared(
    work: Work, file: OrganisationFile, before: _Compared | None, shown: str
) -> _Compared:
    """Compared under locks, for whoever acts; ``Faulty`` if something is wrong.

    When all that a comparison reads is as it was before, so is what comes out.
    """
    under = importer(work.db, work.actor, work.today).under
    there = look(work.db, file, under=under, lock=True)
    same = before is not None and (before.on, before.fingerprint) == (work.today, shown)
    if before is None or not (same and there.same_as(before.there)):
        before = _compare(file, there, work.actor, work.today)
    refuse(before.difference.faults)
    return before


def _compare(file: OrganisationFile, there: There, actor: Actor, on: date) -> _Compared:
    found = compare(file, there, importer=actor.person_id, on=on)
    changes = [str(change) for change in file.changes]
    said = {
        "counts": found.lines.counts(),
        "changes": changes[:TOLD],
        "change_count": len(changes),
    }
    return _Compared(on, there, found, found.fingerprint, said)


def _keep_difference(work: Work, batch_id: int, found: _Compared) -> None:
    """Instead of the one that was shown before."""
    _forget_lines(work.db, batch_id)
    _keep_lines(work.db, batch_id, found.difference.lines)
    change = {"fingerprint": found.fingerprint, "on_day": found.on, "said": found.said}
    work.db.execute(update(_batches).where(_batches.c.id == batch_id).values(**change))


def _keep_lines(db: Connection, batch_id: int, lines: Lines) -> None:
    rows = (
        {
            "batch_id": batch_id,
            "n": n,
            "sheet": line.sheet,
            "row_number": line.row,
            "act": line.act,
            "what": line.what,
            "fields": [list(one) for one in line.fields],
        }
        for n, line in enumerate(lines, start=1)
    )
    insert_many(db, _lines, rows)


def _forget_lines(db: Connection, batch_id: int) -> None:
    db.execute(delete(_lines).where(_lines.c.batch_id == batch_id))


def _fingerprint(db: Connection, batch_id: int) -> str:
    query = select(_batches.c.fingerprint).where(_batches.c.id == batch_id)
    return str(db.execute(query).scalar_one())


def _drop_earlier(work: Work) -> None:
    """One staged file a person: who uploads the mended one means that one."""
    person = work.actor.person_id
    own = _batches.c.person_id == person if person else _batches.c.person_id.is_(None)
    query = select(_batches.c.id).where(own, _batches.c.state == BatchState.STAGED)
    for batch_id in work.db.execute(query.with_for_update()).scalars().all():
        settle(work, batch_id, BatchState.DROPPED)
        _forget_lines(work.db, batch_id)
