"""A problem as people read it: what was found, how it shows, whose it is, what the plan sets."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select

from models.base import table
from models.casework import Branch, BranchState
from models.organisation import Organisation, Post
from models.problem import Manifestation, ManifestationUnit, Problem, Task, TaskState, TaskSupport
from policy.access import Action
from services import evidence_page, history, taken_over
from services.errors import NotFound
from services.naming import post_within, unit_within
from services.pauses import Stands, standing_of
from services.scope import Standing, visible_case, within

_branches = table(Branch)
_manifestations = table(Manifestation)
_organisations = table(Organisation)
_committees = _organisations.alias("committee")
_posts = table(Post)
_problems = table(Problem)
_supports = table(TaskSupport)
_tasks = table(Task)
_units = table(ManifestationUnit)
ROLES = ("sets_topic", "takes_topic", "responsible_unit", "supervisor")
"""点题, 领题, 责任部门, 监督."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A manifestation with the units it names."""

    number: int
    text: str
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task of the plan; ``original_due_on`` only where it differs from ``due_on``."""

    id: int
    number: str
    measure: str
    standard: str
    leader: str
    lead_unit: str
    supports: tuple[str, ...]
    due_on: date
    original_due_on: date | None
    long_term: bool
    state: str
    done_on: date | None
    """The day it was done before it was taken over (存量台账)."""
    moved: tuple[taken_over.Moved, ...]


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """A problem in a list. ``roles`` are names by :data:`ROLES`, '' while one is not assigned."""

    id: int
    number: int
    category: str
    area: int
    text: str
    state: str
    roles: dict[str, str]
    tasks: int
    confirmed: int
    due_on: date | None
    """The last date of its tasks."""
    remains: str = ""
    """What remains of it, or is kept up, by what measures, and when it is looked at again."""
    measures: str = ""
    review_on: date | None = None


@dataclass(slots=True)
class _Tasks:
    all: int = 0
    confirmed: int = 0
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """A problem with everything that hangs on it."""

    line: ProblemLine
    case_id: int | None
    unit: str
    shown: tuple[Shown, ...]
    tasks: tuple[TaskView, ...]
    evidence: tuple[evidence_page.Piece, ...]
    told: taken_over.Told | None
    """What the ledger told that it came from (导入)."""
    history: tuple[history.Line, ...]
    stands: Stands | None
    """Whether its branch is paused (暂停); None while it has none."""


def problem_page(db: Connection, who: Standing, problem_id: int) -> ProblemPage:
    """A problem for somebody who may see its case, or its unit while it has none; else NotFound."""
    row = db.execute(
        select(_problems.c.case_id, _organisations.c.short_name, _organisations.c.id)
        .join(_organisations, _organisations.c.id == _problems.c.organisation_id)
        .where(_problems.c.id == problem_id)
    ).first()
    if row is None:
        raise NotFound
    _visible(db, who, row)
    branch = branch_of(db, problem_id)
    return ProblemPage(
        line=lines(db, _problems.c.id == problem_id)[0],
        case_id=row.case_id,
        unit=row.short_name,
        shown=shown_by(db, problem_id),
        tasks=tasks_of(db, _tasks.c.problem_id == problem_id),
        evidence=evidence_page.of_problem(db, who, problem_id),
        told=taken_over.told_of(db, problem_id),
        history=tuple(_history(db, problem_id)),
        stands=standing_of(db, who, branch) if branch else None,
    )


def branch_of(db: Connection, problem_id: int) -> int | None:
    """The branch of a problem that is not stopped: the last one; None while it has none."""
    mine = _branches.c.row_kind == "problem", _branches.c.row_id == problem_id
    query = select(_branches.c.id).where(*mine, _branches.c.state != BranchState.VOIDED)
    return db.execute(query.order_by(_branches.c.id.desc()).limit(1)).scalar()


def is_problem(problem_id: int) -> Any:
    """The condition of one problem, for :func:`lines`."""
    return _problems.c.id == problem_id


def lines(db: Connection, condition: Any) -> list[ProblemLine]:
    """The problems of a condition on ``problem``, by number, in two queries."""
    rows = db.execute(_listed().where(condition).order_by(_problems.c.number)).all()
    counted = _counted(db, rows)
    return [_line(row, counted[row.id]) for row in rows]


def lines_of_case(db: Connection, case_id: int) -> list[ProblemLine]:
    """The problems of a case, by number."""
    return lines(db, _problems.c.case_id == case_id)


def shown_by(db: Connection, problem_id: int) -> tuple[Shown, ...]:
    """The manifestations (具体表现) of a problem, by number."""
    found = db.execute(
        select(_manifestations.c.id, _manifestations.c.number, _manifestations.c.text)
        .where(_manifestations.c.problem_id == problem_id)
        .order_by(_manifestations.c.number)
    ).all()
    units: dict[int, list[str]] = defaultdict(list)
    named = (
        select(_units.c.manifestation_id, _units.c.name)
        .where(_units.c.manifestation_id.in_([row.id for row in found]))
        .order_by(_units.c.id)
    )
    for manifestation_id, name in db.execute(named):
        units[manifestation_id].append(name)
    return tuple(Shown(row.number, row.text, tuple(units[row.id])) for row in found)


def tasks_of(db: Connection, condition: Any) -> tuple[TaskView, ...]:
    """The tasks of a condition on ``task``, in the order of the plan."""
    leaders = _organisations.alias("leader_unit")
    rows = db.execute(
        select(
            _tasks,
            _organisations.c.short_name.label("lead_unit"),
            _posts.c.title.label("leader_title"),
            leaders.c.short_name.label("leader_unit"),
            _committees.c.short_name.label("committee"),
        )
        .join(_problems, _problems.c.id == _tasks.c.problem_id)
        .join(_committees, _committees.c.id == _problems.c.organisation_id)
        .join(_organisations, _organisations.c.id == _tasks.c.lead_unit_id)
        .join(_posts, _posts.c.id == _tasks.c.leader_post_id)
        .join(leaders, leaders.c.id == _posts.c.organisation_id)
        .where(condition)
        .order_by(_tasks.c.id)
    ).all()
    ids = [row.id for row in rows]
    supports, moved = _supports_of(db, ids), taken_over.moved(db, ids)
    done = taken_over.done_before(db, ids)
    return tuple(
        _task(row, tuple(supports[row.id]), done.get(row.id), tuple(moved[row.id])) for row in rows
    )


def _visible(db: Connection, who: Standing, row: Row[Any]) -> None:
    if row.case_id is not None:
        visible_case(db, who, row.case_id)
        return
    seen = _organisations.c.id == row.id, within(who, Action.READ_WORK)
    mine = select(_organisations.c.id).where(*seen)
    if db.execute(mine).first() is None:
        raise NotFound


def _listed() -> Select[Any]:
    posts = {role: _posts.alias(role) for role in ROLES if role != "responsible_unit"}
    units = {role: _organisations.alias(f"{role}_of") for role in posts}
    columns: list[Any] = [
        _organisations.c.short_name.label("responsible_unit"),
        _committees.c.short_name.label("committee"),
    ]
    joined = _problems.join(_committees, _committees.c.id == _problems.c.organisation_id).outerjoin(
        _organisations, _organisations.c.id == _problems.c.responsible_unit_id
    )
    for role, post in posts.items():
        joined = joined.outerjoin(post, post.c.id == _problems.c[f"{role}_post_id"])
        joined = joined.outerjoin(units[role], units[role].c.id == post.c.organisation_id)
        columns += [post.c.title.label(role), units[role].c.short_name.label(f"{role}_unit")]
    return select(_problems, *columns).select_from(joined)


def _line(row: Row[Any], tasks: _Tasks) -> ProblemLine:
    return ProblemLine(
        id=row.id,
        number=row.number,
        category=row.category,
        area=row.area,
        text=row.text,
        state=str(row.state),
        roles={role: _role(row, role) for role in ROLES},
        tasks=tasks.all,
        confirmed=tasks.confirmed,
        due_on=tasks.due_on,
        remains=row.remains,
        measures=row.measures,
        review_on=row.review_on,
    )


def _role(row: Row[Any], role: str) -> str:
    """The name of a role as it is said inside the problem's unit; '' when it is not assigned."""
    name = getattr(row, role)
    if name is None:
        return ""
    if role == "responsible_unit":
        return unit_within(row.committee, name)
    return post_within(row.committee, getattr(row, f"{role}_unit"), name)


def _counted(db: Connection, problems: Sequence[Row[Any]]) -> dict[int, _Tasks]:
    """The tasks of each problem. A long-term one stays published: it counts once it has ended."""
    counted: dict[int, _Tasks] = defaultdict(_Tasks)
    query = select(_tasks.c.id, _tasks.c.problem_id, _tasks.c.state, _tasks.c.due_on)
    mine = _tasks.c.problem_id.in_([row.id for row in problems])
    tasks = db.execute(query.where(mine)).all()
    ended = _ended(db, {row.case_id for row in problems} - {None})
    ended |= taken_over.done_before(db, [task.id for task in tasks]).keys()
    for task in tasks:
        of = counted[task.problem_id]
        of.all += 1
        of.confirmed += task.state == TaskState.CONFIRMED or task.id in ended
        of.due_on = max(of.due_on or task.due_on, task.due_on)
    return counted


def _ended(db: Connection, case_ids: Collection[int]) -> set[int]:
    query = select(_branches.c.row_id).where(
        _branches.c.case_id.in_(case_ids),
        _branches.c.row_kind == "task",
        _branches.c.state == BranchState.ENDED,
    )
    return set(db.execute(query).scalars())


def _supports_of(db: Connection, task_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    query = select(_supports.c.task_id, _supports.c.name).order_by(_supports.c.id)
    for task_id, name in db.execute(query.where(_supports.c.task_id.in_(task_ids))):
        found[task_id].append(name)
    return found


def _task(
    row: Row[Any],
    supports: tuple[str, ...],
    done_on: date | None,
    moved: tuple[taken_over.Moved, ...],
) -> TaskView:
    differs = row.original_due_on is not None and row.original_due_on != row.due_on
    return TaskView(
        id=row.id,
        number=row.number,
        measure=row.measure,
        standard=row.standard,
        leader=post_within(row.committee, row.leader_unit, row.leader_title),
        lead_unit=unit_within(row.committee, row.lead_unit),
        supports=supports,
        due_on=row.due_on,
        original_due_on=row.original_due_on if differs else None,
        long_term=row.long_term,
        state=str(row.state),
        done_on=done_on,
        moved=moved,
    )


def _history(db: Connection, problem_id: int) -> list[history.Line]:
    """The decisions of the problem's branches and of those of its tasks."""
    tasks = select(_tasks.c.id).where(_tasks.c.problem_id == problem_id)
    query = select(_branches.c.id).where(
        or_(
            (_branches.c.row_kind == "problem") & (_branches.c.row_id == problem_id),
            (_branches.c.row_kind == "task") & _branches.c.row_id.in_(tasks),
        )
    )
    return history.of_branches(db, list(db.execute(query).scalars()))
