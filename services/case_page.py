"""A case as people read it: its stages, numbers, problems, and whom it waits for now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from models.base import table
from models.casework import Branch, Case, Decision, Origin, Slot, SlotState, Step
from models.organisation import Organisation, Post
from models.problem import Problem, Task
from policy.calendar import Calendar
from policy.on_time import OnTime
from services import on_time, problem_page
from services.calendar import latest
from services.case_stages import Stage, stages_of
from services.casework import CaseStatus, case_status
from services.casework.opening import root_of
from services.casework.over import Termination, termination
from services.catalogue import step_title
from services.due import Due, due_of
from services.pauses import Stands, standing_of
from services.rectification_sampling import Sample, sample_of
from services.runs import is_stopped
from services.scope import Standing, post_name, visible_case
from services.substitutes import Instead, instead_of
from services.taken_over import TakenOver, taken_over
from services.termination import may_terminate

PAGE = 50
_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_organisations = table(Organisation)
_posts = table(Post)
_post_units = _organisations.alias("post_unit")
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits on one post in one kind of step: how many, and the earliest of their dates."""

    title: str
    post: str
    instead: str
    """Who stands in for the post's holder in this case, '' for nobody."""
    until: date | None
    """The last day that they do."""
    count: int
    due: Due | None
    numbers: tuple[int, ...]
    """The problems they belong to."""


@dataclass(frozen=True, slots=True)
class CaseProblem:
    """A problem in the case's table: what it waits for now, '' when it waits for nothing."""

    line: problem_page.ProblemLine
    waits_for: str
    due: Due | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers at the head of a case, each with what it is out of."""

    problems: int
    closed: int
    basic: int
    long_term: int
    tasks: int
    confirmed: int
    waiting: int
    late: int
    decisions: int
    decided_late: int
    returned: int


@dataclass(frozen=True, slots=True)
class CasePage:
    """A case for somebody who may see it."""

    status: CaseStatus
    unit: str
    edition: int
    opened_at: datetime
    ended_at: datetime | None
    run_id: str | None
    """The case's Prefect run, for those who operate the system only."""
    stages: tuple[Stage, ...]
    figures: Figures
    on_time: OnTime
    imported: TakenOver | None
    """The ledger it came from (导入); None: it began here."""
    problems: tuple[CaseProblem, ...]
    sample: Sample | None
    """What was drawn for another look (抽查复核); None while nothing was."""
    waiting: tuple[Waiting, ...]
    terminated: Termination | None
    stopped: bool
    """An operator stopped its run (运行已停, rule M): automatic work waits, people do not."""
    may_terminate: bool
    stands: Stands
    """Whether it is paused (暂停), and what this person may do about that."""

    @property
    def open(self) -> bool:
        """Whether the case still runs."""
        return self.status.state == "open"


def case_page(db: Connection, who: Standing, case_id: int, now: datetime) -> CasePage:
    """Everything of the page but the history; NotFound for who may not see the case."""
    visible_case(db, who, case_id)
    case = db.execute(
        select(_cases, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
        .where(_cases.c.id == case_id)
    ).one()
    calendar = latest(db)
    lines = problem_page.lines_of_case(db, case_id)
    slots = db.execute(_open_slots(case_id)).all()
    return CasePage(
        status=case_status(db, case_id),
        unit=case.short_name,
        edition=case.edition,
        opened_at=case.opened_at,
        ended_at=case.ended_at,
        run_id=case.run_id if who.operates else None,
        stages=stages_of(db, case_id, case.mechanism, case.edition),
        figures=_figures(db, case_id, lines, slots, now),
        on_time=on_time.of_case(db, case_id, who.on),
        imported=taken_over(db, case_id),
        problems=tuple(_problems_now(lines, slots, now, calendar)),
        sample=sample_of(db, case_id),
        waiting=tuple(_waiting(slots, now, calendar, _instead(db, slots, who.on))),
        terminated=termination(db, case_id),
        stopped=is_stopped(case),
        may_terminate=may_terminate(db, who, case_id),
        stands=standing_of(db, who, root_of(db, case_id)),
    )


def _open_slots(case_id: int) -> Any:
    """The open slots of a case with their posts and problems, by date."""
    of_problem = and_(_branches.c.row_kind == "problem", _problems.c.id == _branches.c.row_id)
    of_task = and_(_branches.c.row_kind == "task", _tasks.c.id == _branches.c.row_id)
    parents = _problems.alias("parent")
    return (
        select(
            _slots.c.post_id,
            _cases.c.mechanism,
            *(_steps.c[name] for name in ("key", "origin", "due_at", "provisional", "paused_at")),
            func.coalesce(_problems.c.id, parents.c.id).label("problem_id"),
            func.coalesce(_problems.c.number, parents.c.number).label("problem_number"),
            _posts.c.title.label("post_title"),
            _post_units.c.short_name.label("post_unit"),
        )
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_cases, _cases.c.id == _steps.c.case_id)
        .join(_branches, _branches.c.id == _slots.c.branch_id)
        .join(_posts, _posts.c.id == _slots.c.post_id)
        .join(_post_units, _post_units.c.id == _posts.c.organisation_id)
        .outerjoin(_problems, of_problem)
        .outerjoin(_tasks, of_task)
        .outerjoin(parents, parents.c.id == _tasks.c.problem_id)
        .where(_steps.c.case_id == case_id, _slots.c.state == SlotState.OPEN)
        .order_by(_steps.c.due_at.is_(None), _steps.c.due_at, _slots.c.id)
    )


def _figures(
    db: Connection,
    case_id: int,
    lines: Sequence[problem_page.ProblemLine],
    slots: Sequence[Row[Any]],
    now: datetime,
) -> Figures:
    late = func.count().filter(_decisions.c.late.is_(True))
    returned = func.count().filter(_decisions.c.answer == "return")
    decided = db.execute(
        select(func.count(), late, returned).where(_decisions.c.case_id == case_id)
    ).one()
    own = [slot for slot in slots if slot.origin != Origin.RUNG]
    return Figures(
        problems=len(lines),
        closed=sum(line.state == "closed" for line in lines),
        basic=sum(line.state == "basic" for line in lines),
        long_term=sum(line.state == "long_term" for line in lines),
        tasks=sum(line.tasks for line in lines),
        confirmed=sum(line.confirmed for line in lines),
        waiting=len(own),
        late=sum(
            slot.due_at is not None and slot.due_at <= (slot.paused_at or now) for slot in own
        ),
        decisions=decided[0],
        decided_late=decided[1],
        returned=decided[2],
    )


def _problems_now(
    lines: Sequence[problem_page.ProblemLine],
    slots: Sequence[Row[Any]],
    now: datetime,
    calendar: Calendar,
) -> list[CaseProblem]:
    first: dict[int, Row[Any]] = {}
    for slot in slots:
        first.setdefault(slot.problem_id, slot)
    found = []
    for line in lines:
        open_ = first.get(line.id)
        title = step_title(open_.mechanism, open_.key) if open_ else ""
        due = _due(open_, now, calendar) if open_ else None
        found.append(CaseProblem(line, title, due))
    return found


def _due(slot: Row[Any], now: datetime, calendar: Calendar) -> Due | None:
    return due_of(slot.due_at, slot.provisional, now, calendar, slot.paused_at)


def _instead(db: Connection, slots: Sequence[Row[Any]], on: date) -> dict[int, Instead]:
    """Who stands in for the holders of the posts that are asked, in cases like this."""
    found = instead_of(db, {slot.post_id for slot in slots}, on)
    mechanism = slots[0].mechanism if slots else ""
    about = ((post, one) for post, many in found.items() for one in many)
    return {post: one for post, one in about if one.covers(mechanism)}


def _waiting(
    slots: Sequence[Row[Any]], now: datetime, calendar: Calendar, instead: Mapping[int, Instead]
) -> list[Waiting]:
    """Grouped by step and post, the earliest date first."""
    groups: dict[tuple[str, int], list[Row[Any]]] = defaultdict(list)
    for slot in slots:
        groups[slot.key.partition(":")[0], slot.post_id].append(slot)
    return [_group(group, now, calendar, instead) for group in groups.values()]


def _group(
    group: Sequence[Row[Any]], now: datetime, calendar: Calendar, instead: Mapping[int, Instead]
) -> Waiting:
    first = group[0]
    other = instead.get(first.post_id)
    return Waiting(
        title=step_title(first.mechanism, first.key),
        post=post_name(first.post_unit, first.post_title),
        instead=other.substitute if other else "",
        until=other.until if other else None,
        count=len(group),
        due=_due(first, now, calendar),
        numbers=tuple(sorted({slot.problem_number for slot in group} - {None})),
    )
