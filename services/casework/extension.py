"""申请延期 under the lock of its branch: the step that answers a request, and what it moves.

The date of a row moves with it, and every open step of its branch that follows that date. The
first date stays; the ladder starts anew, and superiors who were asked under the old date are
relieved (rule N). An undecided request stops no clock.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from models.act import ActRecord
from models.base import table
from models.casework import Branch, Origin, Rung, Slot, SlotState, Step, StepState
from models.ledger import Extension
from policy.acts import Act
from policy.calendar import instant_on
from policy.deadline import due_day
from policy.defaults import Policy
from policy.duration import DurationKind
from policy.extension import (
    AGREE,
    ANSWERS,
    GRANTED,
    may_ask_until,
    request_key,
    subject_of,
    who_answers,
)
from policy.ladder import next_rung
from policy.route import Seat
from services import calendar
from services.casework.branch import LockedBranch
from services.casework.here import here_of
from services.casework.raising import DUE as OF_DUTIES
from services.casework.steps import Asked, open_step, relieve
from services.errors import Invalid
from services.policy import frozen
from services.posts import holders, superiors
from services.substitutes import instead_of
from services.telling import tell_many

FORM = "extension"
_DUE = "extension.answer"
_acts = table(ActRecord)
_branches = table(Branch)
_told = table(Extension)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)


class NobodyToAsk(Invalid):
    """在系统中没有可以审批这次延期的上级领导，请先补充上级职务的任职。"""

    code = "nobody_to_ask"


def pending(db: Connection, step_id: int) -> bool:
    """Whether a request for a later date of a step, or of its row, is undecided."""
    return any(row.state == StepState.OPEN for row in _requests(db, step_id))


def granted(db: Connection, step_id: int) -> int:
    """How often the date of a step, or of its row, was moved, also before the case came here."""
    told = (
        select(func.count(_told.c.id))
        .join(_branches, (_branches.c.row_kind == "task") & (_branches.c.row_id == _told.c.task_id))
        .join(_steps, _steps.c.branch_id == _branches.c.id)
        .where(_steps.c.id == step_id)
    )
    here = sum(row.answer in GRANTED for row in _requests(db, step_id))
    return int(db.execute(told).scalar_one()) + here


def ask_superior(branch: LockedBranch, step_id: int, post_id: int) -> int:
    """Open the step in which a superior of this post answers; its id. :class:`NobodyToAsk`."""
    db = branch.work.db
    mine = _acts.c.step_id == step_id, _acts.c.act == Act.EXTEND
    before = db.execute(select(func.count()).where(*mine)).scalar_one()
    to = _superior(branch, post_id, granted(db, step_id))
    known = frozen(db, branch.policy_id).durations  # of a case that is older than this act
    due = _DUE if _DUE in known else OF_DUTIES
    asked = Asked(ANSWERS, due, form=FORM, origin=Origin.EXTENSION)
    return open_step(branch, request_key(step_id, before + 1), 1, (to,), asked)


def answered(branch: LockedBranch, key: str, answer: str, payload: Any) -> Any:
    """What is kept of the form of an answer: the date where it is another than was asked for."""
    if answer not in GRANTED:
        return None
    step, wanted = _subject(branch, key), wanted_until(branch.work.db, key)
    present = due_day(step.due_at)
    if answer == AGREE:
        if not may_ask_until(wanted, present):
            raise Invalid("现在的期限已不早于所申请的日期，不需要延期。", field="answer")
        return None
    until = _day(payload)
    if not present < until <= wanted:
        raise Invalid("请填写晚于现期限、不晚于申请日期的日期。", field="until")
    return {"until": until.isoformat()}


def settle_request(branch: LockedBranch, key: str, answer: str, payload: Any) -> None:
    """Carry out what a superior answered, and tell the owners of the step."""
    step, work = _subject(branch, key), branch.work
    context: dict[str, Any] = {"answer": answer}
    if answer in GRANTED:
        until = _day(payload) if payload else wanted_until(work.db, key)
        _move(branch, step, until)
        context["until"] = until.isoformat()
    open_ = _slots.c.step_id == step.id, _slots.c.state == SlotState.OPEN
    tell_many(
        work.db,
        key=f"answered:{key}",
        posts=work.db.execute(select(_slots.c.post_id).where(*open_)).scalars().all(),
        template="extension",
        context=context,
        now=work.now,
        case_id=branch.case_id,
        step_id=step.id,
    )


def wanted_until(db: Connection, key: str) -> date:
    """The date that a request asks for."""
    step_id, n = subject_of(key)
    mine = _acts.c.step_id == step_id, _acts.c.act == Act.EXTEND
    query = select(_acts.c.given).where(*mine).order_by(_acts.c.id).offset(n - 1).limit(1)
    return date.fromisoformat(db.execute(query).scalar_one()["until"])


def _requests(db: Connection, step_id: int) -> list[Row[Any]]:
    """The requests in the branch of a step that count with those of this step: of the same row's
    date, otherwise of the same key, in whichever round."""
    own = db.execute(_named().where(_steps.c.id == step_id)).one()
    of_branch = _steps.c.branch_id == own.branch_id, _steps.c.origin == Origin.EXTENSION
    requests = db.execute(_named().where(*of_branch)).all()
    subjects = {subject_of(row.key)[0] for row in requests}
    found = db.execute(_named().where(_steps.c.id.in_(subjects))).all() if subjects else ()
    same = {one.id for one in found if one.key == own.key or own.due_key == one.due_key == "row"}
    return [row for row in requests if subject_of(row.key)[0] in same]


def _named() -> Any:
    return select(
        *(_steps.c[name] for name in ("id", "branch_id", "key", "due_key", "state", "answer"))
    )


def _superior(branch: LockedBranch, post_id: int, level: int) -> int:
    db, on = branch.work.db, branch.work.today
    route = superiors(db, post_id, on)
    held, instead = holders(db, [post_id, *route], on), instead_of(db, [post_id, *route], on)

    def seat(of: int) -> Seat:
        others = (one for one in instead.get(of, ()) if one.covers(branch.mechanism_name))
        person_id = held[of].person_id if of in held else None
        return Seat(of, person_id, frozenset(one.substitute_id for one in others))

    found = who_answers(map(seat, route), seat(post_id), level)
    if found is None:
        raise NobodyToAsk(field="until")
    return found


def _subject(branch: LockedBranch, key: str) -> Row[Any]:
    step_id, _ = subject_of(key)
    return branch.work.db.execute(select(_steps).where(_steps.c.id == step_id)).one()


def _day(payload: Any) -> date:
    try:
        return date.fromisoformat(payload["until"])
    except (KeyError, TypeError, ValueError):
        raise Invalid("请填写同意延至的日期。", field="until") from None


def _move(branch: LockedBranch, step: Row[Any], until: date) -> None:
    policy = frozen(branch.work.db, branch.policy_id)
    for one in _following(branch, policy, step, until):
        _give_date(branch, policy, one, until)


def _following(
    branch: LockedBranch, policy: Policy, step: Row[Any], until: date
) -> Sequence[Row[Any]]:
    """The step and, where its date is its row's, whatever else of the branch goes by that date."""
    move_row = branch.script.move_row
    if policy.durations[step.due_key].kind is not DurationKind.ROW or move_row is None:
        return [step]
    move_row(here_of(branch.work, branch), until)
    by_row = _steps.c.branch_id == branch.id, _steps.c.due_key == step.due_key
    query = select(_steps).where(*by_row, _steps.c.state == StepState.OPEN)
    return branch.work.db.execute(query.order_by(_steps.c.id)).all()


def _give_date(branch: LockedBranch, policy: Policy, step: Row[Any], until: date) -> None:
    """A new deadline version: rungs of the old one end as 已延期, and the ladder starts anew."""
    due_at = instant_on(until + timedelta(days=1))
    ladder = policy.ladder_for(step.ladder, step.due_key)
    days = calendar.version(branch.work.db, branch.calendar_id)
    rung = next_rung(ladder, until, days, 0, step.opened_at) if ladder else None
    if step.rungs_fired:
        relieve(branch, _rungs.c.step_id == step.id)
    version = step.deadline_version + 1
    branch.work.db.execute(
        update(_steps)
        .where(_steps.c.id == step.id)
        .values(
            due_at=due_at,
            deadline_version=version,
            calendar_id=branch.calendar_id,
            rungs_fired=0,
            next_rung_at=rung[1] if rung and branch.paused_by is None else None,
            paused_at=branch.work.now if branch.paused_by else None,
        )
    )
    branch.note(act="extended", step=step.id, due=[step.due_at, due_at], deadline=version)
