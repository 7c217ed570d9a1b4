"""Going back (rule C): a void takes all of a branch since a step, and undoes what it did."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Table, or_, select, update
from sqlalchemy.exc import DBAPIError

from models.base import table
from models.casework import (
    Branch,
    BranchState,
    Effect,
    EffectState,
    Fact,
    Fanout,
    Origin,
    Step,
    StepState,
)
from services.casework.branch import LockedBranch, branches, locked, select_branch
from services.casework.here import here_of
from services.casework.log import EACH, EFFECT, FACT, RECORD, STEP, Entry, Log, load_log
from services.casework.mechanism import undo_named
from services.casework.queue import queue_effect, settled
from services.casework.steps import end_step
from services.command import Work
from services.errors import CannotReturn, DutiesError
from services.storage import refusal

_branches = table(Branch)
_effects = table(Effect)
_facts = table(Fact)
_fanouts = table(Fanout)
_steps = table(Step)
KEEP, REDO = "keep", "redo"
_UNDOABLE = (RECORD, EFFECT, EACH)


class UndoFailed(CannotReturn):
    """退回没有成功：撤销其后已执行的事项时出错，本次未保存。请联系系统运维员。"""

    code = "undo_failed"


@contextmanager
def undoing(work: Work) -> Iterator[None]:
    """For a void: an undo that fails refuses it, and nothing of it is kept."""
    try:
        with work.db.begin_nested():
            yield
    except DutiesError:
        raise
    except DBAPIError as error:
        if refusal(error) is not None:
            raise
        raise UndoFailed from error
    except Exception as error:
        raise UndoFailed from error


def earlier_steps(log: Log, seq: int) -> list[Entry]:
    """The decided steps before ``seq`` that a return may go to, nothing on the way refusing."""
    found: dict[str, Entry] = {}
    for entry in log.steps():
        decided = entry.state == StepState.DECIDED and entry.extra == Origin.SCRIPT
        if decided and entry.seq < seq and _refusing(log, entry.seq) is None:
            found[entry.key] = entry
    return list(found.values())


def void_to(branch: LockedBranch, log: Log, key: str, before: int) -> None:
    """Void the branch back to the latest round of step ``key`` that was opened before ``before``.

    :class:`CannotReturn` when there is no such decided step, or when something on the way has not
    said what a return makes of it. Decisions stay; durations and participants are resolved anew.
    """
    target = next((e for e in earlier_steps(log, before) if e.key == key), None)
    if target is None:
        raise CannotReturn(_why_not(log, key), key=key)
    voided = _void(branch, log, target.seq)
    branch.note(act="returned", to=key, steps=voided)


def void_step(branch: LockedBranch, log: Log, step_id: int) -> None:
    """Void the branch back to before a live step of it, decided or not (撤回).

    :class:`CannotReturn` when something since has not said what a return makes of it.
    """
    step = next(entry for entry in log.steps() if entry.id == step_id)
    refusing = _refusing(log, step.seq)
    if refusing is not None:
        said = f"不能撤回：其后的“{refusing.key}”已经执行，且未规定退回时如何处理。"
        raise CannotReturn(said, key=step.key)
    branch.note(act="returned", to=step.key, steps=_void(branch, log, step.seq))


def lock_below(branch: LockedBranch, since: int) -> list[int]:
    """Lock every branch under each ``each`` opened after ``since``, the upper ones first, so that
    nobody decides there meanwhile; their ids."""
    opened = select(_fanouts.c.id).where(
        _fanouts.c.branch_id == branch.id, _fanouts.c.seq > since, _fanouts.c.voided.is_(False)
    )
    below, wanted = list[int](), _branches.c.fanout_id.in_(opened)
    while True:
        query = select(_branches.c.id).where(wanted).order_by(_branches.c.id)
        found = branch.work.db.execute(query.with_for_update(key_share=True)).scalars().all()
        if not found:
            return below
        below += found
        wanted = _branches.c.parent_id.in_(found)


def _why_not(log: Log, key: str) -> str:
    steps = [entry for entry in log.steps() if entry.key == key]
    refusing = _refusing(log, steps[-1].seq) if steps else None
    if refusing is None:
        return ""
    return f"不能退回到这一环节：其后的“{refusing.key}”已经执行，且未规定退回时如何处理。"


def _refusing(log: Log, since: int) -> Entry | None:
    """The first thing since ``since`` that says nothing about a return."""
    passed = (entry for entry in log.entries() if entry.seq >= since)
    return next((entry for entry in passed if _says_nothing(entry)), None)


def _says_nothing(entry: Entry) -> bool:
    undoes = entry.kind == EFFECT and entry.extra is not None
    return entry.kind in _UNDOABLE and entry.on_return is None and not undoes


def _void(branch: LockedBranch, log: Log, since: int) -> list[int]:
    """Void what was opened or stored since ``since``, latest first; the ids of the steps."""
    passed = [entry for entry in reversed(log.entries()) if entry.seq >= since]
    gone_effects = {
        entry.id for entry in passed if entry.kind == EFFECT and _void_effect(branch, entry)
    }
    steps = [entry for entry in passed if entry.kind == STEP and _goes(entry, gone_effects)]
    for step in steps:
        if step.state == StepState.OPEN:
            end_step(branch, step.id, StepState.VOIDED)
    _mark(branch, _steps, [step.id for step in steps])
    for entry in passed:
        if entry.kind in (FACT, RECORD):
            _void_fact(branch, entry)
        elif entry.kind == EACH and entry.on_return != KEEP:
            _mark(branch, _fanouts, [entry.id])
            _stop_children(branch, entry.id)
    return sorted(step.id for step in steps)


def _goes(step: Entry, gone_effects: set[int]) -> bool:
    """A script's step goes; an operator's goes with its effect; a superior's list never does."""
    if step.extra == Origin.OPERATOR:
        return int(step.key.partition(":")[2]) in gone_effects
    return step.extra == Origin.SCRIPT


def _void_effect(branch: LockedBranch, entry: Entry) -> bool:
    """Withdraw an effect nobody has claimed; let a claimed one end, then undo it if it says so."""
    if entry.extra is not None or entry.on_return == KEEP:
        return False
    _mark(branch, _effects, [entry.id])
    if _withdrawn(branch, entry):
        branch.note(act="withdrawn", effect=entry.id)
        return True
    if entry.state == EffectState.FAILED and not settled(entry):
        branch.work.db.execute(
            update(_effects).where(_effects.c.id == entry.id).values(resolution="void")
        )
    if entry.on_return not in (REDO, None):
        undo_key = f"undo:{entry.key}"
        queue_effect(branch, undo_key, entry.round, entry.on_return, undoes=entry.key)
    return True


def _withdrawn(branch: LockedBranch, entry: Entry) -> bool:
    done = branch.work.db.execute(
        update(_effects)
        .where(_effects.c.id == entry.id, _effects.c.state == EffectState.QUEUED)
        .values(state=EffectState.WITHDRAWN, done_at=branch.work.now)
    )
    return done.rowcount == 1


def _void_fact(branch: LockedBranch, entry: Entry) -> None:
    if entry.on_return == KEEP:
        return
    _mark(branch, _facts, [entry.id])
    if entry.on_return not in (REDO, None):
        undo_named(entry.on_return)(here_of(branch.work, branch), entry.value)
        branch.note(act="undone", fact=entry.id, key=entry.key)


def _mark(branch: LockedBranch, rows: Table, ids: list[int]) -> None:
    if ids:
        branch.work.db.execute(update(rows).where(rows.c.id.in_(ids)).values(voided=True))


def _stop_children(branch: LockedBranch, fanout_id: int) -> None:
    """Close the branches of a voided ``each`` as 因退回停办, and those below them (rule B, K)."""
    for child in _lock_children(branch, fanout_id):
        log = load_log(child.work.db, child.id)
        refusing = _refusing(log, 0)
        if refusing is not None:
            raise CannotReturn(f"不能退回：分支中的“{refusing.key}”未规定退回时如何处理。")
        _void(child, log, 0)
        _stop_kept_children(child)
        if child.state is BranchState.OPEN:
            child.set(state=BranchState.VOIDED, ended_at=child.work.now)
        child.note(act="stopped")
        child.save()


def _stop_kept_children(child: LockedBranch) -> None:
    """Nothing may go on under a branch that was stopped, also what would survive a return in it."""
    kept = select(_fanouts.c.id).where(
        _fanouts.c.branch_id == child.id, _fanouts.c.voided.is_(False)
    )
    for fanout_id in child.work.db.execute(kept.order_by(_fanouts.c.id)).scalars().all():
        _mark(child, _fanouts, [fanout_id])
        _stop_children(child, fanout_id)


def _lock_children(branch: LockedBranch, fanout_id: int) -> Iterator[LockedBranch]:
    query = select_branch().where(
        branches.c.fanout_id == fanout_id,
        or_(branches.c.state == BranchState.OPEN, branches.c.state == BranchState.ENDED),
    )
    lock = query.order_by(branches.c.id).with_for_update(of=branches, key_share=True)
    rows = branch.work.db.execute(lock).all()
    return (locked(branch.work, row) for row in rows)
