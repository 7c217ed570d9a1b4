"""Random histories of a case: nothing is lost, doubled or stuck, and every case can still end.

Decide, return, void, failing effects, failing scripts, repeated and lost wakes, crashes between a
claim and its result, in any order (rules A–E, I–K).
"""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine, func, insert, select, text

from chaos.checker import findings
from models.base import table
from models.casework import (
    Branch,
    BranchState,
    Case,
    CaseState,
    Decision,
    Effect,
    EffectState,
    Fact,
    Fanout,
    Slot,
    SlotState,
    Step,
    StepState,
    Wake,
    WakeKind,
)
from policy.calendar import local_day
from policy.outcome import RETURN
from services.casework import (
    claim_effect,
    decide,
    drain,
    fail_effect,
    finish_effect,
    open_case,
    ready_effects,
    return_targets,
)
from services.casework.branch import lock_branch
from services.casework.replay import advance
from services.casework.unstick import unstick
from services.command import SYSTEM, Work
from services.database import open_engine
from services.env import Env
from services.errors import AlreadyDecided, CannotReturn, NotAuthorised
from services.invariants import violations_seen
from services.termination import terminate
from tests import parts, world
from tests.chaos_history import seen_by
from tests.parts_case import void_root
from tests.world import lay_out

PICK = st.integers(0, 10**6)
_steps, _slots, _branches = table(Step), table(Slot), table(Branch)
_decisions, _effects, _facts = table(Decision), table(Effect), table(Fact)
_fanouts, _wakes, _cases = table(Fanout), table(Wake), table(Case)


def memory_engine() -> Engine:
    """An SQLite database in memory with every table, and one for what the test mechanism writes."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    with engine.begin() as db:
        db.execute(text("CREATE TABLE published (branch_id INTEGER)"))
    return engine


class _Undone(Exception):
    """Rolls a look-only replay back."""


class CaseMachine(RuleBasedStateMachine):
    """One case of the test mechanism, and whatever may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = world.Clock()
        self.engine = memory_engine()
        self.env = Env(self.engine, self.clock, mechanisms=parts.EDITION)
        parts.OUTSIDE.seen.clear()
        parts.OUTSIDE.failing.clear()
        self.journal: list[int] = []
        self.requests: list[dict[str, Any]] = []
        self.steps_when_ended: int | None = None

    @initialize()
    def open_the_case(self) -> None:
        self.world = world.build(self.env)
        parts.OUTSIDE.posts = self.world.posts
        town = self.world.organisations["town"]
        made = self.world.do(
            lambda work: {
                "case": open_case(
                    work, mechanism=parts.NAME, organisation_id=town, number="试〔2026〕1号"
                )
            }
        )
        self.case_id = int(str(made["case"]))

    def teardown(self) -> None:
        if hasattr(self, "case_id"):
            self._can_still_end()
            with self.engine.connect() as db:
                assert list(violations_seen(db, local_day(self.clock()))) == []
                assert findings(seen_by(db), [], None).violations == ()
        self.engine.dispose()

    # what may happen

    @rule(pick=PICK, negative=st.sampled_from([False, False, False, True]))
    def somebody_decides(self, pick: int, negative: bool) -> None:
        open_slots = self.world.open_slots()
        if open_slots:
            slot_id, _, post = open_slots[pick % len(open_slots)]
            self._answer(slot_id, post, self._request(slot_id, negative, pick))

    @rule(days=st.integers(1, 12))
    def an_ordinary_stretch(self, days: int) -> None:
        """Answers as asked, drains and effects, so that histories also reach the later steps."""
        parts.OUTSIDE.failing.clear()
        self.clock.forward(minutes=6)
        for _ in range(days):
            drain(self.env)
            for ref in self._ready()[:1]:
                call = claim_effect(self.env, ref.id)
                assert call is not None
                finish_effect(self.env, call.effect_id, call.run())
            for slot_id, _, post in self.world.open_slots()[:1]:
                self._answer(slot_id, post, self._request(slot_id, False, 0))

    @rule(pick=PICK)
    def somebody_returns(self, pick: int) -> None:
        open_slots = self.world.open_slots()
        of_root = [slot for slot in open_slots if slot[1] in ("approve", "sign", "close", "review")]
        for slot_id, _, post in (of_root or open_slots)[-1:]:
            self._answer(slot_id, post, self._request(slot_id, True, pick))

    @rule(key=st.sampled_from(["draft", "review", "approve"]))
    def the_plan_is_taken_back_while_its_parts_are_under_way(self, key: str) -> None:
        """What 撤回 will do: a void over an ``each`` whose branches are still running."""

        if self._case_state() == CaseState.OPEN:
            with suppress(CannotReturn):
                void_root(self.world, self.case_id, key)

    @rule(pick=PICK)
    @precondition(lambda self: self.requests)
    def a_request_comes_again(self, pick: int) -> None:
        again = self.requests[pick % len(self.requests)]
        before = self._count(_decisions)
        first = decide(self.env, self.world.actor(again["post"]), **again["given"])
        assert first.decision_id == again["decision"]
        assert self._count(_decisions) == before

    @rule(pick=PICK)
    @precondition(lambda self: self.requests)
    def another_tab_comes_too_late(self, pick: int) -> None:
        again = self.requests[pick % len(self.requests)]
        given = {**again["given"], "key": self.world.key()}
        with pytest.raises(AlreadyDecided):
            decide(self.env, self.world.actor(again["post"]), **given)

    @rule(post=st.sampled_from(["", "", "", "", "", "", "", "district_secretary"]))
    def somebody_ends_the_case(self, post: str) -> None:
        """终止, now and then: whatever is under way in it by then."""
        if not post or self._case_state() != CaseState.OPEN:
            return
        actor, key = self.world.actor(post), self.world.key()
        terminate(self.env, actor, case_id=self.case_id, reason="并入新单位", key=key)
        self.steps_when_ended = self._count(_steps)

    @rule()
    def the_drain_runs(self) -> None:
        drain(self.env)

    @rule(pick=PICK, end=st.sampled_from(["finish", "finish", "twice", "fail", "crash"]))
    def an_effect_runs(self, pick: int, end: str) -> None:
        ready = self._ready()
        if not ready:
            return
        call = claim_effect(self.env, ready[pick % len(ready)].id)
        assert call is not None
        result = call.run()
        if end in ("finish", "twice"):
            finish_effect(self.env, call.effect_id, result)
        if end in ("fail", "twice"):
            fail_effect(self.env, call.effect_id, "refused")

    @rule(post=st.sampled_from(["clerk", "deputy", "secretary", "district_member"]))
    def a_script_begins_to_fail(self, post: str) -> None:
        parts.OUTSIDE.failing.add(post)

    @rule()
    @precondition(lambda self: bool(parts.OUTSIDE.failing))
    def the_scripts_are_mended(self) -> None:
        parts.OUTSIDE.failing.clear()

    @rule(minutes=st.integers(1, 600))
    def time_goes_by(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    @rule()
    def wakes_are_repeated(self) -> None:
        with self.engine.begin() as db:
            ids = db.execute(select(_branches.c.id)).scalars().all()
            again = {"kind": WakeKind.ADVANCE, "try_at": self.clock(), "attempts": 0}
            db.execute(insert(_wakes), [{**again, "branch_id": branch_id} for branch_id in ids])

    @rule()
    def wakes_are_lost(self) -> None:
        with self.engine.begin() as db:
            db.execute(_wakes.delete())
        unstick(self.env)

    # what must hold

    @invariant()
    def no_decision_is_lost(self) -> None:
        with self.engine.connect() as db:
            kept = set(db.execute(select(_decisions.c.id)).scalars())
        assert set(self.journal) <= kept

    @invariant()
    def each_open_step_has_one_live_deadline_and_somebody_who_is_asked(self) -> None:
        waiting = _slots.c.state == SlotState.OPEN
        query = select(_steps, func.count(_slots.c.id).filter(waiting).label("waiting")).join(
            _slots, _slots.c.step_id == _steps.c.id
        )
        with self.engine.connect() as db:
            for step in db.execute(query.group_by(_steps.c.id)):
                is_open = step.state == StepState.OPEN
                assert is_open == (step.waiting > 0)
                assert step.due_at is not None
                assert (step.next_rung_at is not None) == (is_open and step.ladder != "")

    @invariant()
    def nothing_is_asked_or_begun_in_a_case_that_was_terminated(self) -> None:
        if self.steps_when_ended is None:
            return
        assert self._count(_steps) == self.steps_when_ended
        assert self.world.open_slots() == []
        with self.engine.connect() as db:
            open_ = select(func.count()).where(_branches.c.state == BranchState.OPEN)
            assert db.execute(open_).scalar_one() == 0
            undoes = db.execute(select(_effects.c.undoes).where(_effects.c.state == "queued"))
            assert None not in undoes.scalars().all()

    @invariant()
    def a_replay_gives_the_same_open_steps(self) -> None:
        for branch_id, _ in self._settled_branches():
            before = self._open_steps(branch_id)
            assert self._replayed(branch_id) == before

    @invariant()
    def only_an_approved_plan_is_published(self) -> None:
        live = _facts.c.key == "publish", _facts.c.voided.is_(False)
        with self.engine.connect() as db:
            published = db.execute(text("SELECT count(*) FROM published")).scalar_one()
            recorded = db.execute(select(func.count()).where(*live)).scalar_one()
            approved = db.execute(
                select(func.count()).where(
                    _steps.c.key == "approve",
                    _steps.c.state == StepState.DECIDED,
                    _steps.c.voided.is_(False),
                )
            ).scalar_one()
        assert published == recorded <= approved

    @invariant()
    def no_branch_runs_under_a_voided_each(self) -> None:
        running = select(func.count()).select_from(
            _branches.join(_fanouts, _branches.c.fanout_id == _fanouts.c.id)
        )
        with self.engine.connect() as db:
            found = db.execute(
                running.where(_fanouts.c.voided, _branches.c.state == BranchState.OPEN)
            ).scalar_one()
        assert found == 0

    @invariant()
    def what_was_undone_was_done_before_and_one_notice_at_most_stands(self) -> None:
        notices = len(parts.OUTSIDE.seen.get("parts_notice", []))
        recalls = len(parts.OUTSIDE.seen.get("parts_recall", []))
        assert recalls <= notices <= recalls + 1

    # how it is done

    def _request(self, slot_id: int, negative: bool, pick: int) -> dict[str, Any]:
        with self.engine.connect() as db:
            answers = db.execute(
                select(_steps.c.answers)
                .join(_slots, _slots.c.step_id == _steps.c.id)
                .where(_slots.c.id == slot_id)
            ).scalar_one()
            targets = return_targets(db, slot_id)
        given: dict[str, Any] = {"slot_id": slot_id, "key": self.world.key(), "reason": "因为"}
        if negative and RETURN in answers:
            return {**given, "answer": RETURN}
        if negative and targets:
            return {**given, "answer": RETURN, "back_to": targets[pick % len(targets)]}
        answer = answers[pick % len(answers)] if answers[0] == "retry" else answers[0]
        return {**given, "answer": answer, "payload": {"result": "录入"}}

    def _answer(self, slot_id: int, post: str, given: dict[str, Any]) -> None:
        try:
            done = decide(self.env, self.world.actor(post), **given)
        except (CannotReturn, NotAuthorised) as refused:
            pytest.fail(f"{given} was refused: {refused}")
        self.journal.append(done.decision_id)
        self.requests.append({"post": post, "given": given, "decision": done.decision_id})

    def _ready(self) -> list[Any]:
        with self.engine.connect() as db:
            return list(ready_effects(db, self.case_id))

    def _count(self, rows: Any) -> int:
        with self.engine.connect() as db:
            return int(db.execute(select(func.count()).select_from(rows)).scalar_one())

    def _settled_branches(self) -> list[tuple[int, Any]]:
        """Open branches that wait for nothing but people and effects."""
        woken = select(_wakes.c.branch_id)
        query = select(_branches.c.id, _branches.c.error).where(
            _branches.c.state == BranchState.OPEN,
            _branches.c.error.is_(None),
            _branches.c.id.not_in(woken),
        )
        with self.engine.connect() as db:
            return [(row.id, row.error) for row in db.execute(query)]

    def _open_steps(self, branch_id: int, db: Any = None) -> list[tuple[str, int]]:
        query = select(_steps.c.key, _steps.c.round).where(
            _steps.c.branch_id == branch_id, _steps.c.state == StepState.OPEN
        )
        if db is not None:
            return [tuple(row) for row in db.execute(query.order_by(_steps.c.id))]
        with self.engine.connect() as own:
            return [tuple(row) for row in own.execute(query.order_by(_steps.c.id))]

    def _replayed(self, branch_id: int) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        try:
            with self.engine.begin() as db:
                work = Work(self.env, db, SYSTEM, self.clock(), 1)
                branch = lock_branch(work, branch_id)
                advance(branch)
                assert branch.error is None or parts.OUTSIDE.failing
                found = self._open_steps(branch_id, db)
                raise _Undone
        except _Undone:
            return found

    def _can_still_end(self) -> None:
        parts.OUTSIDE.failing.clear()
        for _ in range(300):
            self.clock.forward(minutes=10)
            while drain(self.env):
                pass
            for ref in self._ready():
                call = claim_effect(self.env, ref.id)
                if call:
                    finish_effect(self.env, call.effect_id, call.run())
            open_slots = self.world.open_slots()
            if self._case_state() != CaseState.OPEN and not self._ready():
                break
            for slot_id, _, post in open_slots[:1]:
                self._answer(slot_id, post, self._request(slot_id, False, 0))
        terminated = self.steps_when_ended is not None
        assert self._case_state() == (CaseState.TERMINATED if terminated else CaseState.ENDED)
        assert self.world.open_slots() == []
        with self.engine.connect() as db:
            published = db.execute(text("SELECT count(*) FROM published")).scalar_one()
            assert published == 1 or (terminated and published == 0)
            unfinished = _effects.c.state.in_((EffectState.QUEUED, EffectState.CLAIMED))
            assert db.execute(select(func.count()).where(unfinished)).scalar_one() == 0

    def _case_state(self) -> CaseState:
        with self.engine.connect() as db:
            found = db.execute(select(_cases.c.state).where(_cases.c.id == self.case_id))
            return CaseState(found.scalar_one())


CaseMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
test_a_case_survives_every_history = CaseMachine.TestCase
