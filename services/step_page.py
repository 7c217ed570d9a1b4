"""A step as the person who is asked reads it: what, why me, by when, and what happens if I do not.

Everything on the page comes from here under one scope; whoever may not see the case gets NotFound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from models.base import table
from models.casework import (
    Branch,
    Case,
    Decision,
    DutyMember,
    Effect,
    Origin,
    Rung,
    Slot,
    SlotState,
    Step,
)
from models.organisation import Organisation, Post
from models.problem import Task
from policy.acts import Act
from policy.calendar import Calendar, local_day
from policy.completion import Claim
from policy.deadline import due_day
from policy.duration import Duration
from policy.extension import subject_of
from policy.outcome import RETURN, answers_for, needs_reason
from services import evidence_page, extension_page, problem_page
from services.acts import acts_on
from services.acts.history import ActLine, timeline
from services.asked import AskedPost, asked_posts
from services.calendar import latest
from services.casework import return_targets
from services.casework.four_eyes import asked_themselves, barred_by
from services.catalogue import step_reason, step_title, translated
from services.errors import NotFound
from services.evidence import about_of, takes_evidence
from services.history import Line
from services.inbox import PAGE, Inbox, Item, items_of, listed
from services.pauses import Moved, PauseLine, moved_by_pauses, pause_of
from services.policy import frozen
from services.rectification_completion import claimed_in
from services.rerouting import may_reroute
from services.rungs import next_rungs
from services.scope import Standing, post_name, visible_case
from services.substitutes import instead_of
from services.vacancy import vacant_post, waits_on

_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_effects = table(Effect)
_members = table(DutyMember)
_organisations = table(Organisation)
_posts = table(Post)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)


@dataclass(frozen=True, slots=True)
class Raised:
    """A rung that was fired. ``post`` is '' for a message to the holder."""

    kind: str
    post: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Basis:
    """By which rule the date was set: the duration with its legal basis, and how far days count."""

    duration: Duration
    horizon: date
    original_on: date | None
    """The first date, where the present one is another."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer that may be given; ``why_needed`` when it must say why."""

    value: str
    needs_reason: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """The effect an operator is asked about."""

    name: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Content:
    """What the step is about; only what fits its kind is there."""

    problem: problem_page.ProblemLine | None = None
    shown: tuple[problem_page.Shown, ...] = ()
    task: problem_page.TaskView | None = None
    tasks: tuple[problem_page.TaskView, ...] = ()
    problems: tuple[problem_page.ProblemLine, ...] = ()
    members: tuple[Item, ...] = ()
    late: int = 0
    """How many are late on a superior's list, or wait on a vacant post; ``members`` are the first
    :data:`PAGE`."""
    trouble: Trouble | None = None
    wanted: extension_page.Wanted | None = None
    claimed: Claim | None = None
    """How far the problem is, as its department says."""


@dataclass(frozen=True, slots=True)
class StepPage:
    """A step, and the slot through which somebody looks at it."""

    item: Item
    mechanism: str
    edition: int
    key: str
    why: str
    state: SlotState
    closed_at: datetime | None
    opened_on: date
    holds: bool
    """Whether this person is asked: by a post of their own, or in place of its holder."""
    barred: str
    """What the earlier step is called that keeps this person out (four eyes); '' when nothing."""
    may_reroute: bool
    """Whether this person may give it to another post (改派)."""
    acts: tuple[Act, ...]
    """What else this person may do to it."""
    instead: str
    """Who may answer in place of the post's holder today, '' for nobody."""
    asked: tuple[AskedPost, ...]
    basis: Basis | None
    raised: tuple[Raised, ...]
    choices: tuple[Choice, ...]
    returns: tuple[tuple[str, str], ...]
    """Steps a return may go to: key and title."""
    form: str
    content: Content
    evidence: tuple[evidence_page.Piece, ...]
    adds_evidence: bool
    """Whether this person may add evidence now."""
    continues: tuple[evidence_page.Piece, ...]
    """The evidence of which they may give a next version in this step."""
    past: tuple[Line | ActLine, ...]
    pause: PauseLine | None
    """By which its clock stands (暂停)."""
    moved: tuple[Moved, ...]
    """The pauses that moved its date."""
    requests: tuple[extension_page.Request, ...]
    """For a later date of this step (申请延期)."""
    last: Line | None
    """What this post answered in the round before, which a return or 撤回 went back over."""
    next_slot: int | None

    @property
    def open(self) -> bool:
        """Whether the slot still waits for an answer."""
        return self.state is SlotState.OPEN

    @property
    def answerable(self) -> bool:
        """Whether this person may answer it now."""
        return self.open and self.holds and not self.barred


def step_page(db: Connection, who: Standing, slot_id: int, now: datetime) -> StepPage:
    """A step for somebody who holds its post or may see its case; NotFound for everybody else."""
    row = db.execute(_with_more().where(_slots.c.id == slot_id)).first()
    if row is None:
        raise NotFound
    waits = row.slot_state == SlotState.OPEN
    holds = row.post_id in who.post_ids or (
        waits and who.stands_in(row.post_id, row.mechanism, slot_id) is not None
    )
    if not holds:
        visible_case(db, who, row.case_id)
    calendar = latest(db)
    rungs = next_rungs(db, [row], who.on, calendar)
    back = return_targets(db, slot_id) if waits and holds else ()
    returns = tuple((key, step_title(row.mechanism, key)) for key in back)
    added = row.added_to is not None
    evidence, adds = _evidence(db, who, row), _adds(who, row)
    item, past = items_of(db, [row], now, calendar, rungs, who)[0], timeline(db, row.branch_id)
    return StepPage(
        item=item,
        mechanism=row.mechanism,
        edition=row.edition,
        key=row.key,
        why=step_reason(row.mechanism, row.key),
        state=SlotState(row.slot_state),
        closed_at=row.closed_at,
        opened_on=local_day(row.opened_at),
        holds=holds,
        barred=_barred(db, who, row) if waits and holds else "",
        may_reroute=waits and row.origin == Origin.SCRIPT and may_reroute(db, who, row.post_id),
        acts=acts_on(db, who, slot_id),
        instead=_instead(db, row, who.on) if waits else "",
        asked=asked_posts(db, row.step_id),
        basis=_basis(db, row, calendar),
        raised=_raised(db, slot_id),
        choices=choices(answers_for(row.answers, added=added), bool(returns)),
        returns=returns,
        form="" if added else row.form,
        content=_content(db, row, now),
        evidence=evidence,
        adds_evidence=adds,
        continues=_continues(db, row, evidence) if adds else (),
        past=tuple(past),
        pause=pause_of(db, row.paused_by) if waits else None,
        moved=moved_by_pauses(db, row.step_id),
        requests=extension_page.requests_of(db, row.branch_id, row.step_id),
        last=_last(past, item) if waits else None,
        next_slot=Inbox(who).next_after(db, slot_id),
    )


def slot_for(db: Connection, who: Standing, step_id: int) -> int:
    """The slot through which this person sees a step: their own, or the first; NotFound if none."""
    found = db.execute(
        select(_slots.c.id, _slots.c.post_id, _steps.c.case_id, _cases.c.mechanism)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .join(_cases, _cases.c.id == _steps.c.case_id)
        .where(_slots.c.step_id == step_id)
        .order_by(_slots.c.position, _slots.c.id)
    ).all()
    if not found:
        raise NotFound
    own = next((row for row in found if row.post_id in who.post_ids), None)
    if own is None:
        visible_case(db, who, found[0].case_id)
        instead = (row for row in found if who.stands_in(row.post_id, row.mechanism, row.id))
        own = next(instead, found[0])
    return int(own.id)


def _with_more() -> Any:
    return listed().add_columns(
        _slots.c.state.label("slot_state"),
        _slots.c.closed_at,
        _slots.c.branch_id,
        _steps.c.answers,
        _steps.c.form,
        _steps.c.apart_from,
        _steps.c.calendar_id,
        _steps.c.original_due_at,
        _branches.c.paused_by,
        _branches.c.row_kind,
        _branches.c.row_id,
        _cases.c.edition,
    )


def choices(answers: Sequence[str], may_return: bool) -> tuple[Choice, ...]:
    """What may be answered; ``may_return``: also back to an earlier step."""
    values = [*answers, RETURN] if may_return and RETURN not in answers else answers
    return tuple(Choice(value, needs_reason(value)) for value in values)


def _last(past: Sequence[Line | ActLine], item: Item) -> Line | None:
    mine = (line for line in reversed(past) if isinstance(line, Line) and line.voided)
    return next((one for one in mine if (one.title, one.post) == (item.title, item.post)), None)


def _barred(db: Connection, who: Standing, row: Row[Any]) -> str:
    """The title of the step this person had a hand in and may therefore not judge (CK-14)."""
    keys, mechanism = row.apart_from, row.mechanism
    if row.origin == Origin.EXTENSION:
        return _own_request(db, who, row)
    key = barred_by(db, who.person_id, row.branch_id, keys, who.on, mechanism)
    return step_title(row.mechanism, key) if key else ""


def _own_request(db: Connection, who: Standing, row: Row[Any]) -> str:
    subject, _ = subject_of(row.key)
    own = asked_themselves(db, subject, who.person_id, who.on, row.mechanism)
    return translated("act.extend") if own else ""


def _instead(db: Connection, row: Row[Any], on: date) -> str:
    others = instead_of(db, [row.post_id], on).get(row.post_id, [])
    return next((one.substitute for one in others if one.covers(row.mechanism, row.slot_id)), "")


def _basis(db: Connection, row: Row[Any], calendar: Calendar) -> Basis | None:
    if not row.due_key or row.due_at is None:
        return None
    first = due_day(row.original_due_at) if row.original_due_at else None
    moved = first is not None and first != due_day(row.due_at)
    duration = frozen(db, row.policy_id).durations[row.due_key]
    return Basis(duration, calendar.horizon, first if moved else None)


def _raised(db: Connection, slot_id: int) -> tuple[Raised, ...]:
    rows = db.execute(
        select(_rungs.c.kind, _rungs.c.at, _posts.c.title, _organisations.c.short_name)
        .outerjoin(_posts, _posts.c.id == _rungs.c.post_id)
        .outerjoin(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_rungs.c.slot_id == slot_id, _rungs.c.note == "")
        .order_by(_rungs.c.id)
    )
    return tuple(
        Raised(row.kind, post_name(row.short_name, row.title) if row.title else "", row.at)
        for row in rows
    )


def _content(db: Connection, row: Row[Any], now: datetime) -> Content:
    if row.origin == Origin.RUNG:
        return _late_ones(db, row.step_id, now)
    if row.mechanism == "vacancy":
        return _waiting(db, vacant_post(db, row.case_id), now)
    if row.origin == Origin.EXTENSION:
        return Content(wanted=extension_page.wanted(db, row.key))
    if row.origin == Origin.OPERATOR:
        return Content(trouble=_trouble(db, int(row.key.partition(":")[2])))
    if row.row_kind == "problem":
        return Content(
            problem=_problem(db, row.row_id),
            shown=problem_page.shown_by(db, row.row_id),
            tasks=problem_page.tasks_of(db, _tasks.c.problem_id == row.row_id),
            claimed=None if row.form == "completion" else claimed_in(db, row.branch_id),
        )
    if row.row_kind == "task":
        task = problem_page.tasks_of(db, _tasks.c.id == row.row_id)[0]
        of = select(_tasks.c.problem_id).where(_tasks.c.id == row.row_id)
        return Content(problem=_problem(db, db.execute(of).scalar_one()), task=task)
    return Content(problems=tuple(problem_page.lines_of_case(db, row.case_id)))


def _evidence(db: Connection, who: Standing, row: Row[Any]) -> tuple[evidence_page.Piece, ...]:
    """What was given for the task, or for the problem and its tasks."""
    if row.row_kind == "task":
        return evidence_page.of_task(db, who, row.row_id)
    return evidence_page.of_problem(db, who, row.row_id) if row.row_kind == "problem" else ()


def _continues(
    db: Connection, row: Row[Any], pieces: Sequence[evidence_page.Piece]
) -> tuple[evidence_page.Piece, ...]:
    about = about_of(db, row.row_kind, row.row_id)
    return tuple(one for one in pieces if about and one.may_have_next(about))


def _adds(who: Standing, row: Row[Any]) -> bool:
    asked = row.post_id in who.post_ids or who.stands_in(row.post_id, row.mechanism)
    waits = row.slot_state == SlotState.OPEN and bool(asked)
    return waits and takes_evidence(row.mechanism, row.key)


def _problem(db: Connection, problem_id: int) -> problem_page.ProblemLine:
    return problem_page.lines(db, problem_page.is_problem(problem_id))[0]


def _late_ones(db: Connection, step_id: int, now: datetime) -> Content:
    """The overdue slots on a superior's list that still wait, the first of them by date."""
    of_list = (
        select(_rungs.c.slot_id)
        .join(_members, _members.c.rung_id == _rungs.c.id)
        .where(_members.c.step_id == step_id, _members.c.struck_at.is_(None))
    )
    on_list = _slots.c.id.in_(of_list)
    late = db.execute(select(func.count()).select_from(_slots).where(on_list)).scalar_one()
    rows = db.execute(listed().where(on_list).limit(PAGE)).all()
    return Content(members=tuple(items_of(db, rows, now, latest(db), {})), late=late)


def _waiting(db: Connection, post_id: int, now: datetime) -> Content:
    """What waits on a vacant post, the first of it by date."""
    waits = _slots.c.post_id == post_id, _slots.c.state == SlotState.OPEN
    rows = db.execute(listed().where(*waits).limit(PAGE)).all()
    items = tuple(items_of(db, rows, now, latest(db), {}))
    return Content(members=items, late=waits_on(db, post_id))


def _trouble(db: Connection, effect_id: int) -> Trouble | None:
    query = select(_effects.c.name, _effects.c.attempts, _effects.c.error)
    row = db.execute(query.where(_effects.c.id == effect_id)).first()
    return Trouble(row.name, row.attempts, row.error) if row else None
