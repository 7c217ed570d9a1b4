"""What Prefect shows of a case (rule G): a state, a line, a table; written at most every 10 s.

The mirror carries number, unit, step, post and date; nobody's name and no problem text (design §9).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    ScalarSelect,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    update,
)

from models.base import table
from models.casework import Branch, Case, CaseState, RunWake, Step, StepState
from policy.calendar import local_day
from policy.deadline import due_day
from services.case_artifacts import Artifact, artifacts_of, case_steps, digest_of
from services.casework import CaseStatus, OpenStep, case_status
from services.catalogue import step_title
from services.database import reading
from services.env import Env
from services.restricted import RESTRICTED
from services.runs import END, STOPPED

_branches = table(Branch)
_cases = table(Case)
_steps = table(Step)
_wakes = table(RunWake)

PACE = timedelta(seconds=10)
"""At most one write per case in this time."""
_OVERLAP = timedelta(seconds=30)
"""A step may be committed this long after the clock was read for it."""
WAITING = "待办"
"""State name of a run that waits for people."""
PAUSED = "已暂停"
"""State name of a run whose case somebody paused (暂停): people may decide, no clock runs."""
BLOCKED = "受阻"
"""State name while a script of the case fails and the operator was told."""
ENDED = {CaseState.ENDED: "办结", CaseState.TERMINATED: "终止"}
"""State names of a run that completed."""
_SHOWN = 3
_POSTS = 3


@dataclass(frozen=True, slots=True)
class Mirror:
    """A state name and message; ``ended``: the run is to complete; ``effects`` still pending."""

    name: str
    message: str
    ended: bool
    effects: int

    @property
    def text(self) -> str:
        """What is compared and kept in ``Case.mirrored``."""
        return f"{self.name}\n{self.message}"


def mirror_of(status: CaseStatus, title: Callable[[str, str], str], link: str) -> Mirror:
    """The mirror of a case; ``title`` names a step by mechanism and key, ``link`` is its page."""
    name = ENDED.get(status.state)
    if name is not None:
        return Mirror(name, f"{status.number} 已{name}。{link}", True, status.pending_effects)
    shown = "" if status.mechanism in RESTRICTED else _waits_for(status, title)
    return Mirror(
        BLOCKED if status.blocked else PAUSED if status.paused else WAITING,
        f"{status.number} {shown}{link}",
        False,
        status.pending_effects,
    )


def _waits_for(status: CaseStatus, title: Callable[[str, str], str]) -> str:
    shown = status.open[:_SHOWN]
    told = [_step(step, title(status.mechanism, step.key)) for step in shown]
    if status.open_count > len(shown):
        told.append(f"另有 {status.open_count - len(shown)} 项")
    if status.pending_effects:
        told.append(f"自动事项 {status.pending_effects} 项待处理")
    return f"{'；'.join(told)}。" if told else ""


def _step(step: OpenStep, title: str) -> str:
    posts = "、".join(step.posts[:_POSTS]) + ("等" if len(step.posts) > _POSTS else "")
    due = ""
    if step.paused:
        due = PAUSED
    elif step.due_at is not None:
        due = f"{due_day(step.due_at):%Y-%m-%d}前" + ("（暂定）" if step.provisional else "")
    about = "，".join(part for part in (posts, due) if part)
    return f"{title}（{about}）" if about else title


def mirror(env: Env, case_id: int) -> Mirror:
    """The mirror of a case as it stands now."""
    with reading(env.engine) as db:
        status = case_status(db, case_id)
    return mirror_of(status, step_title, page_of(env, case_id))


def page_of(env: Env, case_id: int) -> str:
    """The address of a case's page."""
    return f"{env.base_url}/cases/{case_id}"


@dataclass(frozen=True, slots=True)
class Face:
    """All that Prefect is to show of a case: its run's state, and its artifacts."""

    mirror: Mirror
    artifacts: Sequence[Artifact]
    digest: str


def face(env: Env, case_id: int) -> Face:
    """What is to be shown of a case as it stands now."""
    link = page_of(env, case_id)
    with reading(env.engine) as db:
        status = case_status(db, case_id)
        now = env.clock()
        steps = case_steps(db, case_id, now)
    artifacts = artifacts_of(steps, f"case-{case_id}", link, step_title, now)
    return Face(mirror_of(status, step_title, link), artifacts, digest_of(artifacts))


@dataclass(frozen=True, slots=True)
class Shown:
    """What Prefect shows of a case with a run: state name and message, and digest of its table.

    ``version`` is another one whenever something may have to be shown anew.
    """

    case_id: int
    run_id: str
    text: str | None
    tabled: str | None
    ended: bool
    version: tuple[int, date, str, bool]
    taken_at: datetime | None = field(default=None, compare=False)
    """Since when it is this process's to write (:func:`take`)."""


def changed(env: Env, since: datetime, limit: int) -> list[Shown]:
    """Cases that may have to be mirrored anew: those whose steps changed or became late after
    ``since``, those that are blocked, and those whose run has no table yet; oldest mirror first.

    Left out are those that were looked at within :data:`PACE` (they come with a later call: look
    back over it), those whose run is woken anyway, and those whose run an operator stopped. Of a
    case that ended its last table is wanted, once Prefect shows the end.
    """
    now = env.clock()
    here = _cases.c.id.in_(_candidates(since - _OVERLAP - PACE, now))
    live = and_(
        _cases.c.state == CaseState.OPEN,
        or_(_cases.c.mirrored.is_(None), _cases.c.mirrored != STOPPED),
    )
    over = and_(_cases.c.mirrored == END, _cases.c.tabled.is_(None))
    query = (
        select(
            *(_cases.c[name] for name in ("id", "run_id", "mirrored", "tabled", "state")),
            _changes().label("changes"),
        )
        .where(
            here,
            _cases.c.run_id.is_not(None),
            _rested(now),
            or_(live, over),
            _unwoken(),
        )
        .order_by(_cases.c.mirrored_at.is_not(None), _cases.c.mirrored_at, _cases.c.id)
        .limit(limit)
    )
    with reading(env.engine) as db:
        return [_row(row, local_day(now)) for row in db.execute(query)]


def _candidates(after: datetime, now: datetime) -> CompoundSelect[Any]:
    case_id, deadlines = _steps.c.case_id, []
    if local_day(after) != local_day(now):  # a deadline ends with a day
        late = _steps.c.due_at > after, _steps.c.due_at <= now, _steps.c.state == StepState.OPEN
        deadlines.append(select(case_id).where(*late))
    return union(
        select(case_id).where(_steps.c.opened_at > after),
        select(case_id).where(_steps.c.closed_at > after),
        select(_branches.c.case_id).where(_branches.c.error.is_not(None)),
        select(_cases.c.id).where(_cases.c.tabled.is_(None)),
        *deadlines,
    )


def _changes() -> ScalarSelect[int]:
    """Every change of a branch is audited on its chain, so the chains' lengths tell of any."""
    of_case = _branches.c.case_id == _cases.c.id
    return select(func.sum(_branches.c.audit_n)).where(of_case).correlate(_cases).scalar_subquery()


def _rested(now: datetime) -> ColumnElement[bool]:
    """Not looked at within :data:`PACE`; a time to come was written by a clock that was ahead."""
    at = _cases.c.mirrored_at
    return or_(at.is_(None), at <= now - PACE, at > now + PACE)


def _unwoken() -> ColumnElement[bool]:
    return ~exists().where(_wakes.c.case_id == _cases.c.id)


def _unstopped() -> ColumnElement[bool]:
    return func.coalesce(_cases.c.mirrored, "") != STOPPED


def _row(row: Row[Any], today: date) -> Shown:
    ended = row.state != CaseState.OPEN
    version = int(row.changes), today, row.run_id, ended
    return Shown(row.id, row.run_id, row.mirrored, row.tabled, ended, version)


def take(env: Env, found: Iterable[Shown]) -> list[Shown]:
    """Those of ``found`` that are this process's to look at and write, for :data:`PACE`."""
    wanted = {shown.case_id: shown for shown in found}
    if not wanted:
        return []
    with env.engine.begin() as db:
        now = env.clock()
        mine = set(
            db.execute(
                update(_cases)
                .where(_cases.c.id.in_(wanted), _rested(now), _unwoken())
                .values(mirrored_at=now)
                .returning(_cases.c.id)
            ).scalars()
        )
    return [replace(shown, taken_at=now) for id, shown in wanted.items() if id in mine]


def mine_still(env: Env, shown: Shown) -> bool:
    """Whether what is known of a case may be written by this process, which took it, even now.

    Not when another process took it meanwhile, for this one was held up; when its run is woken,
    for that is called back by no mirror; and when it ended, or its run was stopped.
    """
    here = _cases.c.id == shown.case_id, _cases.c.mirrored_at == shown.taken_at
    with reading(env.engine) as db:
        query = select(_cases.c.state).where(*here, _unwoken(), _unstopped())
        state = db.execute(query).scalar()
    return state is not None and (state != CaseState.OPEN) is shown.ended


def last_written(env: Env) -> datetime:
    """When anything was mirrored last: from there a writer that starts has to catch up."""
    with reading(env.engine) as db:
        last = db.execute(select(func.max(_cases.c.mirrored_at))).scalar()
    return min(last, env.clock()) if last is not None else env.clock()


def wrote(env: Env, case_id: int, text: str) -> None:
    """Prefect shows this of the case now."""
    with env.engine.begin() as db:
        _keep(db, [_cases.c.id == case_id], text, env.clock())


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of a case: the text of its state, the digest of its table; None: not.

    ``taken_at``: as in :class:`Shown`.
    """

    case_id: int
    text: str | None
    tabled: str | None
    taken_at: datetime | None = None


def keep(env: Env, written: Iterable[Written]) -> list[str]:
    """Prefect shows these now. An end that it shows meanwhile stays.

    A case that is shown as blocked is looked at until it is not: that it goes on has no date. What
    was written although somebody else had the case by then is older than theirs, for all one can
    tell: it is looked at again, whatever each of them believes. Returned are runs that an operator
    had cancelled and that were written over: they are to be cancelled again (rule M).
    """
    found = sorted((one for one in written if one.text or one.tabled is not None), key=_by_case)
    if not found:
        return []
    with env.engine.begin() as db:
        return [run for one in found if not _kept(db, one) for run in _doubt(db, one, env.clock())]


def _by_case(one: Written) -> int:
    return one.case_id


def _kept(db: Connection, one: Written) -> bool:
    values = {"mirrored": one.text, "tabled": one.tabled}
    kept: dict[str, str | None] = {
        name: value for name, value in values.items() if value is not None
    }
    which = [_cases.c.id == one.case_id]
    if one.taken_at is not None:
        which.append(_cases.c.mirrored_at == one.taken_at)
    if one.text is not None:
        which += [_cases.c.state == CaseState.OPEN, _unstopped()]
        kept |= {"tabled": None} if one.text.startswith(f"{BLOCKED}\n") else {}
    return bool(db.execute(update(_cases).where(*which).values(kept)).rowcount)


def _doubt(db: Connection, one: Written, now: datetime) -> list[str]:
    """Two wrote at once. The table is asked for anew, and so is the state; the run of a case that
    ended is woken, for it may show that it waits."""
    here = _cases.c.id == one.case_id
    case = db.execute(select(_cases.c.run_id, _cases.c.state, _cases.c.mirrored).where(here)).one()
    values: dict[str, Any] = {"tabled": None}
    if one.text is not None and case.state != CaseState.OPEN:
        wake = {"case_id": one.case_id, "try_at": now, "attempts": 0}
        db.execute(insert(_wakes).values(wake))
    elif one.text is not None and case.mirrored != STOPPED:
        values["mirrored"] = None
    db.execute(update(_cases).where(here).values(values))
    stopped_run = one.text is not None and case.mirrored == STOPPED
    return [case.run_id] if stopped_run and case.run_id else []


def stopped(env: Env, run_ids: Iterable[str]) -> None:
    """An operator cancelled these runs: their cases show 运行已停 until they run again."""
    found = list(run_ids)
    if found:
        with env.engine.begin() as db:
            still_open = _cases.c.state == CaseState.OPEN
            _keep(db, [_cases.c.run_id.in_(found), still_open, _unstopped()], STOPPED, env.clock())


def _keep(db: Connection, which: list[ColumnElement[bool]], text: str, now: datetime) -> None:
    db.execute(update(_cases).where(*which).values(mirrored=text, mirrored_at=now))
