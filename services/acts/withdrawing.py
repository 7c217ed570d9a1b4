"""撤回: who decided takes it back while nobody has built on it; the step is asked anew as it was.

It is a void to one's own step (rule C): what the branch did since is undone, the decision stays in
history. The same posts are asked by the same date, so that nobody gains time by taking back.

A step of several slots (会签、或签) is voided whole, and only while its other slots are undecided.
Opening the own slot alone would need a second slot of one post in one step, that is a post that
speaks twice, or a decision that is changed; and to void the step with what others said in it would
take back their answers too (rule A: an answered slot stands). Whoever comes after that says it in
a correction. A return to a chosen step went back over its own step already: it stands as well.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from models.act import ActRecord
from models.base import table
from models.casework import Branch, BranchState, Decision, Fanout, Origin, Slot, SlotState, Step
from policy.acts import Act
from services.acts.about import About
from services.acts.contesting import tell_recorder
from services.acts.parts import Acting, Kind, nothing
from services.casework.added import add_anew, added_in
from services.casework.anew import as_it_was
from services.casework.branch import LockedBranch
from services.casework.log import load_log
from services.casework.over import already, decided_by
from services.casework.replay import advance
from services.casework.returning import lock_below, undoing, void_step
from services.casework.standstill import stands_since
from services.errors import AlreadyDecided
from services.telling import tell_many

_acts = table(ActRecord)
_branches = table(Branch)
_decisions = table(Decision)
_fanouts = table(Fanout)
_slots = table(Slot)
_steps = table(Step)


def _open_to(this: About) -> bool:
    slot = this.slot
    stands = slot.state == SlotState.ANSWERED and not slot.voided and slot.origin == Origin.SCRIPT
    return bool(
        stands
        and slot.branch_state == BranchState.OPEN
        and slot.decided_by == this.who.person_id  # nobody else is offered it
        and _built_on(this.db, slot) is None
    )


def _built_on(db: Connection, slot: Any) -> int | None:
    """A slot that somebody answered in the same step, after it, or in a branch opened since."""
    opened = select(_fanouts.c.id).where(
        _fanouts.c.branch_id == slot.branch_id,
        _fanouts.c.seq > slot.seq,
        _fanouts.c.voided.is_(False),
    )
    below = select(_branches.c.id).where(_branches.c.fanout_id.in_(opened)).cte(recursive=True)
    below = below.union_all(select(_branches.c.id).join(below, _branches.c.parent_id == below.c.id))
    here = (_decisions.c.branch_id == slot.branch_id) & (_steps.c.seq >= slot.seq)
    query = (
        select(_decisions.c.slot_id)
        .join(_steps, _steps.c.id == _decisions.c.step_id)
        .where(
            or_(here, _decisions.c.branch_id.in_(select(below.c.id))),
            _decisions.c.slot_id != slot.slot_id,
            _steps.c.origin != Origin.RUNG,
            _decisions.c.slot_id.not_in(_withdrawn(slot.case_id)),
        )
    )
    return db.execute(query.order_by(_decisions.c.id).limit(1)).scalar()


def _too_late(this: About) -> AlreadyDecided:
    first = _built_on(this.db, this.slot)
    done = decided_by(this.db, first) if first is not None else None
    if done is not None:
        return done.refusal("这一项已不能撤回：其后或者同一环节已由{who}于{when}办理。")
    said = "这一项已不能撤回：已经撤回，或者这一事项已经退回、办结。"
    return already(this.db, this.slot.case_id, said)


def _withdrawn(case_id: int) -> Any:
    return select(_acts.c.slot_id).where(_acts.c.case_id == case_id, _acts.c.act == Act.WITHDRAW)


def _carry(acting: Acting) -> None:
    branch, slot = acting.branch, acting.about.slot
    db = branch.work.db
    below = lock_below(branch, slot.seq)
    if _built_on(db, slot) is not None:  # in a branch that was not locked yet
        raise _too_late(acting.about)
    asked_next = _waiting(db, [branch.id, *below], _slots.c.step_id != slot.step_id)
    stands = stands_since(branch, slot.step_id)
    branch.as_before = replace(as_it_was(db, slot.step_id), paused_at=stands)
    added = added_in(db, slot.step_id)
    with undoing(branch.work):
        void_step(branch, load_log(db, branch.id), slot.step_id)
    _tell(branch, slot, asked_next)
    tell_recorder(acting, Act.WITHDRAW)
    advance(branch)
    add_anew(branch, slot.key, added)


def _waiting(db: Connection, branch_ids: Sequence[int], which: ColumnElement[bool]) -> list[int]:
    """Open slots that the scripts of these branches asked."""
    query = (
        select(_slots.c.id)
        .join(_steps, _steps.c.id == _slots.c.step_id)
        .where(
            _slots.c.branch_id.in_(branch_ids),
            _slots.c.state == SlotState.OPEN,
            _steps.c.origin == Origin.SCRIPT,
            which,
        )
    )
    return list(db.execute(query).scalars())


def _tell(branch: LockedBranch, slot: Any, asked_next: Sequence[int]) -> None:
    """Whoever was asked because of it reads that it was taken back."""
    gone = select(_slots.c.post_id).where(
        _slots.c.id.in_(asked_next), _slots.c.state == SlotState.VOIDED
    )
    work = branch.work
    tell_many(
        work.db,
        key=f"withdrawn:{slot.slot_id}",
        posts=set(work.db.execute(gone).scalars()) - {slot.post_id},
        template="withdrawn",
        context={"post_id": slot.post_id, "about_step_id": slot.step_id},
        now=work.now,
        case_id=branch.case_id,
    )


WITHDRAW = Kind(nothing, _carry, _open_to, _too_late)
