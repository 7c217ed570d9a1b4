"""Effects as rows: queued under the branch's lock, settled once (rule I)."""

from sqlalchemy import ColumnElement, and_, insert, or_, select

from models.base import table
from models.casework import Effect, EffectState
from services.casework.branch import LockedBranch
from services.casework.log import EFFECT, Entry

_effects = table(Effect)


def settled(effect: Entry) -> bool:
    """Whether an effect needs nothing more: done, dropped, or never to be started."""
    if effect.state == EffectState.FAILED:
        return effect.answer is not None
    return effect.state in (EffectState.DONE, EffectState.WITHDRAWN)


def queue_effect(
    branch: LockedBranch,
    key: str,
    round_: int,
    name: str,
    *,
    on_return: str | None = None,
    undoes: str | None = None,
) -> Entry:
    """Queue an effect of a locked branch and wake the case's run."""
    work, seq = branch.work, branch.next_seq()
    values = {
        "case_id": branch.case_id,
        "branch_id": branch.id,
        "key": key,
        "round": round_,
        "seq": seq,
        "name": name,
        "state": EffectState.QUEUED,
        "on_return": on_return,
        "undoes": undoes,
        "voided": False,
        "attempts": 0,
        "error": "",
        "queued_at": work.now,
    }
    effect_id = work.db.execute(insert(_effects).returning(_effects.c.id), values).scalar_one()
    branch.note(act="queued", effect=effect_id, key=key, round=round_)
    branch.wake_run()
    state = EffectState.QUEUED.value
    return Entry(EFFECT, effect_id, key, round_, seq, False, state, None, undoes, on_return, None)


def unsettled() -> ColumnElement[bool]:
    """The condition on ``effect`` for those that still need something: a run, or the operator."""
    return or_(
        _effects.c.state.in_((EffectState.QUEUED, EffectState.CLAIMED)),
        and_(_effects.c.state == EffectState.FAILED, _effects.c.resolution.is_(None)),
    )


def unsettled_in_case(branch: LockedBranch) -> bool:
    """Whether any branch of the case has an effect that is still to be settled."""
    found = branch.work.db.execute(
        select(_effects.c.id).where(_effects.c.case_id == branch.case_id, unsettled()).limit(1)
    )
    return found.first() is not None
