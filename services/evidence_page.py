"""Evidence as people read it, each piece with its versions, and where else the same file serves.

Whoever may see the case may see its evidence; the hint about the same file names other problems
only as far as this reader may see theirs (trap 15).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.casework import Branch, BranchState, Case, Slot, SlotState
from models.evidence import Evidence, EvidenceFile, EvidenceVersion, EvidenceWithdrawal
from models.organisation import Organisation, Post
from models.problem import Problem, Task
from policy.evidence import PICTURES, SHOWN, About, FileKind, has_room, may_withdraw
from services.errors import NotFound
from services.scope import Standing, post_name, sees_case, visible_case
from services.substitutes import in_place, substitute_names

_branches = table(Branch)
_cases = table(Case)
_evidence = table(Evidence)
_files = table(EvidenceFile)
_organisations = table(Organisation)
_posts = table(Post)
_problems = table(Problem)
_slots = table(Slot)
_tasks = table(Task)
_versions = table(EvidenceVersion)
_withdrawals = table(EvidenceWithdrawal)


@dataclass(frozen=True, slots=True)
class AlsoFor:
    """Another problem that the same file is evidence of."""

    problem_id: int
    number: int
    unit: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a version was taken back: by whom, when and why."""

    post: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Version:
    """A file of a piece of evidence. ``size`` in bytes."""

    id: int
    number: int
    name: str
    kind: FileKind
    size: int
    note: str
    post: str
    """Whose it was to give; ``副书记代书记`` where somebody stood in."""
    at: datetime
    also_for: tuple[AlsoFor, ...]
    withdrawn: Withdrawal | None
    """None for one that counts."""
    may_withdraw: bool
    """Whether this person may take it back now."""

    @property
    def shown(self) -> bool:
        """Whether a browser shows it by itself; otherwise it is downloaded."""
        return self.kind in SHOWN

    @property
    def picture(self) -> bool:
        """Whether it is a picture."""
        return self.kind in PICTURES

    @property
    def length(self) -> str:
        """Its size as people read it: ``0.3 MB``, ``12 KB``."""
        if self.size >= 2**20 // 10:
            return f"{self.size / 2**20:.1f} MB"
        return f"{-(-self.size // 2**10)} KB"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of evidence; ``versions`` the newest first. ``task`` is '' for one of the problem."""

    id: int
    case_id: int
    problem_id: int
    problem: int
    task_id: int | None
    task: str
    versions: tuple[Version, ...]

    @property
    def newest(self) -> Version:
        """The last version that counts; the last of all where none does."""
        return next((one for one in self.versions if one.withdrawn is None), self.versions[0])

    @property
    def counts(self) -> bool:
        """Whether it is evidence still: not every version was taken back."""
        return self.newest.withdrawn is None

    def may_have_next(self, about: About) -> bool:
        """Whether a step about this may give its next version."""
        mine = About(self.problem_id, self.task_id)
        return about.may_follow(mine) and has_room(self.versions[0].number)


def of_problem(db: Connection, who: Standing, problem_id: int) -> tuple[Piece, ...]:
    """The evidence of a problem and its tasks, the oldest piece first. The caller knows that this
    person may see the case.
    """
    return _pieces(db, who, _evidence.c.problem_id == problem_id)


def of_task(db: Connection, who: Standing, task_id: int) -> tuple[Piece, ...]:
    """The evidence of one task, as :func:`of_problem`."""
    return _pieces(db, who, _evidence.c.task_id == task_id)


def piece(db: Connection, who: Standing, evidence_id: int) -> Piece:
    """A piece for somebody who may see its case; NotFound for everybody else."""
    row = db.execute(select(_evidence.c.case_id).where(_evidence.c.id == evidence_id)).first()
    if row is None:
        raise NotFound
    visible_case(db, who, row.case_id)
    return _pieces(db, who, _evidence.c.id == evidence_id)[0]


def piece_of(db: Connection, version_id: int) -> int:
    """The piece that a version belongs to; NotFound. Who may see it, :func:`piece` decides."""
    of = select(_versions.c.evidence_id).where(_versions.c.id == version_id)
    found = db.execute(of).scalar()
    if found is None:
        raise NotFound
    return int(found)


def _pieces(db: Connection, who: Standing, condition: Any) -> tuple[Piece, ...]:
    rows = db.execute(_listed().where(condition)).all()
    shared = _shared(db, who, rows)
    named = [one for row in rows for one in (row.substitution_id, row.withdrawn_in)]
    substitutes = substitute_names(db, named)
    versions: dict[int, list[Version]] = defaultdict(list)
    for row in rows:
        also = () if row.withdrawn_at else shared[row.file_id]  # what was taken back serves none
        others = tuple(one for one in also if one.problem_id != row.problem_id)
        versions[row.evidence_id].append(_version(row, who, substitutes, others))
    heads = {row.evidence_id: row for row in rows}
    return tuple(_piece(row, tuple(versions[id_])) for id_, row in heads.items())


def _piece(row: Row[Any], versions: tuple[Version, ...]) -> Piece:
    return Piece(
        id=row.evidence_id,
        case_id=row.case_id,
        problem_id=row.problem_id,
        problem=row.problem,
        task_id=row.task_id,
        task=row.task or "",
        versions=versions,
    )


def _listed() -> Any:
    by, of = _posts.alias(), _organisations.alias()
    return (
        select(
            _versions,
            _files.c.kind,
            _files.c.size,
            _evidence.c.case_id,
            _evidence.c.problem_id,
            _evidence.c.task_id,
            _problems.c.number.label("problem"),
            _tasks.c.number.label("task"),
            _posts.c.title,
            _organisations.c.short_name,
            _slots.c.post_id.label("asked"),
            _slots.c.state,
            _branches.c.state.label("branch_state"),
            _cases.c.mechanism,
            _withdrawals.c.reason,
            _withdrawals.c.at.label("withdrawn_at"),
            _withdrawals.c.substitution_id.label("withdrawn_in"),
            by.c.title.label("withdrawn_title"),
            of.c.short_name.label("withdrawn_unit"),
        )
        .join(_evidence, _evidence.c.id == _versions.c.evidence_id)
        .join(_files, _files.c.id == _versions.c.file_id)
        .join(_problems, _problems.c.id == _evidence.c.problem_id)
        .outerjoin(_tasks, _tasks.c.id == _evidence.c.task_id)
        .join(_posts, _posts.c.id == _versions.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .join(_slots, _slots.c.id == _versions.c.slot_id)
        .join(_branches, _branches.c.id == _slots.c.branch_id)
        .join(_cases, _cases.c.id == _evidence.c.case_id)
        .outerjoin(_withdrawals, _withdrawals.c.version_id == _versions.c.id)
        .outerjoin(by, by.c.id == _withdrawals.c.post_id)
        .outerjoin(of, of.c.id == by.c.organisation_id)
        .order_by(_evidence.c.id, _versions.c.number.desc())
    )


def _version(
    row: Row[Any], who: Standing, substitutes: Mapping[int, str], others: tuple[AlsoFor, ...]
) -> Version:
    by = post_name(row.short_name, row.title)
    withdrawn = _withdrawal(row, substitutes)
    return Version(
        id=row.id,
        number=row.number,
        name=row.name,
        kind=FileKind(row.kind),
        size=row.size,
        note=row.note,
        post=in_place(by, substitutes.get(row.substitution_id, "")),
        at=row.at,
        also_for=others,
        withdrawn=withdrawn,
        may_withdraw=withdrawn is None and _takes_back(row, who),
    )


def _takes_back(row: Row[Any], who: Standing) -> bool:
    asked = row.asked in who.post_ids or who.stands_in(row.asked, row.mechanism) is not None
    return asked and may_withdraw(
        gave=row.person_id == who.person_id,
        asks=row.state == SlotState.OPEN,
        unreached=row.state == SlotState.UNREACHED and row.branch_state == BranchState.OPEN,
    )


def _withdrawal(row: Row[Any], substitutes: Mapping[int, str]) -> Withdrawal | None:
    if row.withdrawn_at is None:
        return None
    by = post_name(row.withdrawn_unit, row.withdrawn_title)
    named = in_place(by, substitutes.get(row.withdrawn_in, ""))
    return Withdrawal(named, row.withdrawn_at, row.reason)


def _shared(db: Connection, who: Standing, rows: Sequence[Row[Any]]) -> dict[int, list[AlsoFor]]:
    """The problems that this person may see, by the files that are evidence of them."""
    found: dict[int, list[AlsoFor]] = defaultdict(list)
    wanted = {row.file_id for row in rows}
    if not wanted:
        return found
    query = (
        select(
            _versions.c.file_id,
            _problems.c.id,
            _problems.c.number,
            _organisations.c.short_name,
        )
        .join(_evidence, _evidence.c.id == _versions.c.evidence_id)
        .join(_problems, _problems.c.id == _evidence.c.problem_id)
        .join(_organisations, _organisations.c.id == _problems.c.organisation_id)
        .join(_cases, _cases.c.id == _evidence.c.case_id)
        .outerjoin(_withdrawals, _withdrawals.c.version_id == _versions.c.id)
        .where(_versions.c.file_id.in_(wanted), _withdrawals.c.id.is_(None), sees_case(who))
        .distinct()
        .order_by(_problems.c.id)
    )
    for row in db.execute(query):
        found[row.file_id].append(AlsoFor(row.id, row.number, row.short_name))
    return found
