"""Opening and closing steps: whose it is, by when, on which ladder, and who is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from models.base import table
from models.casework import Origin, Rung, Slot, SlotState, Step, StepState, WakeKind
from policy.calendar import Calendar, instant_on
from policy.deadline import Deadline, deadline, due_day
from policy.defaults import Policy
from policy.duration import DurationKind
from policy.extension import request_key
from policy.ladder import next_rung
from policy.outcome import IN_TURN
from services import calendar
from services.casework.branch import AsBefore, LockedBranch, wake_root
from services.casework.gap import heirs, note_gap
from services.casework.here import here_of
from services.casework.standstill import move_by_pause
from services.policy import frozen
from services.telling import tell_many, withdraw

OVERTAKEN = "overtaken"
"""The answer of a step that was closed because something else settled it: nobody decided."""
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)
_requests = _steps.alias("request")
_OPEN_STEP = insert(_steps).returning(_steps.c.id)
_OPEN_SLOTS = insert(_slots).returning(_slots.c.id, sort_by_parameter_order=True)
_END_STEP = (
    update(_steps)
    .where(_steps.c.id == bindparam("p_step"), _steps.c.state == StepState.OPEN)
    .values(next_rung_at=None)
    .returning(
        _steps.c.mode,
        _steps.c.rungs_fired,
        _steps.c.paused_at,
        select(_requests.c.id)
        .where(
            _requests.c.branch_id == bindparam("p_branch"),
            _requests.c.origin == Origin.EXTENSION,
            _requests.c.state == StepState.OPEN,
        )
        .exists()
        .label("asked_for_more"),
    )
)
"""``asked_for_more``: a request for a later date is undecided somewhere in the branch."""
WAITING = (SlotState.OPEN, SlotState.HELD)
"""The states of a slot that is not over."""
_ENDS = {
    StepState.DECIDED: SlotState.UNREACHED,
    StepState.CLOSED: SlotState.UNREACHED,
    StepState.VOIDED: SlotState.VOIDED,
}
"""What becomes of the open slots of a step that ends."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step asks: possible answers, policy keys, how answers make one, and who may not."""

    answers: tuple[str, ...]
    due: str
    ladder: str = ""
    mode: str = "one"
    form: str = ""
    apart_from: tuple[str, ...] = ()
    origin: Origin = Origin.SCRIPT


def open_step(
    branch: LockedBranch, key: str, round_: int, asked_posts: Sequence[int], asked: Asked
) -> int:
    """Open a step of a locked branch and tell whoever is asked; its id.

    ValueError when nobody is asked; KeyError for a policy key the case does not have.
    """
    before = branch.as_before if branch.as_before and branch.as_before.key == key else None
    wanted = tuple(dict.fromkeys(before.posts if before else asked_posts))
    if not wanted:
        raise ValueError(f"step {key} asks nobody")
    wanted, turns = (wanted[:1], list(wanted[1:])) if asked.mode == IN_TURN else (wanted, None)
    work = branch.work
    policy = frozen(work.db, branch.policy_id)
    version = calendar.version(work.db, branch.calendar_id)
    due = _due(branch, policy, version, asked, before)
    values = {
        "case_id": branch.case_id,
        "branch_id": branch.id,
        "key": key,
        "round": round_,
        "seq": branch.next_seq(),
        "origin": asked.origin,
        "mode": asked.mode,
        "turns": turns,
        "answers": list(asked.answers),
        "form": asked.form,
        "apart_from": list(asked.apart_from),
        "state": StepState.OPEN,
        "voided": False,
        "opened_at": work.now,
        **_dates(branch, policy, version, asked, due),
        **_original(branch, policy, asked, before),
        **_standing(branch, before),
    }
    step_id = int(work.db.execute(_OPEN_STEP, values).scalar_one())
    gaps: Sequence[int] = ()
    if asked.origin is not Origin.RUNG:
        template = "returned" if branch.returning and round_ > 1 else "opened"
        wanted, gaps = _tell_opened(branch, step_id, template, wanted, due.on)
    slot_ids = open_slots(branch, step_id, wanted)
    branch.note(act="opened", step=step_id, key=key, round=round_, slots=slot_ids, posts=wanted)
    for post_id in gaps:
        note_gap(branch, step_id, post_id)
    return step_id


def end_step(
    branch: LockedBranch, step_id: int, state: StepState, answer: str | None = None
) -> bool:
    """End an open step; False when it was not open any more (compare-and-set).

    Its open slots end without a decision (未及办理, or 因退回停办 for a void), its ladder stops,
    what was said about it is withdrawn, and superiors who were asked for it are relieved.
    """
    work = branch.work
    values = {"state": state, "answer": answer, "voided": state is StepState.VOIDED}
    wanted = {"p_step": step_id, "p_branch": branch.id, "closed_at": work.now}
    ended = work.db.execute(_END_STEP, wanted | values).first()
    if ended is None:
        return False
    left = (
        []
        if ended.mode == "one" and state is StepState.DECIDED
        else _end_slots(branch, step_id, state)
    )
    branch.note(act=state.value, step=step_id, answer=answer, slots=left)
    withdraw(work.db, step_id, work.now)
    if ended.paused_at is not None and branch.paused_by and state is StepState.DECIDED:
        move_by_pause(branch, step_id, branch.paused_by)
    if ended.rungs_fired:
        relieve(branch, _rungs.c.step_id == step_id)
    if ended.asked_for_more:
        _end_requests(branch, step_id)
    return True


def _end_requests(branch: LockedBranch, step_id: int) -> None:
    """Nobody needs a later date for what has ended (申请延期)."""
    mine = _requests.c.key.startswith(request_key(step_id, 0).removesuffix("0"))
    of_step = _requests.c.branch_id == branch.id, _requests.c.state == StepState.OPEN, mine
    for request in branch.work.db.execute(select(_requests.c.id).where(*of_step)).scalars().all():
        end_step(branch, request, StepState.CLOSED)


def relieve(branch: LockedBranch, condition: Any) -> None:
    """Ask the root branch to strike these rungs off its superiors' list steps (rule N)."""
    raised = select(_rungs.c.id).where(condition, _rungs.c.post_id.is_not(None))
    for rung_id in branch.work.db.execute(raised).scalars().all():
        wake_root(branch, WakeKind.STRIKE, rung_id)


def _row_date(branch: LockedBranch, policy: Policy, asked: Asked) -> date | None:
    if policy.durations[asked.due].kind is not DurationKind.ROW:
        return None
    if branch.script.row_date is None:
        raise LookupError(f"the rows of {branch.script_name} have no date of their own")
    return branch.script.row_date(here_of(branch.work, branch))


def _standing(branch: LockedBranch, before: AsBefore | None) -> dict[str, datetime | None]:
    """What is opened while its branch is paused stands at once; what was taken back, since then."""
    if branch.paused_by is None:
        return {}
    since = before.paused_at if before and before.paused_at else branch.work.now
    return {"paused_at": since, "next_rung_at": None}


def _due(
    branch: LockedBranch, policy: Policy, version: Calendar, asked: Asked, before: AsBefore | None
) -> Deadline:
    if before is not None and not before.provisional:
        return Deadline(before.due_at, due_day(before.due_at), provisional=False)
    since = before.opened_at if before else branch.work.now
    row_date = _row_date(branch, policy, asked)
    return deadline(policy.durations[asked.due], since, version, row_date)


def _original(
    branch: LockedBranch, policy: Policy, asked: Asked, before: AsBefore | None
) -> dict[str, datetime | None]:
    """The first date of a step whose row has had another one before (an extension)."""
    if before is not None and not before.provisional:
        kept = {"provisional_due_at": before.provisional_due_at}
        return {"original_due_at": before.original_due_at, **kept}
    first = branch.script.row_original
    if first is None or policy.durations[asked.due].kind is not DurationKind.ROW:
        return {}
    on = first(here_of(branch.work, branch))
    return {"original_due_at": instant_on(on + timedelta(days=1))}


def _dates(
    branch: LockedBranch, policy: Policy, version: Calendar, asked: Asked, due: Deadline
) -> dict[str, Any]:
    ladder = policy.ladder_for(asked.ladder, asked.due)
    rung = next_rung(ladder, due.on, version, 0, branch.work.now) if ladder else None
    return {
        "due_key": asked.due,
        "due_at": due.due_at,
        "original_due_at": None if due.provisional else due.due_at,
        "provisional_due_at": due.due_at if due.provisional else None,
        "provisional": due.provisional,
        "deadline_version": 1,
        "calendar_id": branch.calendar_id,
        "ladder": asked.ladder,
        "rungs_fired": 0,
        "next_rung_at": rung[1] if rung else None,
    }


def open_slots(
    branch: LockedBranch, step_id: int, wanted: Sequence[int], first: int = 0, **of: Any
) -> list[int]:
    """Insert a slot for each of these posts; its caller tells them, and notes it. ``of``: more
    columns of theirs."""
    rows = [
        {
            "step_id": step_id,
            "branch_id": branch.id,
            "post_id": post_id,
            "position": position,
            "state": SlotState.OPEN,
            **of,
        }
        for position, post_id in enumerate(wanted, first)
    ]
    made = branch.work.db.execute(_OPEN_SLOTS, rows)
    return [int(slot_id) for slot_id in made.scalars()]


def _end_slots(branch: LockedBranch, step_id: int, state: StepState) -> list[int]:
    ended = branch.work.db.execute(
        update(_slots)
        .where(_slots.c.step_id == step_id, _slots.c.state.in_(WAITING))
        .values(state=_ENDS[state], closed_at=branch.work.now)
        .returning(_slots.c.id)
    )
    return sorted(int(slot_id) for slot_id in ended.scalars())


def _tell_opened(
    branch: LockedBranch, step_id: int, template: str, wanted: Sequence[int], due_on: date
) -> tuple[tuple[int, ...], Sequence[int]]:
    """Tell who is asked; the posts that are asked indeed, and those of them that nobody holds.

    An abolished post is held by nobody: only then its successor is looked for.
    """
    told = tell_opened(branch, step_id, template, wanted, due_on)
    vacant = [post_id for post_id in wanted if post_id not in told]
    heir_of = heirs(branch.work.db, vacant) if vacant else {}
    if heir_of:
        wanted = tuple(dict.fromkeys(heir_of.get(post_id, post_id) for post_id in wanted))
        told = tell_opened(branch, step_id, template, wanted, due_on)
    return tuple(wanted), [post_id for post_id in wanted if post_id not in told]


def tell_opened(
    branch: LockedBranch, step_id: int, template: str, wanted: Sequence[int], due_on: date
) -> frozenset[int]:
    """Tell the holders of these posts that they are asked; the posts that somebody holds."""
    work = branch.work
    return tell_many(
        work.db,
        key=f"opened:{step_id}",
        posts=wanted,
        template=template,
        context={"due_on": due_on.isoformat()},
        now=work.now,
        case_id=branch.case_id,
        step_id=step_id,
    )
