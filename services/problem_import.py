"""A feedback file becomes problems, manifestations, draft tasks, and the case that answers it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, insert, select

from documents.fault import Fault
from documents.feedback import PROBLEMS, Feedback, ProblemRow, read_feedback
from models.base import table
from models.casework import Case
from models.organisation import Organisation
from models.problem import Manifestation, ManifestationUnit, Problem, ProblemState
from policy.calendar import local_day
from services.command import Actor, Work, execute
from services.database import reading
from services.directory import Directory
from services.env import Env
from services.errors import DutiesError, Invalid
from services.faulty import refuse
from services.ids import reserve
from services.importing import importing_for, unit_for
from services.receipt import receipt
from services.rectification import start_within
from services.sanitising import check_file, check_text
from services.task_rows import planned, write_tasks

STREAM = "import"
_LONGEST_BATCH = 40
_cases = table(Case)
_manifestations = table(Manifestation)
_organisations = table(Organisation)
_problems = table(Problem)
_units = table(ManifestationUnit)


class AlreadyImported(DutiesError):
    """该单位这一批反馈意见已经导入过，没有再次保存。"""

    status = 409
    code = "already_imported"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote; ``case_id`` is None when no case was opened."""

    problems: int
    manifestations: int
    tasks: int
    case_id: int | None
    number: str = ""
    """The number of the case that was opened (巡改〔2026〕14号)."""
    receipt: int = 0
    """Where the receipt is found (:mod:`services.receipt`)."""
    changed: int = 0
    """How much of the file was read otherwise than it is written."""


_COUNTS = tuple(field.name for field in fields(Imported))


def import_feedback(
    env: Env,
    actor: Actor,
    *,
    organisation: str | int,
    data: bytes,
    filename: str,
    key: str,
    open_case: bool = True,
    batch: str = "",
) -> Imported:
    """Import an inspection's feedback to an organisation (its code or id), all of it or nothing.

    ``batch`` tells the rounds of one organisation apart; by default it is the year in Shanghai.
    With ``open_case`` the rectification is opened in the same transaction. Errors:
    :class:`~services.faulty.Faulty` with every fault by sheet, row and column;
    :class:`AlreadyImported`; :class:`~services.importing.MayNotImport`; ``Invalid`` for a name of
    the batch that is too long or must not be stored.
    """
    _check_batch(batch)
    for name, text in (("batch", batch), ("filename", filename)):
        check_text(actor, "problem.import", name, text)
    with reading(env.engine) as db:
        unit_for(db, actor, local_day(env.clock()), organisation)
    feedback = read_feedback(data, filename)
    if not feedback.problems:
        refuse(feedback.faults)
    body = {
        "organisation": organisation,
        "sha256": hashlib.sha256(data).hexdigest(),
        "filename": filename,
        "open_case": open_case,
        "batch": batch,
    }

    def act(work: Work) -> dict[str, Any]:
        return _import(work, feedback, body)

    return imported(execute(env, actor, "problem.import", key, body, act))


def imported(done: Mapping[str, Any]) -> Imported:
    """What an import wrote, of the result that is kept of it."""
    return Imported(**{name: done[name] for name in _COUNTS if name in done})


def _import(work: Work, feedback: Feedback, body: Mapping[str, Any]) -> dict[str, Any]:
    unit = importing_for(work, body["organisation"])
    batch = body["batch"] or f"{work.today.year}年"
    refuse_again(work.db, unit.id, batch)
    directory = Directory.of(work.db, unit.id)
    units, faults = _resolved(directory, feedback.problems)
    tasks, more = planned(directory, feedback.tasks)
    refuse(feedback.faults, faults, more)
    work.confirmed |= check_file(work.actor, "problem.import", feedback.notices)
    problem_ids = _write(work.db, feedback.problems, units, (unit.id, batch))
    write_tasks(work.db, tasks, problem_ids)
    case_id = start_within(work, unit.id, batch) if body["open_case"] else None
    done = {
        "problems": len(problem_ids),
        "manifestations": len(feedback.problems),
        "tasks": len(tasks),
        "case_id": case_id,
        "number": _number(work.db, case_id),
    }
    source = {"unit": unit.id, "batch": batch, "sha256": body["sha256"]}
    said = {"act": "feedback_imported", "filename": body["filename"], **source, **done}
    work.audit(STREAM, said)
    return done | receipt(work, body["filename"], feedback.changes)


def _check_batch(batch: str) -> None:
    if len(batch) > _LONGEST_BATCH:
        raise Invalid(f"批次最长 {_LONGEST_BATCH} 个字。", field="batch")


def refuse_again(db: Connection, organisation_id: int, batch: str) -> None:
    """:class:`AlreadyImported` if this batch is there; imports for one organisation wait for each
    other, so the second one sees the first."""
    own = select(_organisations.c.id).where(_organisations.c.id == organisation_id)
    db.execute(own.with_for_update(key_share=True))
    query = select(_problems.c.id).where(
        _problems.c.organisation_id == organisation_id, _problems.c.batch == batch
    )
    if db.execute(query.limit(1)).first() is not None:
        raise AlreadyImported(batch=batch)


def _number(db: Connection, case_id: int | None) -> str:
    query = select(_cases.c.number).where(_cases.c.id == case_id)
    return str(db.execute(query).scalar() or "")


def _resolved(
    directory: Directory, rows: Sequence[ProblemRow]
) -> tuple[dict[int, list[tuple[str, int | None]]], list[Fault]]:
    """The units of each row (by its place in the sheet), and every name that means nobody."""
    units: dict[int, list[tuple[str, int | None]]] = {}
    faults = []
    for row in rows:
        units[row.row] = []
        for name in row.units:
            found = directory.unit_or_collective(name)
            if isinstance(found, str):
                at = row.written_at.get("涉及单位", row.row)
                faults.append(Fault(PROBLEMS, at, "涉及单位", found))
            else:
                units[row.row].append((name, found))
    return units, faults


def _write(
    db: Connection,
    rows: Sequence[ProblemRow],
    units: Mapping[int, Sequence[tuple[str, int | None]]],
    of: tuple[int, str],
) -> dict[int, int]:
    """Insert problems and manifestations of (organisation, batch); problem ids by number."""
    first = {row.number: row for row in reversed(rows)}
    ids = dict(zip(sorted(first), reserve(db, _problems, len(first)), strict=True))
    shown = list(zip(reserve(db, _manifestations, len(rows)), rows, strict=True))
    db.execute(
        insert(_problems),
        [
            {
                "id": ids[number],
                "organisation_id": of[0],
                "batch": of[1],
                "number": number,
                "category": first[number].category,
                "area": first[number].area,
                "text": first[number].text,
                "state": ProblemState.OPEN,
            }
            for number in sorted(first)
        ],
    )
    db.execute(
        insert(_manifestations),
        [
            {
                "id": id_,
                "problem_id": ids[row.number],
                "number": row.manifestation,
                "text": row.shows,
            }
            for id_, row in shown
        ],
    )
    concerned = [
        {"manifestation_id": id_, "unit_id": unit_id, "name": name}
        for id_, row in shown
        for name, unit_id in units[row.row]
    ]
    db.execute(insert(_units), concerned)
    return ids
