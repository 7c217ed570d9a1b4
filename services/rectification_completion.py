"""三态完成 of a problem: what is claimed of it, and what becomes of it once that is verified.

已完成 closes it (销号). 基本完成 and 长期坚持 keep it open beside the report: on each review date
its department says how it stands, until it is closed and that is verified (CK-18).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from models.base import table
from models.casework import Case, Decision, Slot, Step
from models.problem import Problem, ProblemState, Task, TaskState
from policy.calendar import instant_on
from policy.completion import Claim, Completion, Wrong, claim, review_day
from policy.deadline import deadline
from services import calendar
from services.casework import Here, form
from services.errors import Invalid
from services.policy import frozen

STATES: Mapping[Completion, ProblemState] = {
    Completion.DONE: ProblemState.CLOSED,
    Completion.BASIC: ProblemState.BASIC,
    Completion.LONG_TERM: ProblemState.LONG_TERM,
}
KEPT = (ProblemState.BASIC, ProblemState.LONG_TERM)
"""Problems that are looked at again."""
APPLICATIONS = ("apply-closing", "apply-again")
"""The steps in which it is claimed how far a problem is."""
_WITHIN = "rectification.review_within"
_cases = table(Case)
_decisions = table(Decision)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)
_SAID = (
    select(_decisions.c.payload)
    .join(_steps, _steps.c.id == _decisions.c.step_id)
    .join(_slots, _slots.c.id == _decisions.c.slot_id)
    .where(
        _slots.c.added_to.is_(None),  # whoever was added (加签) fills in nothing
        _steps.c.branch_id == bindparam("p_branch"),
        _steps.c.key.in_(bindparam("p_keys", expanding=True)),
        _steps.c.voided.is_(False),
    )
    .order_by(_steps.c.seq.desc())
    .limit(1)
)
_WHY = {
    ("completion", "which"): "请选择已完成、基本完成或者长期坚持。",
    ("remains", "missing"): "请写明还有哪些没有完成，或者哪些要长期坚持。",
    ("remains", "long"): "还有哪些没有完成，最长 1000 个字。",
    ("measures", "missing"): "请写明下一步的措施。",
    ("measures", "long"): "下一步的措施最长 1000 个字。",
    ("review_on", "which"): "请填写下次复查的日期。",
}


@form("completion")
def check_completion(here: Here, payload: Any) -> dict[str, str]:
    """What is claimed of the problem, as it is stored; ``Invalid`` with the field."""
    latest = latest_review(here.db, here.case_id, here.on)
    try:
        return claim(payload, here.on, latest).as_json()
    except Wrong as wrong:
        raise _refusal(wrong, latest) from None


@form("standing")
def check_standing(here: Here, payload: Any) -> dict[str, str]:
    """The next review date of a problem that is kept up; none means the last possible one."""
    latest = latest_review(here.db, here.case_id, here.on)
    if not (isinstance(payload, Mapping) and payload.get("review_on")):
        return {"review_on": latest.isoformat()}
    try:
        return {"review_on": review_day(payload, here.on, latest).isoformat()}
    except Wrong as wrong:
        raise _refusal(wrong, latest) from None


def latest_review(db: Connection, case_id: int, on: date) -> date:
    """The last day on which what is claimed on a day has to be looked at again."""
    query = select(_cases.c.policy_id).where(_cases.c.id == case_id)
    within = frozen(db, db.execute(query).scalar_one()).durations[_WITHIN]
    return deadline(within, instant_on(on), calendar.latest(db)).on


def close_as_claimed(here: Here) -> dict[str, str]:
    """Put a verified problem where its department claimed it is.

    ValueError while a task that ends is not confirmed (it would be closed unfinished).
    """
    query = select(_tasks.c.id).where(
        _tasks.c.problem_id == here.row,
        _tasks.c.state == TaskState.PUBLISHED,
        _tasks.c.long_term.is_(False),
    )
    if here.db.execute(query.limit(1)).first() is not None:
        raise ValueError(f"problem {here.row} has tasks that are not confirmed")
    return put(here, claimed_in(here.db, here.branch_id) or Claim(Completion.DONE))


def claimed_in(db: Connection, branch_id: int) -> Claim | None:
    """What the latest application of a problem's branch claims; None where it claims nothing: it
    came with a ledger, or is of the first edition."""
    said = db.execute(_SAID, {"p_branch": branch_id, "p_keys": APPLICATIONS}).scalar()
    if not isinstance(said, Mapping) or "completion" not in said:
        return None
    day = said.get("review_on")
    more = said.get("remains", ""), said.get("measures", "")
    return Claim(Completion(said["completion"]), *more, date.fromisoformat(day) if day else None)


def put(here: Here, said: Claim) -> dict[str, str]:
    """Put the problem of this branch where a claim says it is."""
    state = STATES[said.completion]
    values = {"remains": said.remains, "measures": said.measures, "review_on": said.review_on}
    mine = update(_problems).where(_problems.c.id == here.row)
    here.db.execute(mine.values(state=state, **values))
    return {"state": state.value}


def kept_problems(here: Here) -> list[int]:
    """The problems of the case that are 基本完成 or 长期坚持, in the order of the feedback."""
    mine = _problems.c.case_id == here.case_id, _problems.c.state.in_(KEPT)
    query = select(_problems.c.id).where(*mine).order_by(_problems.c.number)
    return [int(found) for found in here.db.execute(query).scalars()]


def review_date(here: Here) -> date:
    """When the problem of this branch is looked at next; the last possible day where none was
    set, as in a ledger that was taken over."""
    query = select(_problems.c.review_on).where(_problems.c.id == here.row)
    set_: date | None = here.db.execute(query).scalar_one()
    return set_ or latest_review(here.db, here.case_id, here.on)


def keep_up(here: Here) -> dict[str, str]:
    """The problem is kept up until its next review date."""
    asked = {"p_branch": here.branch_id, "p_keys": ["say-standing"]}
    said: Mapping[str, str] = here.db.execute(_SAID, asked).scalar_one()
    day = date.fromisoformat(said["review_on"])
    mine = update(_problems).where(_problems.c.id == here.row)
    here.db.execute(mine.values(review_on=day))
    return {"review_on": day.isoformat()}


def close_kept(here: Here) -> dict[str, str]:
    """A problem that was kept up is closed."""
    return put(here, Claim(Completion.DONE))


def _refusal(wrong: Wrong, latest: date) -> Invalid:
    said = _WHY.get((wrong.field, wrong.why))
    day = f"{latest.year}年{latest.month}月{latest.day}日"
    return Invalid(said or f"复查日期须在今天以后、不晚于{day}。", field=wrong.field)
