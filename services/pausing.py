"""暂停、恢复、继续暂停 of a case or of one branch of it: who may, for what, and until which day.

It is for who commands the case (``services.commanding``), never for the unit itself, and never
without a day on which it is looked at again. On that day who paused is asked; nothing resumes or is
judged by itself. An appeal suspends no decision that was made (2019 问责条例): a person pauses.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select

from models.base import table
from models.casework import Branch, BranchState, Slot, SlotState, Step
from models.pause import Pause
from models.problem import Problem, Task
from policy.pause import LONGEST as LONGEST_PAUSE
from policy.pause import PauseKind, may_pause_until
from services.casework.branch import LockedBranch
from services.casework.over import already, moment
from services.casework.pausing import By, lock_tree, pause_tree, resume_tree
from services.command import Actor, Work, execute
from services.commanding import commands, seen_case
from services.env import Env
from services.errors import AlreadyDecided, Invalid, NotAuthorised, NotFound
from services.pauses import PauseLine, pause_of
from services.posts import appointment_of, leading_post
from services.sanitising import check_text
from services.scope import HeldPost, Standing, standing
from services.telling import tell_many

LONGEST = 500
"""Characters of a reason."""
_branches = table(Branch)
_pauses = table(Pause)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)


class MayNotPause(NotAuthorised):
    """只有为该单位服务的上级巡察办、党委办负责人和该单位的上级领导可以暂停和恢复。"""


@dataclass(frozen=True, slots=True)
class PauseForm:
    """What would be paused or resumed. ``subject``: of a branch, '' for the whole case."""

    case_id: int
    number: str
    mechanism: str
    unit: str
    subject: str
    held: HeldPost
    pause: PauseLine | None
    steps: int
    posts: int
    latest: date
    """The last day that may be set for looking at it again."""


@dataclass(frozen=True, slots=True)
class _Told:
    branch_id: int
    kind: str
    review_on: str
    reason: str
    key: str

    @property
    def body(self) -> dict[str, Any]:
        given = {"kind": self.kind, "review_on": self.review_on}
        return {"branch": self.branch_id, "reason": self.reason, **given}


def pause(
    env: Env, actor: Actor, *, branch_id: int, kind: str, review_on: str, reason: str, key: str
) -> None:
    """Pause a branch with all below it; of the root, the case.

    Errors: NotFound (missing, or not to be seen), :class:`MayNotPause`, Invalid with the field,
    AlreadyDecided for what stands already or has ended, KeyReused, Busy.
    """
    told = _Told(branch_id, kind.strip(), review_on.strip(), reason.strip(), key)

    def act(work: Work) -> dict[str, Any]:
        tree, held = _locked(work, branch_id)
        wanted = _kind(told.kind), _review_on(told.review_on, work.today)
        work.confirmed |= check_text(work.actor, "branch.pause", "reason", told.reason)
        by = _by(work, held, told)
        if pause_tree(tree, *wanted, by) is None:
            raise _stands(work.db, next(iter(tree.values())))
        _tell(tree, "paused", {"why": wanted[0].value, "until_on": wanted[1].isoformat()})
        return _saved(tree)

    execute(env, actor, "branch.pause", key, told.body, act, rows=("CK-8", "CK-19"))


def resume(env: Env, actor: Actor, *, branch_id: int, reason: str, key: str) -> None:
    """Let the clocks of a branch run again. Errors as of :func:`pause`; AlreadyDecided where it
    does not stand, or by a pause from above only."""
    told = _Told(branch_id, "", "", reason.strip(), key)

    def act(work: Work) -> dict[str, Any]:
        tree, held = _locked(work, branch_id)
        work.confirmed |= check_text(work.actor, "branch.resume", "reason", told.reason)
        by = _by(work, held, told)
        if resume_tree(tree, by) is None:
            raise _runs(work.db, next(iter(tree.values())))
        _tell(tree, "pause_ended", {})
        return _saved(tree)

    body = {"branch": branch_id, "reason": told.reason}
    execute(env, actor, "branch.resume", key, body, act, rows=("CK-8", "CK-19"))


def prolong(
    env: Env, actor: Actor, *, branch_id: int, review_on: str, reason: str, key: str
) -> None:
    """Go on with a pause until another day (继续暂停): one pause ends, and the next begins.

    Errors as of :func:`resume`.
    """
    told = _Told(branch_id, "", review_on.strip(), reason.strip(), key)

    def act(work: Work) -> dict[str, Any]:
        tree, held = _locked(work, branch_id)
        day = _review_on(told.review_on, work.today)
        work.confirmed |= check_text(work.actor, "branch.prolong_pause", "reason", told.reason)
        by = _by(work, held, told)
        ended = pause_of(work.db, resume_tree(tree, by))
        if ended is None:
            raise _runs(work.db, next(iter(tree.values())))
        pause_tree(tree, ended.kind, day, by)
        return _saved(tree)

    body = {"branch": branch_id, "review_on": told.review_on, "reason": told.reason}
    execute(env, actor, "branch.prolong_pause", key, body, act, rows=("CK-8", "CK-19"))


def pause_form(db: Connection, who: Standing, branch_id: int) -> PauseForm:
    """What this person would pause; NotFound, :class:`MayNotPause`, AlreadyDecided where it stands
    already or has ended."""
    form, branch = _form(db, who, branch_id)
    if branch.paused_by is not None or branch.state != BranchState.OPEN:
        raise _stands(db, branch)
    return form


def resume_form(db: Connection, who: Standing, branch_id: int) -> PauseForm:
    """What this person would resume; errors as of :func:`pause_form`, where it does not stand."""
    form, branch = _form(db, who, branch_id)
    if form.pause is None or form.pause.branch_id != branch_id:
        raise _runs(db, branch)
    return form


def place_of(db: Connection, branch_id: int) -> str:
    """The page on which a branch is shown: of its problem, or of the case."""
    branch = _branch(db, branch_id)
    of_task = select(_tasks.c.problem_id).where(_tasks.c.id == branch.row_id)
    if branch.row_kind == "problem":
        return f"/problems/{branch.row_id}"
    if branch.row_kind == "task":
        return f"/problems/{db.execute(of_task).scalar_one()}"
    return f"/cases/{branch.case_id}"


def _form(db: Connection, who: Standing, branch_id: int) -> tuple[PauseForm, Row[Any]]:
    branch = _branch(db, branch_id)
    case = seen_case(db, who, branch.case_id)
    held = commands(db, who, case)
    if held is None:
        raise MayNotPause
    below = select(_branches.c.id).where(_branches.c.id == branch_id).cte(recursive=True)
    below = below.union_all(select(_branches.c.id).join(below, _branches.c.parent_id == below.c.id))
    open_ = _slots.c.branch_id.in_(select(below.c.id)), _slots.c.state == SlotState.OPEN
    counts = select(
        func.count(_slots.c.step_id.distinct()), func.count(_slots.c.post_id.distinct())
    )
    steps, posts = db.execute(counts.where(*open_)).one()
    form = PauseForm(
        case_id=branch.case_id,
        number=case.number,
        mechanism=case.mechanism,
        unit=case.short_name,
        subject=branch.subject,
        held=held,
        pause=pause_of(db, branch.paused_by),
        steps=steps,
        posts=posts,
        latest=who.on + LONGEST_PAUSE,
    )
    return form, branch


def _branch(db: Connection, branch_id: int) -> Row[Any]:
    of_problem = (_branches.c.row_kind == "problem") & (_problems.c.id == _branches.c.row_id)
    of_task = (_branches.c.row_kind == "task") & (_tasks.c.id == _branches.c.row_id)
    names = ("id", "case_id", "state", "paused_by", "row_kind", "row_id")
    row = db.execute(
        select(
            *(_branches.c[name] for name in names),
            func.coalesce(_tasks.c.measure, _problems.c.text, "").label("subject"),
        )
        .outerjoin(_problems, of_problem)
        .outerjoin(_tasks, of_task)
        .where(_branches.c.id == branch_id)
    ).first()
    if row is None:
        raise NotFound
    return row


def _locked(work: Work, branch_id: int) -> tuple[dict[int, LockedBranch], HeldPost]:
    person_id = work.actor.person_id
    if person_id is None:
        raise NotAuthorised  # the system pauses and resumes nothing of people
    who = standing(work.db, person_id, work.today)
    case = seen_case(work.db, who, _branch(work.db, branch_id).case_id)
    held = commands(work.db, who, case)
    if held is None:
        raise MayNotPause
    tree = lock_tree(work, branch_id)
    next(iter(tree.values())).require_edition()
    return tree, held


def _by(work: Work, held: HeldPost, told: _Told) -> By:
    if not told.reason:
        raise Invalid("请写明原因。", field="reason")
    if len(told.reason) > LONGEST:
        raise Invalid(f"原因最长 {LONGEST} 个字。", field="reason")
    person_id = work.actor.person_id
    if person_id is None:
        raise NotAuthorised
    appointment = appointment_of(work.db, held.id, person_id, work.today)
    return By(person_id, held.id, appointment, told.reason, told.key)


def _kind(kind: str) -> PauseKind:
    try:
        return PauseKind(kind)
    except ValueError:
        raise Invalid("请从所列的事由中选择。", field="kind") from None


def _review_on(given: str, today: date) -> date:
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise Invalid("请按 2026-03-01 的样子填写复核日期。", field="review_on") from None
    if not may_pause_until(day, today):
        raise Invalid("复核日期须晚于今天，最迟在一年以内。", field="review_on")
    return day


def _stands(db: Connection, branch: Any) -> AlreadyDecided:
    pause = pause_of(db, branch.paused_by)
    if pause is None:
        return already(db, branch.case_id, "这一事项已经办结，不能暂停。")
    said = f"这一事项已由{pause.post}于{moment(pause.at)}暂停。"
    return AlreadyDecided(said, by=pause.post, at=pause.at.isoformat())


def _runs(db: Connection, branch: Any) -> AlreadyDecided:
    if branch.paused_by is not None:
        return AlreadyDecided("这一分支随上一级暂停，请在整个事项或者所属问题处恢复。")
    return already(db, branch.case_id, "这一事项没有暂停，或者已经恢复。")


def _saved(tree: dict[int, LockedBranch]) -> dict[str, Any]:
    for branch in tree.values():
        branch.save()
    return {"branch": next(iter(tree))}


def _tell(tree: dict[int, LockedBranch], template: str, context: dict[str, Any]) -> None:
    """Whoever is asked for something in it, and the head of the organisation, once each."""
    top = next(iter(tree.values()))
    work = top.work
    open_ = _slots.c.branch_id.in_(list(tree)), _slots.c.state == SlotState.OPEN
    asked = set(work.db.execute(select(_slots.c.post_id).where(*open_)).scalars())
    with suppress(LookupError):  # an organisation that has no post any more
        asked.add(leading_post(work.db, top.organisation_id))
    tell_many(
        work.db,
        key=f"{template}:{top.id}:{work.command_id}",
        posts=asked,
        template=template,
        context=context,
        now=work.now,
        case_id=top.case_id,
    )
