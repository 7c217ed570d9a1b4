"""Whatever is arranged, revoked, left and decided: nobody decides without a basis in force, four
eyes hold over all posts and substitutions, and every inbox is as long as its count says.

What may be done is told from lists of its own, not from the product's queries.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import insert, select, text, update

from models.base import table
from models.casework import Branch, Decision, Slot, SlotState, Step
from models.organisation import Appointment
from policy.calendar import local_day
from services.casework import decide, drain
from services.database import open_engine, reading
from services.env import Env
from services.errors import Invalid, NotAuthorised, NotFound
from services.inbox import Inbox
from services.invariants_of_people import wrongly_decided
from services.scope import standing
from services.substitution import AlreadyEnded, end_due, revoke
from tests import parts
from tests.arranging import arrange
from tests.parts_case import approve, start
from tests.world import Clock, World, build, lay_out

CAST = ("clerk", "deputy", "secretary", "town_discipline_secretary", "district_member")
"""Near each other, and some of them asked in the parts that are done and confirmed."""
POSTS = st.sampled_from(CAST)
DAYS = st.integers(0, 5)
_appointments, _branches, _decisions = table(Appointment), table(Branch), table(Decision)
_slots, _steps = table(Slot), table(Step)


@dataclass
class Known:
    """A substitution as the test remembers it."""

    post: int
    person: int
    by_post: int
    substitute: int
    first: date
    last: date
    mechanisms: frozenset[str]
    ended: bool = False


@dataclass
class Memory:
    """Who holds what (post, person), who stands in for whom, who had a hand in what."""

    held: set[tuple[int, int]] = field(default_factory=set)
    instead: dict[int, Known] = field(default_factory=dict)
    hands: dict[tuple[int, str], set[int]] = field(default_factory=dict)

    def in_force(self, one: Known, on: date) -> bool:
        both = {(one.post, one.person), (one.by_post, one.substitute)} <= self.held
        matters = not one.mechanisms or parts.NAME in one.mechanisms
        return both and matters and not one.ended and one.first <= on <= one.last

    def basis(self, person: int, post: int, on: date) -> "int | None":
        """0 for their own post, otherwise the substitution; None without any."""
        if (post, person) in self.held:
            return 0
        mine = (
            id_
            for id_, one in self.instead.items()
            if (one.post, one.substitute) == (post, person) and self.in_force(one, on)
        )
        return next(mine, None)

    def people(self, person: int, on: date) -> set[int]:
        """Somebody and all in whose place they act today."""
        others = (one for one in self.instead.values() if self.in_force(one, on))
        return {person} | {one.person for one in others if one.substitute == person}


class Substituting(RuleBasedStateMachine):
    """Parts of an approved plan are done by the deputy and confirmed by the secretary."""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        engine = open_engine("sqlite://")
        lay_out(engine)
        with engine.begin() as db:
            db.execute(text("CREATE TABLE published (branch_id INTEGER)"))
        parts.OUTSIDE.seen.clear()
        self.world: World = build(Env(engine, self.clock, mechanisms=parts.EDITION))
        parts.OUTSIDE.posts = self.world.posts
        start(self.world)
        approve(self.world)
        self.known = Memory()
        self.known.held = {(self.world.posts[name], self.world.people[name]) for name in CAST}
        with engine.connect() as db:
            rows = db.execute(select(_appointments.c.post_id, _appointments.c.person_id))
            self.known.held |= {(row.post_id, row.person_id) for row in rows}

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.env.engine.dispose()

    @property
    def today(self) -> date:
        return local_day(self.clock.now)

    @rule(post=POSTS, by=POSTS, first=DAYS, days=DAYS, other=st.booleans())
    def somebody_is_to_stand_in(
        self, post: str, by: str, first: int, days: int, other: bool
    ) -> None:
        """By the operator, for whoever holds the post; ``other``: not in this mechanism."""
        begins = self.today + timedelta(days=first)
        span = {"starts_on": begins, "until_on": begins + timedelta(days=days)}
        given: Any = {"mechanisms": frozenset({parts.NAME})} if other else {}
        try:
            made = arrange(self.world, post, by, "operator", **span, **given)
        except Invalid:
            return
        person, substitute = self.holder(post), self.holder(by)
        names = given.get("mechanisms", frozenset())
        known = Known(
            *(self.world.posts[post], person, self.world.posts[by], substitute),
            *(begins, span["until_on"], names),
        )
        assert person != substitute
        for one in self.known.instead.values():
            meets = not one.ended and one.first <= known.last and known.first <= one.last
            assert not (meets and one.post == known.post), "one substitute for a post"
            assert not (meets and one.person == substitute), "no chain"
            assert not (meets and one.substitute == person), "no chain"
        self.known.instead[made] = known

    def holder(self, post: str) -> int:
        """Who holds a post, the latest appointed of several."""
        query = (
            select(_appointments.c.person_id)
            .where(
                _appointments.c.post_id == self.world.posts[post],
                _appointments.c.ends_on.is_(None),
            )
            .order_by(_appointments.c.starts_on.desc(), _appointments.c.id.desc())
        )
        with self.world.env.engine.connect() as db:
            return int(db.execute(query).scalars().first() or 0)

    @rule(which=st.integers(0, 9))
    def one_is_revoked(self, which: int) -> None:
        if not self.known.instead:
            return
        ids = sorted(self.known.instead)
        id_ = ids[which % len(ids)]
        try:
            revoke(
                self.world.env,
                self.world.actor("operator"),
                substitution_id=id_,
                key=self.world.key(),
            )
        except AlreadyEnded:
            assert self.known.instead[id_].ended
        self.known.instead[id_].ended = True

    @rule(days=st.integers(1, 3), looks=st.booleans())
    def days_pass(self, days: int, looks: bool) -> None:
        self.clock.forward(days=days)
        if looks:
            end_due(self.world.env)
            for one in self.known.instead.values():
                both = {(one.post, one.person), (one.by_post, one.substitute)} <= self.known.held
                one.ended |= one.last < self.today or not both

    @rule(post=POSTS, by=POSTS)
    def a_post_changes_hands(self, post: str, by: str) -> None:
        """From today on whoever held ``by`` at first holds ``post`` too, instead of its holders."""
        post_id, person = self.world.posts[post], self.world.people[by]
        open_ = _appointments.c.post_id == post_id, _appointments.c.ends_on.is_(None)
        gone = update(_appointments).where(*open_).values(ends_on=self.today)
        come = {"post_id": post_id, "person_id": person, "starts_on": self.today}
        with self.world.env.engine.begin() as db:
            db.execute(gone)
            db.execute(insert(_appointments).values(come))
        self.known.held = {pair for pair in self.known.held if pair[0] != post_id}
        self.known.held.add((post_id, person))

    @rule(which=st.integers(0, 9), by=POSTS, returned=st.booleans())
    def somebody_decides(self, which: int, by: str, returned: bool) -> None:
        slots = self.open_slots()
        if not slots:
            return
        slot = slots[which % len(slots)]
        person = self.world.people[by]
        basis = self.known.basis(person, slot.post_id, self.today)
        apart = {
            hand
            for key in slot.apart_from
            for hand in self.known.hands.get((slot.branch_id, key), set())
        }
        may = basis is not None and not apart & self.known.people(person, self.today)
        answer = "done" if "done" in slot.answers else "return" if returned else "agree"
        try:
            done = decide(
                self.world.env,
                self.world.actor(by),
                slot_id=slot.id,
                answer=answer,
                reason="不实",
                key=self.world.key(),
            )
        except (NotAuthorised, NotFound):
            assert not may, (by, slot.key, basis)
            return
        assert may, (by, slot.key, basis, apart)
        assert self.stored(done.decision_id) == (basis or None)
        hands = {person} if not basis else {person, self.known.instead[basis].person}
        self.known.hands.setdefault((slot.branch_id, slot.key), set()).update(hands)
        drain(self.world.env)

    def stored(self, decision_id: int) -> "int | None":
        query = select(_decisions.c.substitution_id).where(_decisions.c.id == decision_id)
        with self.world.env.engine.connect() as db:
            return db.execute(query).scalar()

    def open_slots(self) -> Any:
        columns = (_steps.c.key, _steps.c.apart_from, _steps.c.answers)
        query = (
            select(_slots.c.id, _slots.c.post_id, _slots.c.branch_id, *columns)
            .join(_steps, _steps.c.id == _slots.c.step_id)
            .where(_slots.c.state == SlotState.OPEN)
            .order_by(_slots.c.id)
        )
        with self.world.env.engine.connect() as db:
            return db.execute(query).all()

    @invariant()
    def every_inbox_is_what_may_be_decided_and_as_long_as_its_count(self) -> None:
        if not hasattr(self, "known"):
            return
        slots = self.open_slots()
        with reading(self.world.env.engine) as db:
            for name in (*CAST, "outsider"):
                person = self.world.people[name]
                bases = {s.id: self.known.basis(person, s.post_id, self.today) for s in slots}
                for behalf in (False, True):
                    mine = Inbox(standing(db, person, self.today), behalf)
                    listed = {item.slot_id for item in mine.items(db, self.clock.now)}
                    wanted = {
                        id_ for id_, basis in bases.items() if basis or basis == 0 and not behalf
                    }
                    assert listed == wanted, (name, behalf)
                    assert mine.count(db) == len(wanted)

    @invariant()
    def what_is_stored_has_a_basis_and_four_eyes(self) -> None:
        if hasattr(self, "known"):
            with self.world.env.engine.connect() as db:
                assert [str(one) for one in wrongly_decided(db)] == []


TestSubstituting = Substituting.TestCase
TestSubstituting.settings = settings(max_examples=15, stateful_step_count=20)
