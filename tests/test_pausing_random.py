"""Whatever is paused, resumed, decided and waited for: dates move by what stood, and by no more."""

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models.base import table
from models.casework import Branch, DutyMember, Rung, Step, StepState
from policy.calendar import Calendar, local_day
from policy.deadline import due_day
from policy.duration import DurationKind
from policy.pause import moved_by
from services import calendar
from services.database import open_engine
from services.errors import AlreadyDecided
from services.pausing import pause, resume
from services.watch import sweep
from tests.rectification_cast import Rectification, begin
from tests.vacancy_scene import holds, today
from tests.world import Clock, lay_out

_branches, _members = table(Branch), table(DutyMember)
_rungs, _steps = table(Rung), table(Step)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("pause"), st.integers(0, 3)),
        st.tuples(st.just("resume"), st.integers(0, 3)),
        st.tuples(st.just("days"), st.integers(1, 40)),
        st.tuples(st.just("decide"), st.integers(0, 9)),
    ),
    min_size=4,
    max_size=12,
)
Span = tuple[date, date | None]


class Told:
    """What a person would keep on paper: of each branch the pauses, from which day to which."""

    def __init__(self, case: Rectification) -> None:
        self.case = case
        self.spans: dict[int, list[Span]] = {}
        with case.env.engine.connect() as db:
            self.parents = {row.id: row.parent_id for row in db.execute(select(_branches))}
        self.top = sorted(self.parents)[:4]

    def pause(self, n: int) -> None:
        at, on = self.top[n % len(self.top)], today(self.case.world)
        given: Any = {"kind": "appeal", "review_on": f"{on.year + 1}-01-01", "reason": "申诉"}
        actor, key = self.case.world.actor("district_secretary"), self.case.world.key()
        try:
            pause(self.case.env, actor, branch_id=at, key=key, **given)
        except AlreadyDecided:
            return
        self.spans.setdefault(at, []).append((on, None))

    def resume(self, n: int) -> None:
        at, on = self.top[n % len(self.top)], today(self.case.world)
        actor, key = self.case.world.actor("district_secretary"), self.case.world.key()
        try:
            resume(self.case.env, actor, branch_id=at, reason="已复查", key=key)
        except AlreadyDecided:
            return
        self.spans[at][-1] = (self.spans[at][-1][0], on)

    def ended(self, branch_id: int, on: date) -> None:
        """A branch that ended stands no more."""
        last = self.spans.get(branch_id, [])[-1:]
        if last and last[0][1] is None:
            self.spans[branch_id][-1] = (last[0][0], on)

    def stood(self, branch_id: int, since: date, days: Calendar, *, working: bool) -> int:
        """The days of any pause above a step since it was opened, each once; live ones out."""
        line, one = [], branch_id
        while one:
            line += self.spans.get(one, [])
            one = self.parents[one] or 0
        counted = set()
        for begun, ended in line:
            on = max(begun, since)
            for n in range(((ended or on) - on).days):
                counted.add(date.fromordinal(on.toordinal() + n + 1))
        return sum(days.is_working(day) for day in counted) if working else len(counted)


def check(told: Told) -> None:
    case = told.case
    with case.env.engine.connect() as db:
        days = calendar.latest(db)
        open_ = select(_steps).where(_steps.c.state == StepState.OPEN, _steps.c.origin == "script")
        for step in db.execute(open_).all():
            row = step.due_key == "row"
            kind = DurationKind.ROW if row else DurationKind.WORKING_DAYS
            since = local_day(step.opened_at)
            live = [s for s in told.spans.get(step.branch_id, []) if s[1] is None]
            if step.paused_at is None:
                assert not live
                stood = told.stood(step.branch_id, since, days, working=not row)
                first = due_day(step.original_due_at)
                if row:  # its row moved with earlier rounds too
                    assert due_day(step.due_at) >= moved_by(kind, first, stood, days)
                else:
                    assert due_day(step.due_at) == moved_by(kind, first, stood, days)
            else:
                assert step.next_rung_at is None
        old = (
            select(_members.c.id)
            .join(_rungs, _rungs.c.id == _members.c.rung_id)
            .join(_steps, _steps.c.id == _rungs.c.step_id)
            .where(
                _members.c.struck_at.is_(None),
                (_steps.c.deadline_version != _rungs.c.deadline_version)
                | _steps.c.paused_at.is_not(None),
            )
        )
        assert db.execute(old).all() == []


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(deeds=DEEDS)
def test_a_date_moves_by_what_stood_and_there_is_one_ladder(deeds: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'pause.db'}")
        lay_out(engine)
        clock = Clock()
        case = begin(engine, clock)
        case.plan()
        told = Told(case)
        for deed, n in deeds:
            if deed == "pause":
                told.pause(n)
            elif deed == "resume":
                told.resume(n)
            elif deed == "days":
                clock.forward(days=n)
                sweep(case.env)
            else:
                decided(case, n)
            case.settle()
            with engine.connect() as db:
                for row in db.execute(select(_branches).where(_branches.c.state != "open")):
                    told.ended(row.id, today(case.world))
            check(told)
        holds(case.world)
        engine.dispose()


def decided(case: Rectification, n: int) -> None:
    """Somebody answers what the script asked of them; four eyes may refuse."""
    mine = [one for one in case.world.waiting() if not one[0].startswith("rung:")]
    if mine:
        key, post = mine[n % len(mine)]
        answer = {"do-task": "done", "apply-closing": "done"}.get(key, "agree")
        if key == "confirm-task" and n % 3 == 0:
            case.world.answer(key, "return", post, reason="不实")
        else:
            case.world.answer(key, answer, post)
