"""Effects (rule I): claimed, run outside any lock, and recorded exactly once.

The case's Prefect run does them: claim → run → finish. A crash between any two of these leads to
the same effect being run again under the same key that the outside can see.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, true, update

from models.base import table
from models.casework import (
    Branch,
    BranchState,
    Case,
    CaseState,
    Effect,
    EffectState,
    Origin,
    Step,
    WakeKind,
)
from services.casework.branch import LockedBranch, known_edition, lock_branch, wake_root
from services.casework.mechanism import effect_named
from services.casework.replay import advance
from services.casework.steps import Asked, open_step
from services.command import SYSTEM, Work, execute
from services.env import Env
from services.errors import Invalid, NotFound
from services.migration import require_own
from services.posts import operator_post
from services.run_events import EFFECT_FAILED, tell_prefect
from services.telling import tell_operator

_branches = table(Branch)
_cases = table(Case)
_effects = table(Effect)
_steps = table(Step)
RETRY, ENTER, DROP = "retry", "enter", "drop"
"""重试, 人工录入结果, 放弃."""
STANDS = "undo:"
"""How the keys of messages begin that say what could not be taken back."""
_UNDER_WAY = (EffectState.QUEUED, EffectState.CLAIMED)


@dataclass(frozen=True, slots=True)
class EffectRef:
    """An effect that may be run now."""

    id: int
    case_id: int
    branch_id: int
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class EffectCall:
    """A claimed effect. ``key`` is what the outside may recognise a repetition by."""

    env: Env
    effect_id: int
    name: str
    case_id: int
    organisation_id: int
    branch_id: int
    row_id: int | None
    attempt: int
    """Which claim this is: only the latest may give the effect up."""

    @property
    def key(self) -> str:
        """The idempotency key of this effect outside the house."""
        return f"effect-{self.effect_id}"

    def run(self) -> Any:
        """Do it, and return its JSON result. KeyError when this code does not know the effect."""
        return effect_named(self.name)(self)


def ready_effects(db: Connection, case_id: int) -> list[EffectRef]:
    """The effects of a case that may be run: queued, or claimed by a process that died."""
    columns = _effects.c
    rows = db.execute(
        select(columns.id, columns.case_id, columns.branch_id, columns.key, columns.name)
        .where(columns.case_id == case_id, _ready())
        .order_by(columns.id)
    )
    return [EffectRef(*row) for row in rows]


def claim_effect(env: Env, effect_id: int) -> EffectCall | None:
    """Take an effect; None when there is nothing to do: done, withdrawn, or an undo comes first."""
    ours = exists().where(_cases.c.id == _effects.c.case_id, known_edition(env))
    with env.engine.begin() as db:
        require_own(db)
        claimed = db.execute(
            update(_effects)
            .where(_effects.c.id == effect_id, _ready(), ours)
            .values(
                state=EffectState.CLAIMED,
                claimed_at=env.clock(),
                attempts=_effects.c.attempts + 1,
            )
            .returning(
                _effects.c.name, _effects.c.case_id, _effects.c.branch_id, _effects.c.attempts
            )
        ).first()
        if claimed is None:
            return None
        about = db.execute(
            select(_cases.c.organisation_id, _branches.c.row_id)
            .join(_branches, _branches.c.case_id == _cases.c.id)
            .where(_branches.c.id == claimed.branch_id)
        ).one()
    return EffectCall(
        env=env,
        effect_id=effect_id,
        name=claimed.name,
        case_id=claimed.case_id,
        organisation_id=about.organisation_id,
        branch_id=claimed.branch_id,
        row_id=about.row_id,
        attempt=claimed.attempts,
    )


def finish_effect(env: Env, effect_id: int, result: Any) -> None:
    """Record what an effect came to, once, and go on with its branch; repeated, it does nothing."""
    kept = json.loads(json.dumps(result))

    def act(work: Work) -> dict[str, Any]:
        branch = _lock(work, effect_id)
        if _leave(work, effect_id, EffectState.DONE, result=kept, done_at=work.now):
            branch.note(act="effect_done", effect=effect_id)
            _after(branch)
        return {}

    execute(env, SYSTEM, "effect.finish", f"effect-finish:{effect_id}:{_token()}", {}, act)


def fail_effect(env: Env, effect_id: int, error: str, attempt: int | None = None) -> None:
    """Give an effect up for now: the operator is asked what is to become of it.

    ``error`` is a word or code of ours, never somebody's text. ``attempt`` is the claim that
    failed: one that was taken over meanwhile gives nothing up; None: whichever it was. A voided
    effect is asked about by nobody; its undo, if it has one, goes on.
    """

    def act(work: Work) -> dict[str, Any]:
        branch = _lock(work, effect_id)
        latest = true() if attempt is None else _effects.c.attempts == attempt
        if _leave(work, effect_id, EffectState.FAILED, latest, error=error[:200]):
            branch.note(act="effect_failed", effect=effect_id)
            _ask_operator(work, branch, effect_id)
            branch.save()
        return {}

    execute(env, SYSTEM, "effect.fail", f"effect-fail:{effect_id}:{_token()}", {}, act)


def settle_effect(branch: LockedBranch, effect_id: int, answer: str, payload: Any) -> None:
    """What the operator answered: try again, take this result, or do without it."""
    work = branch.work
    values: dict[str, Any] = {"resolution": answer}
    if answer == RETRY:
        values = {"state": EffectState.QUEUED}
        branch.wake_run()
    elif answer == ENTER:
        if not isinstance(payload, dict) or "result" not in payload:
            raise Invalid("请录入结果。", field="result")
        values |= {"state": EffectState.DONE, "result": payload["result"], "done_at": work.now}
    work.db.execute(update(_effects).where(_effects.c.id == effect_id).values(**values))
    branch.note(act="effect_settled", effect=effect_id, answer=answer)
    _wake_waiting_root(branch)


def let_go(branch: LockedBranch, effect_id: int) -> None:
    """Settle a failed effect that nobody waits for any more. Of an undo the operator is told: what
    it was to take back still stands outside.
    """
    work = branch.work
    undoes = work.db.execute(
        update(_effects)
        .where(_effects.c.id == effect_id)
        .values(resolution="void")
        .returning(_effects.c.undoes)
    ).scalar_one()
    branch.note(act="effect_settled", effect=effect_id, answer="void")
    if undoes is not None:
        tell_operator(
            work.db,
            operator=work.env.operator,
            key=f"{STANDS}{effect_id}",
            template="operator",
            context={"effect_id": effect_id},
            now=work.now,
            case_id=branch.case_id,
        )


def _wake_waiting_root(branch: LockedBranch) -> None:
    """A branch that was stopped or has ended does not go on; the case may wait for its effects."""
    if branch.state is not BranchState.OPEN:
        wake_root(branch, WakeKind.ADVANCE)


def _ready() -> ColumnElement[bool]:
    """Under way, and nothing earlier for the same key is: an undo ends before the next round."""
    earlier = _effects.alias("earlier")
    group, earlier_group = (
        func.coalesce(rows.c.undoes, rows.c.key) for rows in (_effects, earlier)
    )
    unsettled = or_(
        earlier.c.state.in_(_UNDER_WAY),
        and_(earlier.c.state == EffectState.FAILED, earlier.c.resolution.is_(None)),
    )
    waits = (
        exists()
        .where(
            earlier.c.case_id == _effects.c.case_id,
            earlier.c.id < _effects.c.id,
            _same_place(earlier),
            earlier_group == group,
            unsettled,
        )
        .correlate(_effects)
    )
    return and_(_effects.c.state.in_(_UNDER_WAY), ~waits)


def _same_place(earlier: Any) -> ColumnElement[bool]:
    """In the same branch, or in one of the same script and row that a return stopped."""
    here, there = _branches.alias("here"), _branches.alias("there")
    same = exists().where(
        here.c.id == _effects.c.branch_id,
        there.c.id == earlier.c.branch_id,
        here.c.script == there.c.script,
        func.coalesce(here.c.row_id, 0) == func.coalesce(there.c.row_id, 0),
    )
    return same.correlate(_effects, earlier)


def _lock(work: Work, effect_id: int) -> LockedBranch:
    branch_id = work.db.execute(
        select(_effects.c.branch_id).where(_effects.c.id == effect_id)
    ).scalar()
    if branch_id is None:
        raise NotFound(effect=effect_id)
    return lock_branch(work, branch_id)


def _leave(
    work: Work,
    effect_id: int,
    state: EffectState,
    condition: ColumnElement[bool] = true(),  # noqa: B008 - a constant of SQL
    **values: Any,
) -> bool:
    """Compare-and-set from claimed: a zombie's second result changes nothing."""
    left = work.db.execute(
        update(_effects)
        .where(_effects.c.id == effect_id, _effects.c.state == EffectState.CLAIMED, condition)
        .values(state=state, **values)
    )
    return left.rowcount == 1


def _after(branch: LockedBranch) -> None:
    _wake_waiting_root(branch)
    advance(branch)
    branch.wake_run()
    branch.save()


def _ask_operator(work: Work, branch: LockedBranch, effect_id: int) -> None:
    """Ask, unless nobody waits for it: a return went back over it, or the case was terminated.

    The case is read anew: it may have ended while this waited for its branch.
    """
    voided, case_state = work.db.execute(
        select(_effects.c.voided, _cases.c.state)
        .join(_cases, _cases.c.id == _effects.c.case_id)
        .where(_effects.c.id == effect_id)
    ).one()
    if voided or case_state != CaseState.OPEN:
        let_go(branch, effect_id)
        branch.wake_run()
        return
    _tell_prefect(work, effect_id)
    key = f"operator:{effect_id}"
    asked_before = work.db.execute(
        select(func.count()).where(_steps.c.branch_id == branch.id, _steps.c.key == key)
    ).scalar_one()
    asked = Asked((RETRY, ENTER, DROP), "operator.settle", origin=Origin.OPERATOR)
    posts = (operator_post(work.db, branch.organisation_id),)
    open_step(branch, key, int(asked_before) + 1, posts, asked)


def _tell_prefect(work: Work, effect_id: int) -> None:
    """Once for each attempt that was the last one."""
    named = _effects.c.case_id, _effects.c.key, _effects.c.attempts, _effects.c.error
    row = work.db.execute(select(*named).where(_effects.c.id == effect_id)).one()
    key = f"effect:{effect_id}:{row.attempts}"
    told = {"effect": row.key, "error": row.error}
    tell_prefect(work, EFFECT_FAILED, key, row.case_id, told)


def _token() -> str:
    return secrets.token_hex(8)
