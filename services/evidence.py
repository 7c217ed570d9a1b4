"""Adding evidence (佐证): files that show what was done, given by whoever is asked in that step.

Files are received, looked at and kept before the transaction, never under a lock (rule K); the
rows follow in one command, all of them or none. A file that is refused leaves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from documents.fault import Fault
from models.base import table
from models.casework import Branch, Case, Slot, SlotState, Step
from models.evidence import Evidence, EvidenceFile, EvidenceVersion, EvidenceWithdrawal
from models.problem import Task
from models.substitution import Substitution
from policy.calendar import local_day
from policy.evidence import MOST_FILES, TAKES, About, has_room, note_refusal
from services.audit import commitment
from services.casework.authority import SubstitutionEnded
from services.casework.branch import LockedBranch, lock_branch
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import DutiesError, Invalid, NotAuthorised, NotFound
from services.evidence_intake import Kept, Upload, keep, store_of
from services.faulty import refuse
from services.sanitising import check_text
from services.scope import standing, stands, visible_case

_branches = table(Branch)
_cases = table(Case)
_evidence = table(Evidence)
_files = table(EvidenceFile)
_slots = table(Slot)
_steps = table(Step)
_substitutions = table(Substitution)
_tasks = table(Task)
_versions = table(EvidenceVersion)
_withdrawals = table(EvidenceWithdrawal)


class NotTaken(DutiesError):
    """这一环节已经办结，或者不收佐证，这次没有保存。之前已经上传的，在这一环节的页面可以看到。"""

    status = 409
    code = "evidence_not_taken"


class TooManyVersions(DutiesError):
    """这件佐证的版本已经太多，请另加一件。"""

    status = 409
    code = "too_many_versions"


@dataclass(frozen=True, slots=True)
class Added:
    """What came of it: the pieces, and a version of each, in the order of the files."""

    case_id: int
    evidence: list[int]
    versions: list[int]


def takes_evidence(mechanism: str, key: str) -> bool:
    """Whether who is asked in this step may add evidence."""
    return (mechanism, key) in TAKES


def require_asked(env: Env, actor: Actor, slot_id: int) -> None:
    """Whether :func:`add_evidence` may be tried, before anybody sends a file: NotFound,
    NotAuthorised, :class:`NotTaken`.
    """
    with reading(env.engine) as db:
        asked = asked_in(db, slot_id)
        acting(db, actor, local_day(env.clock()), asked)
        _require_open(asked)


def add_evidence(
    env: Env,
    actor: Actor,
    *,
    slot_id: int,
    uploads: Sequence[Upload],
    note: str,
    key: str,
    evidence_id: int | None = None,
) -> Added:
    """Add files with one sentence, as who holds the post that an open step asks.

    Each is a new piece of evidence; with ``evidence_id`` the one file is its next version. Errors:
    NotFound (missing, or not to be seen), NotAuthorised, :class:`NotTaken` (the step is settled or
    takes none), Invalid, :class:`~services.faulty.Faulty` naming each file that is refused and why,
    :class:`TooManyVersions`, NoRoom and its kin, KeyReused, Busy. Nothing is kept then.
    """
    given = note.strip()
    _check(uploads, given, evidence_id)
    confirmed = check_text(actor, "evidence.add", "note", given)
    store = store_of(env)
    with reading(env.engine) as db:
        acting(db, actor, local_day(env.clock()), asked_in(db, slot_id))
    kept = keep(store, uploads)
    body = {
        "slot": slot_id,
        "evidence": evidence_id,
        "note": given,
        "files": [[one.name, one.draft.sha256] for one in kept],
    }

    def act(work: Work) -> dict[str, Any]:
        work.confirmed |= confirmed
        return _add(work, slot_id, kept, given, key, evidence_id)

    return Added(**execute(env, actor, "evidence.add", key, body, act))


def _check(uploads: Sequence[Upload], note: str, evidence_id: int | None) -> None:
    if not uploads:
        raise Invalid("请选择文件。", field="files")
    if len(uploads) > MOST_FILES:
        raise Invalid(f"一次最多上传 {MOST_FILES} 个文件。", field="files")
    if evidence_id is not None and len(uploads) > 1:
        raise Invalid("新版本只能是一个文件。", field="files")
    wrong = note_refusal(note)
    if wrong is not None:
        raise Invalid(f"{wrong}。", field="note")


def asked_in(db: Connection, slot_id: int) -> Row[Any]:
    """A slot, its step and its branch, as they stand now; NotFound."""
    row = db.execute(
        select(
            _slots.c.id,
            _slots.c.post_id,
            _slots.c.branch_id,
            _slots.c.state,
            _slots.c.step_id,
            _steps.c.key,
            _steps.c.case_id,
            _branches.c.row_kind,
            _branches.c.row_id,
            _cases.c.mechanism,
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_branches, _branches.c.id == _slots.c.branch_id)
        .join(_cases, _cases.c.id == _steps.c.case_id)
        .where(_slots.c.id == slot_id)
    ).first()
    if row is None:
        raise NotFound
    return row


def acting(db: Connection, actor: Actor, on: date, asked: Row[Any]) -> int | None:
    """The substitution by which this person acts, None for the holder of the post. NotAuthorised
    for who is neither; who sees nothing of it is told nothing.
    """
    if actor.person_id is None:
        raise NotAuthorised
    who = standing(db, actor.person_id, on)
    instead = who.stands_in(asked.post_id, asked.mechanism)
    if asked.post_id not in who.post_ids and instead is None:
        visible_case(db, who, asked.case_id)
        raise NotAuthorised
    return instead.substitution_id if instead else None


def hold_acting(work: Work, asked: Row[Any]) -> int | None:
    """:func:`acting`, with the substitution under a lock: whoever revokes it waits for this
    transaction, or is before it.
    """
    substitution_id = acting(work.db, work.actor, work.today, asked)
    if substitution_id is not None:
        rests_on = select(_substitutions.c.id).where(
            _substitutions.c.id == substitution_id, stands(work.today)
        )
        if work.db.execute(rests_on.with_for_update(of=_substitutions, read=True)).first() is None:
            raise SubstitutionEnded
    return substitution_id


def _require_open(asked: Row[Any]) -> None:
    if asked.state != SlotState.OPEN or not takes_evidence(asked.mechanism, asked.key):
        raise NotTaken


def _add(
    work: Work, slot_id: int, kept: Sequence[Kept], note: str, key: str, evidence_id: int | None
) -> dict[str, Any]:
    branch = lock_branch(work, asked_in(work.db, slot_id).branch_id)
    asked = asked_in(work.db, slot_id)  # as it stands now that the branch is locked
    substitution = hold_acting(work, asked)
    _require_open(asked)
    about = about_of(work.db, asked.row_kind, asked.row_id)
    if about is None:
        raise NotTaken
    _refuse_known(work.db, about, kept)
    by = {
        "note": note,
        "slot_id": slot_id,
        "person_id": work.actor.person_id,
        "post_id": asked.post_id,
        "substitution_id": substitution,
        "at": work.now,
    }
    made = [_version(work, asked.case_id, about, one, by, evidence_id) for one in kept]
    _tell(branch, by, made, commitment(key, note, [one.name for one in kept], False))
    return {
        "case_id": branch.case_id,
        "evidence": [one["evidence"] for one in made],
        "versions": [one["version"] for one in made],
    }


def _tell(
    branch: LockedBranch, by: dict[str, Any], made: list[dict[str, Any]], content: str
) -> None:
    branch.note(
        act="evidence",
        slot=by["slot_id"],
        post=by["post_id"],
        substitution=by["substitution_id"],
        versions=made,
        content=content,
    )
    branch.save()


def about_of(db: Connection, row_kind: str, row_id: int) -> About | None:
    """What the evidence given in a branch is about; None for a branch of something else."""
    if row_kind == "task":
        of = select(_tasks.c.problem_id).where(_tasks.c.id == row_id)
        return About(int(db.execute(of).scalar_one()), row_id)
    return About(row_id, None) if row_kind == "problem" else None


def _of(about: About) -> list[Any]:
    task = _evidence.c.task_id
    mine = task.is_(None) if about.task_id is None else task == about.task_id
    return [_evidence.c.problem_id == about.problem_id, mine]


def _refuse_known(db: Connection, about: About, kept: Sequence[Kept]) -> None:
    """The same content again shows nothing more."""
    names = {one.draft.sha256: one.name for one in kept}
    known = (
        select(_files.c.sha256)
        .join(_versions, _versions.c.file_id == _files.c.id)
        .join(_evidence, _evidence.c.id == _versions.c.evidence_id)
        .outerjoin(_withdrawals, _withdrawals.c.version_id == _versions.c.id)
        .where(_files.c.sha256.in_(names), _withdrawals.c.id.is_(None), *_of(about))
    )
    again = set(db.execute(known).scalars())
    refuse(Fault("", 0, names[one], "这里已有内容相同的佐证") for one in again)


def _version(
    work: Work,
    case_id: int,
    about: About,
    one: Kept,
    by: dict[str, Any],
    evidence_id: int | None,
) -> dict[str, Any]:
    db = work.db
    if evidence_id is None:
        number = 1
        piece = {"case_id": case_id, "problem_id": about.problem_id, "task_id": about.task_id}
        made = db.execute(insert(_evidence).returning(_evidence.c.id), piece)
        evidence_id = int(made.scalar_one())
    else:
        number = _next_number(db, about, evidence_id)
    values = {
        "evidence_id": evidence_id,
        "number": number,
        "file_id": row_of_file(work, one),
        "name": one.name,
        **by,
    }
    version = db.execute(insert(_versions).returning(_versions.c.id), values).scalar_one()
    return {
        "evidence": evidence_id,
        "version": int(version),
        "number": number,
        "sha256": one.draft.sha256,
        "size": one.draft.size,
    }


def _next_number(db: Connection, about: About, evidence_id: int) -> int:
    piece = db.execute(
        select(_evidence.c.problem_id, _evidence.c.task_id, func.max(_versions.c.number).label("n"))
        .join(_versions, _versions.c.evidence_id == _evidence.c.id)
        .where(_evidence.c.id == evidence_id)
        .group_by(_evidence.c.problem_id, _evidence.c.task_id)
    ).first()
    if piece is None or not about.may_follow(About(piece.problem_id, piece.task_id)):
        raise NotFound
    if not has_room(piece.n):
        raise TooManyVersions
    return int(piece.n) + 1


def row_of_file(work: Work, one: Kept) -> int:
    """The row of a content, made once whoever sends it."""
    build: Any = sqlite.insert if work.db.dialect.name == "sqlite" else postgresql.insert
    values = {
        "sha256": one.draft.sha256,
        "size": one.draft.size,
        "kind": one.kind,
        "kept_at": work.now,
    }
    work.db.execute(build(_files).on_conflict_do_nothing(index_elements=["sha256"]), values)
    found = select(_files.c.id).where(_files.c.sha256 == one.draft.sha256)
    return int(work.db.execute(found).scalar_one())
