"""After any sequence of changes every open slot has a living holder, or a vacancy that a superior
who is there was asked about (issue 5, rule O)."""

from contextlib import ExitStack, suppress
from datetime import date
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.pool import StaticPool

from models.base import table
from models.casework import Slot, SlotState
from models.organisation import Appointment, Organisation, Post
from models.vacancy import Vacancy
from services.appointing import appoint, leave, leaving, transfer
from services.casework import decide, drain
from services.command import SYSTEM, Actor
from services.database import open_engine
from services.errors import DutiesError
from services.invariants import violations
from services.merging import ending, merge_unit
from services.organisers import unit_of
from services.posting import abolish_post, abolition
from services.reorganising import move_unit, moving
from services.scope import in_force
from services.splitting import Parts, split_unit, splitting
from services.watch import sweep
from tests.conftest import Databases
from tests.parts_case import start
from tests.vacancy_scene import today, town
from tests.world import Clock, lay_out

_held, _organisations, _posts = table(Appointment), table(Organisation), table(Post)
_slots, _vacancies = table(Slot), table(Vacancy)
PICK = st.integers(0, 10**6)
KEPT = "district_secretary"
"""Somebody is always there: the world has a top."""


class ChangeMachine(RuleBasedStateMachine):
    """People come and go, posts and units are changed, and cases go on meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.numbers = 0

    @initialize()
    def begin(self) -> None:
        engine = self.database()
        self.clock = Clock()
        made = town(engine, self.clock)
        self.world = next(made)
        self.resources.callback(lambda: next(made, None))
        self.env = self.world.env

    def database(self) -> Engine:
        """A fresh database, gone with the machine."""
        engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        self.resources.callback(engine.dispose)
        lay_out(engine)
        return engine

    def teardown(self) -> None:
        self.resources.close()

    # what is there

    def ids(self, query: Any) -> list[int]:
        with self.env.engine.connect() as db:
            return [int(id_) for id_ in db.execute(query).scalars()]

    def on(self) -> date:
        return today(self.world)

    def living(self) -> list[int]:
        top = _posts.c.id != self.world.posts[KEPT]
        return self.ids(select(_posts.c.id).where(_posts.c.successor_id.is_(None), top))

    def units(self) -> list[int]:
        mine = _organisations.c.ends_on.is_(None), _organisations.c.parent_id.is_not(None)
        return self.ids(select(_organisations.c.id).where(*mine).order_by(_organisations.c.id))

    def terms(self) -> list[int]:
        top = _held.c.post_id != self.world.posts[KEPT]
        return self.ids(select(_held.c.id).where(in_force(_held.c, self.on()), top))

    def key(self) -> str:
        return self.world.key()

    # what happens

    @rule()
    def a_case_is_opened(self) -> None:
        self.numbers += 1
        with suppress(DutiesError):
            start(self.world, number=f"试〔2026〕{self.numbers}号")

    @rule(pick=PICK)
    def somebody_decides(self, pick: int) -> None:
        held = select(_slots.c.id, _held.c.person_id, _slots.c.step_id).join(
            _held, _held.c.post_id == _slots.c.post_id
        )
        mine = _slots.c.state == SlotState.OPEN, in_force(_held.c, self.on())
        with self.env.engine.connect() as db:
            rows = db.execute(held.where(*mine).order_by(_slots.c.id)).all()
        if not rows:
            return
        row = rows[pick % len(rows)]
        for answer in ("done", "agree", "urged"):
            given: Any = {"slot_id": row.id, "answer": answer, "key": self.key()}
            with suppress(DutiesError):
                decide(self.env, Actor(row.person_id), **given, payload={"person": row.person_id})
                return

    @rule(pick=PICK)
    def somebody_leaves(self, pick: int) -> None:
        terms = self.terms()
        if terms:
            term = terms[pick % len(terms)]
            with self.env.engine.connect() as db:
                seen = leaving(db, None, term, self.on()).moves.fingerprint
            given: Any = {"appointment_id": term, "ends_on": self.on(), "seen": seen}
            leave(self.env, SYSTEM, **given, key=self.key())

    @rule(pick=PICK)
    def somebody_comes(self, pick: int) -> None:
        posts = self.living()
        given: Any = {"post_id": posts[pick % len(posts)], "starts_on": self.on(), "name": "新人"}
        with suppress(DutiesError):
            appoint(self.env, SYSTEM, **given, key=self.key())

    @rule(pick=PICK, to=PICK)
    def somebody_is_transferred(self, pick: int, to: int) -> None:
        terms, posts = self.terms(), self.living()
        if terms:
            term = terms[pick % len(terms)]
            with self.env.engine.connect() as db:
                seen = leaving(db, None, term, self.on()).moves.fingerprint
            given: Any = {"appointment_id": term, "to": posts[to % len(posts)], "on": self.on()}
            with suppress(DutiesError):
                transfer(self.env, SYSTEM, **given, seen=seen, key=self.key())

    @rule(pick=PICK, to=PICK)
    def a_post_is_abolished(self, pick: int, to: int) -> None:
        posts = self.living()
        of = posts[pick % len(posts)], [*posts, self.world.posts[KEPT]][to % (len(posts) + 1)]
        with suppress(DutiesError):
            with self.env.engine.connect() as db:
                seen = abolition(db, None, *of, self.on()).moves.fingerprint
            given: Any = {"post_id": of[0], "successor_id": of[1], "seen": seen}
            abolish_post(self.env, SYSTEM, **given, key=self.key())

    @rule(pick=PICK, to=PICK)
    def a_unit_is_moved(self, pick: int, to: int) -> None:
        units = self.units()
        unit_id, above = units[pick % len(units)], units[to % len(units)]
        with suppress(DutiesError):
            with self.env.engine.connect() as db:
                unit = unit_of(db, None, unit_id)
                seen = moving(db, None, unit, above, self.on()).fingerprint
            given: Any = {"unit_id": unit_id, "to": above, "seen": seen}
            move_unit(self.env, SYSTEM, **given, key=self.key())

    @rule(pick=PICK, to=PICK, seat=PICK)
    def a_unit_is_merged(self, pick: int, to: int, seat: int) -> None:
        units = self.units()
        unit_id, into = units[pick % len(units)], units[to % len(units)]
        there = select(_posts.c.id).where(_posts.c.organisation_id == into)
        targets = self.ids(there.where(_posts.c.successor_id.is_(None)))
        own = select(_posts.c.id).where(_posts.c.organisation_id == unit_id)
        posts = self.ids(own.where(_posts.c.successor_id.is_(None)))
        if not targets:
            return
        given: Any = {"unit_id": unit_id, "into": into}
        given["targets"] = dict.fromkeys(posts, targets[seat % len(targets)])
        with suppress(DutiesError):
            with self.env.engine.connect() as db:
                unit = unit_of(db, None, unit_id)
                found = ending(db, None, unit, into, given["targets"], self.on())
            given["seen"] = found.moves.fingerprint
            merge_unit(self.env, SYSTEM, **given, key=self.key())

    @rule(pick=PICK, post=PICK)
    def a_unit_is_split(self, pick: int, post: int) -> None:
        units = self.units()
        unit_id = units[pick % len(units)]
        own = select(_posts.c.id).where(_posts.c.organisation_id == unit_id)
        posts = self.ids(own.where(_posts.c.successor_id.is_(None)))
        if not posts:
            return
        self.numbers += 1
        parts = Parts([posts[post % len(posts)]])
        with self.env.engine.connect() as db:
            unit = unit_of(db, None, unit_id)
            seen = splitting(db, None, unit, parts, self.on()).moves.fingerprint
        name = f"新设{self.numbers}"
        given: Any = {"unit_id": unit_id, "code": name, "name": name, "short_name": name}
        split_unit(self.env, SYSTEM, **given, parts=parts, seen=seen, key=self.key())

    @rule(days=st.integers(1, 9))
    def time_goes_by(self, days: int) -> None:
        self.clock.forward(days=days)
        sweep(self.env)

    # what must hold

    @invariant()
    def every_open_slot_has_a_holder_or_a_vacancy_somebody_is_asked_about(self) -> None:
        while drain(self.env):
            pass
        held = select(_held.c.post_id).where(in_force(_held.c, self.on()))
        asked = select(_slots.c.id).where(_slots.c.state == SlotState.OPEN)
        noted = select(_vacancies.c.post_id).where(_vacancies.c.ended_at.is_(None))
        with_case = noted.where(_vacancies.c.case_id.is_not(None))
        gone = select(_posts.c.id).where(_posts.c.successor_id.is_not(None))
        assert self.ids(asked.where(_slots.c.post_id.in_(gone))) == []
        unheard = asked.where(_slots.c.post_id.not_in(held), _slots.c.post_id.not_in(with_case))
        assert self.ids(unheard) == []
        assert [str(one) for one in violations(self.env.engine, self.on())] == []


ChangeMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
test_no_change_leaves_anything_waiting_on_nobody = ChangeMachine.TestCase


def test_nor_does_any_on_postgresql(postgresql: Databases) -> None:
    """A short run of the same."""

    class Machine(ChangeMachine):
        def database(self) -> Engine:
            name = postgresql.make()
            self.resources.callback(postgresql.drop, name)
            engine = open_engine(postgresql.url(name))
            self.resources.callback(engine.dispose)
            return engine

    short = settings(ChangeMachine.TestCase.settings, max_examples=4, stateful_step_count=12)
    run_state_machine_as_test(Machine, settings=short)
