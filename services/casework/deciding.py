"""``decide``: what a person answers to a slot, and the next person's step, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, false, func, insert, select, update

from models.base import Instant, table
from models.casework import Decision, Origin, Rung, Slot, SlotState, Step, StepState
from policy.outcome import RETURN, answers_for, needs_reason
from services.audit import commitment
from services.casework.anew import ask_anew
from services.casework.authority import Basis, authority, tell_other
from services.casework.branch import BRANCH_COLUMNS, LockedBranch, branches, cases, locked
from services.casework.effects import settle_effect
from services.casework.extension import answered, settle_request
from services.casework.here import here_of
from services.casework.log import load_log
from services.casework.mechanism import form_check
from services.casework.over import already, decided_by, taken_back_by
from services.casework.raising import after_duty
from services.casework.replay import advance
from services.casework.returning import earlier_steps, undoing, void_to
from services.casework.seats import settle
from services.casework.steps import end_step, relieve
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import AlreadyDecided, Invalid, NotFound
from services.sanitising import check_text

_decisions = table(Decision)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)
_LONGEST = 4000
"""Characters of an opinion."""
_OF_STEP = ("key", "mode", "answers", "form", "apart_from", "origin")
# statements of every decision, built once: building one costs more than running it
_ASKED = (
    select(
        *BRANCH_COLUMNS,
        _slots.c.post_id,
        _slots.c.id.label("slot_id"),
        _slots.c.added_to,
        _steps.c.id.label("step_id"),
        _steps.c.seq.label("step_seq"),
        *(_steps.c[name] for name in _OF_STEP),
    )
    .join(_steps, _steps.c.id == _slots.c.step_id)
    .join(branches, branches.c.id == _slots.c.branch_id)
    .join(cases, cases.c.id == branches.c.case_id)
    .where(_slots.c.id == bindparam("p_slot"))
)
_LOCK = _ASKED.with_for_update(of=branches, key_share=True)
_TAKE = (
    update(_slots)
    .where(
        _slots.c.id == bindparam("p_slot"),
        _slots.c.post_id == bindparam("p_post"),
        _slots.c.state == SlotState.OPEN,
    )
    .values(state=SlotState.ANSWERED)
)
_AT = func.coalesce(_steps.c.paused_at, bindparam("p_now", type_=Instant))
_LATE = select(func.coalesce(_steps.c.due_at <= _AT, false())).where(
    _steps.c.id == bindparam("p_step")
)
"""Read when it is written: the date may have moved while this waited for the lock. A clock that
stands (暂停) says the time at which it was stopped."""
_WRITE = (
    insert(_decisions)
    .values(late=_LATE.scalar_subquery())
    .returning(
        _decisions.c.id,
        _decisions.c.late,
        select(_steps.c.mode)
        .where(_steps.c.id == bindparam("p_step"))
        .scalar_subquery()
        .label("mode"),
    )
)
"""``mode`` is read here too: somebody may have been added to the step (加签) meanwhile."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision. ``blocked``: it is kept, but what comes after it failed (受阻)."""

    case_id: int
    step_id: int
    decision_id: int
    late: bool
    blocked: bool


@dataclass(frozen=True, slots=True)
class Given:
    """What is answered, under the key of its request."""

    key: str
    answer: str
    reason: str
    payload: Any
    back_to: str | None


@dataclass(frozen=True, slots=True)
class By:
    """Whose decision it is, by what right, and by which moment it is late or not. ``noted``: what
    its audit entry says beside; of a paper (代录), whose it is and what shows it."""

    person_id: int | None
    basis: Basis
    judged_at: datetime
    noted: Mapping[str, Any] = field(default_factory=dict)


def decide(
    env: Env,
    actor: Actor,
    *,
    slot_id: int,
    answer: str,
    key: str,
    reason: str = "",
    payload: Any = None,
    back_to: str | None = None,
) -> Decided:
    """Answer a slot as who holds its post today, or stands in for them, and open what comes next.

    ``key`` names the request: the same again returns the first result. ``back_to`` is the step a
    return goes to, where the script handles no return itself; ``payload`` is what the step's form
    asks for. Errors: NotFound (missing, or not to be seen), NotAuthorised (another's post, four
    eyes, or a substitution that ended), AlreadyDecided (with who and when), Invalid, CannotReturn,
    KeyReused, Busy.
    """
    given = Given(key, answer, reason.strip(), payload, back_to)
    body = {
        "slot": slot_id,
        "answer": answer,
        "reason": given.reason,
        "payload": payload,
        "back_to": back_to,
    }
    return Decided(
        **execute(
            env,
            actor,
            "step.decide",
            key,
            body,
            lambda work: _decide(work, slot_id, given),
            rows=("CK-14", "CK-20"),
        )
    )


def return_targets(db: Connection, slot_id: int) -> list[str]:
    """Keys of the steps this slot may be returned to (退回到某环节), earliest first.

    Empty where the script handles a return itself, or nothing earlier can be gone back to. Whoever
    was added (加签) may also return it to who is asked: the step itself is asked anew.
    """
    step = db.execute(
        select(
            *(_steps.c[name] for name in ("branch_id", "key", "seq", "answers", "origin")),
            _slots.c.added_to,
        )
        .join(_slots, _slots.c.step_id == _steps.c.id)
        .where(_slots.c.id == slot_id)
    ).first()
    if step is None or RETURN in step.answers or step.origin != Origin.SCRIPT:
        return []
    found = [entry.key for entry in earlier_steps(load_log(db, step.branch_id), step.seq)]
    if step.added_to is None:
        return found
    return [*(key for key in found if key != step.key), step.key]


def _decide(work: Work, slot_id: int, given: Given) -> dict[str, Any]:
    row = lock_slot(work, slot_id)
    branch = locked(work, row)
    by = By(work.actor.person_id, authority(branch, row), work.now)
    take(branch, row, given)
    for name, value in (("reason", given.reason), ("payload", given.payload)):
        work.confirmed |= check_text(work.actor, "step.decide", name, value)
    decided = carry_out(branch, row, given, by)
    branch.save()
    return decided


def take(branch: LockedBranch, row: Row[Any], given: Given) -> None:
    """The slot is taken (compare-and-set), and may be answered so. AlreadyDecided, Invalid."""
    branch.require_edition()
    _take(branch.work, branch.case_id, row.slot_id, row.post_id)
    _check(row, given)


def check_answer(db: Connection, slot_id: int, given: Given) -> None:
    """Whether a slot may be answered so, as :func:`take` says under the lock. Invalid."""
    _check(db.execute(_ASKED, {"p_slot": slot_id}).one(), given)


def carry_out(branch: LockedBranch, row: Row[Any], given: Given, by: By) -> dict[str, Any]:
    """Keep the answer of a slot that was taken, and open what comes next; the branch is not saved
    yet. As the fields of :class:`Decided`."""
    payload = _filled_in(branch, row, given, by)
    decision = _write(branch.work, row, given, payload, by)
    branch.note(
        act="decided",
        slot=row.slot_id,
        step=row.step_id,
        answer=given.answer,
        decision=decision.id,
        post=row.post_id,
        appointment=by.basis.appointment_id,
        **by.basis.noted,
        to=given.back_to,
        content=commitment(given.key, given.reason, payload, decision.late),
        **by.noted,
    )
    settled = _settled(branch, row, given, decision.mode)
    tell_other(branch, row, decision.id, by.basis)
    if settled:
        _go_on(branch, row, given, payload)
    return {
        "case_id": branch.case_id,
        "step_id": row.step_id,
        "decision_id": decision.id,
        "late": decision.late,
        "blocked": branch.error is not None,
    }


def lock_slot(work: Work, slot_id: int) -> Row[Any]:
    """The branch under its lock, with what never changes of step and slot; NotFound."""
    row = work.db.execute(_LOCK, {"p_slot": slot_id}).first()
    if row is None:
        raise NotFound
    return row


def _take(work: Work, case_id: int, slot_id: int, post_id: int) -> None:
    """Compare-and-set: one person takes an open slot that is still their post's, everyone else
    learns who did."""
    wanted = {"p_slot": slot_id, "p_post": post_id}
    taken = work.db.execute(_TAKE, {**wanted, "closed_at": work.now})
    if taken.rowcount != 1:
        raise already_taken(work.db, case_id, slot_id)


def already_taken(db: Connection, case_id: int, slot_id: int) -> AlreadyDecided:
    """What whoever comes too late to a slot reads: by whom and when it was done."""
    done = decided_by(db, slot_id)
    if done is not None:
        return done.refusal("这一项已由{who}于{when}办理。")
    state = select(_slots.c.state).where(_slots.c.id == slot_id)
    if db.execute(state).scalar_one() == SlotState.HELD:
        return AlreadyDecided("这一项已加签，待加签人办理后再由您办理。")
    back = taken_back_by(db, slot_id)
    if back is not None:
        return back.refusal("这一项已不需要办理：前一环节的意见已由{who}于{when}撤回。")
    return already(db, case_id, "这一项已不需要办理：其他人已经办理，或者已经退回。")


def _check(row: Row[Any], given: Given) -> None:
    added = row.added_to is not None
    handled = given.answer in answers_for(row.answers, added=added)
    if not handled and not (given.answer == RETURN and row.origin == Origin.SCRIPT):
        raise Invalid("请选择这一项所列的意见。", field="answer")
    if handled and given.back_to is not None:
        raise Invalid("这一项的退回不需要选择环节。", field="back_to")
    if not handled and given.back_to is None:
        raise Invalid("请选择退回到哪一个环节。", field="back_to")
    if added and given.payload is not None:
        raise Invalid("加签人只填写意见，表单由原承办人填写。", field="payload")
    if needs_reason(given.answer) and not given.reason:
        raise Invalid("请写明原因。", field="reason")
    if len(given.reason) > _LONGEST:
        raise Invalid(f"意见最长 {_LONGEST} 个字。", field="reason")


def _filled_in(branch: LockedBranch, row: Row[Any], given: Given, by: By) -> Any:
    if row.origin == Origin.EXTENSION:
        return answered(branch, row.key, given.answer, given.payload)
    fills_in = row.form and given.answer != RETURN and row.added_to is None
    check = form_check(row.form) if fills_in else None
    if check is None:
        return given.payload
    return check(here_of(branch.work, branch, by.person_id), given.payload)


def _write(work: Work, row: Row[Any], given: Given, payload: Any, by: By) -> Row[Any]:
    values = {
        "key": given.key,
        "slot_id": row.slot_id,
        "step_id": row.step_id,
        "branch_id": row.branch_id,
        "case_id": row.case_id,
        "answer": given.answer,
        "reason": given.reason,
        "payload": payload,
        "back_to": given.back_to,
        "person_id": by.person_id,
        "post_id": row.post_id,
        "appointment_id": by.basis.appointment_id,
        "substitution_id": by.basis.substitution_id,
        "at": work.now,
        "p_now": by.judged_at,
        "p_step": row.step_id,
    }
    return work.db.execute(_WRITE, values).one()


def _settled(branch: LockedBranch, row: Row[Any], given: Given, mode: str) -> bool:
    """Whether this answer ends the step; one that does not relieves its own superiors only."""
    if given.back_to is not None or mode == "one":
        answer: str | None = given.answer
    else:
        answer = settle(branch, row.step_id, mode)
    if answer is None:
        relieve(branch, _rungs.c.slot_id == row.slot_id)
        return False
    end_step(branch, row.step_id, StepState.DECIDED, answer)
    return True


def _go_on(branch: LockedBranch, row: Row[Any], given: Given, payload: Any) -> None:
    if row.origin == Origin.RUNG:
        after_duty(branch.work, branch, row.step_id, given.answer)
        return
    if row.origin == Origin.EXTENSION:
        settle_request(branch, row.key, given.answer, payload)
        return
    if row.origin == Origin.OPERATOR:
        settle_effect(branch, int(row.key.partition(":")[2]), given.answer, payload)
    branch.returning = given.answer == RETURN
    if given.back_to == row.key and row.added_to is not None:
        ask_anew(branch, row.step_id)
        return
    if given.back_to is not None:
        with undoing(branch.work):
            void_to(branch, load_log(branch.work.db, branch.id), given.back_to, row.step_seq)
    advance(branch)
