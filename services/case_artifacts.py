"""A case as Prefect's artifacts show it (rule G): a table of its steps, and a link to its page.

Both are bounded however large the case is: its open steps first by date, so the overdue ones lead,
then the steps of its branches by stage, then what its own script did last. They name posts, stages
and dates: nobody's name, no problem text, of a restricted mechanism the number only (design §9).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from models.base import table
from models.casework import Branch, Case, Origin, Slot, SlotState, Step, StepState
from models.organisation import Organisation, Post
from policy.calendar import local_day
from policy.deadline import due_day
from services.restricted import RESTRICTED
from services.scope import post_name

OPEN_ROWS, STAGE_ROWS, DONE_ROWS = 20, 20, 10
"""The most rows of each part of the table."""
_POSTS = 3
_STATES = {StepState.OPEN: "待办", StepState.DECIDED: "已办", StepState.CLOSED: "已结束"}
_PAUSED = "已暂停"
_COLUMNS = ("环节", "承担", "开启", "期限", "状态", "逾期", "轮次")
_branches, _cases, _organisations = table(Branch), table(Case), table(Organisation)
_posts, _slots, _steps = table(Post), table(Slot), table(Step)
Title = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Artifact:
    """What Prefect is to show under a key: ``kind`` and ``data`` are in its words."""

    key: str
    kind: str
    data: str
    description: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step: ``posts`` names the first of them and ``asked`` counts them all."""

    key: str
    state: StepState
    posts: tuple[str, ...]
    asked: int
    opened_at: datetime
    due_at: datetime | None
    provisional: bool
    closed_at: datetime | None
    round: int
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StageLine:
    """The steps of one key in all branches of a case; ``due_at`` is the earliest open one's."""

    key: str
    open: int
    late: int
    done: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseSteps:
    """The steps of a case as far as they are shown; ``waiting`` counts all that are open."""

    number: str
    mechanism: str
    open: tuple[StepLine, ...]
    stages: tuple[StageLine, ...]
    done: tuple[StepLine, ...]
    waiting: int
    late: int


def artifacts_of(
    steps: CaseSteps, key: str, link: str, title: Title, now: datetime
) -> Sequence[Artifact]:
    """The link to the case's page, and the table of its steps unless it is restricted."""
    page = Artifact(f"{key}-page", "markdown", f"[{steps.number}]({link})", "事项页面")
    if steps.mechanism in RESTRICTED:
        return (page,)
    rows = _rows(steps, title, now)
    late = f"，其中逾期 {steps.late} 项" if steps.late else ""
    told = f"{steps.number} 待办 {steps.waiting} 项{late}。日期为北京时间。"
    return page, Artifact(key, "table", json.dumps(rows, ensure_ascii=False), told)


def digest_of(artifacts: Sequence[Artifact]) -> str:
    """What tells whether anything in them changed."""
    whole = json.dumps([[a.key, a.kind, a.data, a.description] for a in artifacts])
    return sha256(whole.encode()).hexdigest()[:32]


def _rows(steps: CaseSteps, title: Title, now: datetime) -> list[dict[str, str]]:
    rows = [_step(line, title(steps.mechanism, line.key), now) for line in steps.open]
    if steps.waiting > len(steps.open):
        rows.append(_row("", f"另有 {steps.waiting - len(steps.open)} 项待办"))
    rows += [_stage(line, title(steps.mechanism, line.key)) for line in steps.stages]
    return rows + [_step(line, title(steps.mechanism, line.key), now) for line in steps.done]


def _step(line: StepLine, title: str, now: datetime) -> dict[str, str]:
    posts = "、".join(line.posts) + (f"等 {line.asked} 岗" if line.asked > len(line.posts) else "")
    at = line.closed_at or line.paused_at or now
    late = line.due_at is not None and line.due_at <= at
    return _row(
        title,
        posts,
        f"{local_day(line.opened_at):%Y-%m-%d}",
        _due(line.due_at, provisional=line.provisional),
        _PAUSED if line.paused_at and line.closed_at is None else _STATES[line.state],
        "是" if late else "",
        str(line.round),
    )


def _stage(line: StageLine, title: str) -> dict[str, str]:
    state = f"待办 {line.open} 项，已办 {line.done} 项"
    late = f"{line.late} 项" if line.late else ""
    return _row(f"{title}（各分支）", "", "", _due(line.due_at), state, late)


def _row(*cells: str) -> dict[str, str]:
    return dict(zip(_COLUMNS, (*cells, *[""] * (len(_COLUMNS) - len(cells))), strict=True))


def _due(due_at: datetime | None, *, provisional: bool = False) -> str:
    if due_at is None:
        return ""
    return f"{due_day(due_at):%Y-%m-%d}" + ("（暂定）" if provisional else "")


_of_case = _steps.c.case_id == bindparam("p_case"), _steps.c.voided.is_(False)
_waits = _steps.c.state == StepState.OPEN
_late = (_steps.c.due_at <= bindparam("p_now")) & _steps.c.paused_at.is_(None)
_in_root = _steps.c.branch_id == bindparam("p_root")
_LINE = tuple(
    _steps.c[name]
    for name in (
        *("id", "key", "state", "opened_at", "due_at", "provisional", "closed_at", "round"),
        "paused_at",
    )
)
_CASE = (
    select(_cases.c.number, _cases.c.mechanism, _branches.c.id.label("root"))
    .join(_branches, _branches.c.case_id == _cases.c.id)
    .where(_cases.c.id == bindparam("p_case"), _branches.c.parent_id.is_(None))
)
_WAITING = select(func.count(), func.count().filter(_late)).where(*_of_case, _waits)
_OPEN = (
    select(*_LINE)
    .where(*_of_case, _waits)
    .order_by(_steps.c.due_at.is_(None), _steps.c.due_at, _steps.c.id)
    .limit(OPEN_ROWS)
)
_DONE = (
    select(*_LINE)
    .where(*_of_case, _in_root, _steps.c.state.in_([StepState.DECIDED, StepState.CLOSED]))
    .order_by(_steps.c.closed_at.desc(), _steps.c.id.desc())
    .limit(DONE_ROWS)
)
_STAGES = (
    select(
        _steps.c.key,
        func.count().filter(_waits).label("open"),
        func.count().filter(_waits, _late).label("late"),
        func.count().filter(~_waits).label("done"),
        func.min(_steps.c.due_at).filter(_waits).label("due_at"),
    )
    .where(*_of_case, ~_in_root, _steps.c.origin == Origin.SCRIPT)
    .group_by(_steps.c.key)
    .order_by(func.min(_steps.c.id))
    .limit(STAGE_ROWS)
)
_ASKED = (
    select(_slots.c.step_id, _organisations.c.short_name, _posts.c.title)
    .join(_posts, _posts.c.id == _slots.c.post_id)
    .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
    .where(
        _slots.c.step_id.in_(bindparam("p_steps", expanding=True)),
        _slots.c.state.in_([SlotState.OPEN, SlotState.ANSWERED]),
    )
    .order_by(_slots.c.step_id, _slots.c.position, _slots.c.id)
)


def case_steps(db: Connection, case_id: int, now: datetime) -> CaseSteps:
    """The steps of a case to be shown. NoResultFound when there is no such case."""
    of_case: dict[str, Any] = {"p_case": case_id}
    case = db.execute(_CASE, of_case).one()
    of_case |= {"p_now": now, "p_root": case.root}
    waiting, late = db.execute(_WAITING, of_case).one()
    open_, done = db.execute(_OPEN, of_case).all(), db.execute(_DONE, of_case).all()
    posts = _asked(db, [row.id for row in (*open_, *done)])
    return CaseSteps(
        number=case.number,
        mechanism=case.mechanism,
        open=tuple(_line(row, posts) for row in open_),
        stages=tuple(StageLine(*row) for row in db.execute(_STAGES, of_case)),
        done=tuple(_line(row, posts) for row in done),
        waiting=waiting,
        late=late,
    )


def _line(row: Row[Any], posts: Mapping[int, Sequence[str]]) -> StepLine:
    _, key, state, opened_at, due_at, provisional, closed_at, round_, paused_at = row
    asked = posts.get(row.id, ())
    shown = tuple(asked[:_POSTS])
    dates = opened_at, due_at, provisional, closed_at
    return StepLine(key, state, shown, len(asked), *dates, round_, paused_at)


def _asked(db: Connection, step_ids: Sequence[int]) -> dict[int, list[str]]:
    """The posts that each step asks, or that answered it, by step."""
    found: dict[int, list[str]] = {}
    for step_id, unit, title in db.execute(_ASKED, {"p_steps": step_ids}):
        found.setdefault(step_id, []).append(post_name(unit, title))
    return found
