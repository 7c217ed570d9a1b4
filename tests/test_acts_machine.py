"""Whatever people do beside deciding, in any order: a case survives it, and no decision changes."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, precondition, rule
from hypothesis.strategies import sampled_from
from sqlalchemy import select

from models.base import table
from models.casework import Decision, Slot
from policy.acts import Act, Place
from policy.outcome import AGREE, RETURN
from services.acts import act_on
from services.errors import AlreadyDecided, CannotReturn, Invalid
from tests.test_casework_machine import PICK, CaseMachine

_decisions, _slots = table(Decision), table(Slot)
ADDED = ("district_secretary", "district_member", "discipline_secretary")
"""Who is added; nobody whom four eyes would keep from a later step for it."""


class ActsMachine(CaseMachine):
    """The case of the other machine, whose people also take back what they decided."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, Any] = {}
        self.taken_back = 0

    @rule(pick=PICK)
    @precondition(lambda self: self.requests)
    def somebody_takes_back_what_they_decided(self, pick: int) -> None:
        latest = self.requests[-1 - pick % min(3, len(self.requests))]
        slot = latest["given"]["slot_id"]
        with suppress(AlreadyDecided, CannotReturn):
            self._act(Act.WITHDRAW, latest["post"], slot)
            self.taken_back += 1

    @rule(pick=PICK)
    @precondition(lambda self: self.requests)
    def somebody_corrects_what_they_decided(self, pick: int) -> None:
        one = self.requests[pick % len(self.requests)]
        with suppress(AlreadyDecided):
            self._act(Act.CORRECT, one["post"], one["given"]["slot_id"], text="另一句")

    @rule(pick=PICK, post=sampled_from(ADDED), place=sampled_from(Place))
    def somebody_adds_another(self, pick: int, post: str, place: Place) -> None:
        open_slots = self.world.open_slots()
        if not open_slots:
            return
        slot, _, by = open_slots[pick % len(open_slots)]
        with suppress(AlreadyDecided, Invalid):
            seat = str(self.world.posts[post])
            self._act(Act.ADD_APPROVER, by, slot, post=seat, place=place.value)

    @rule(pick=PICK, post=sampled_from(ADDED))
    def somebody_takes_another_away(self, pick: int, post: str) -> None:
        added = self._added()
        if added:
            slot, by = added[pick % len(added)]
            with suppress(AlreadyDecided, Invalid):
                self._act(Act.REMOVE_APPROVER, by, slot, post=str(self.world.posts[post]))

    @invariant()
    def no_decision_is_ever_changed(self) -> None:
        with self.engine.connect() as db:
            rows = {row.id: row for row in db.execute(select(_decisions))}
        assert {key: rows.get(key) for key in self.rows} == self.rows
        self.rows = rows

    def _request(self, slot_id: int, negative: bool, pick: int) -> dict[str, Any]:
        """Whoever was added agrees or returns, and fills in nothing."""
        given = super()._request(slot_id, negative, pick)
        with self.engine.connect() as db:
            of = select(_slots.c.added_to).where(_slots.c.id == slot_id)
            added = db.execute(of).scalar_one() is not None
        if added and given["answer"] != RETURN:
            return {**given, "answer": AGREE, "payload": None}
        return given

    def _added(self) -> list[tuple[int, str]]:
        """The slots to which others were or will be added, and whose they are."""
        names = {post_id: name for name, post_id in self.world.posts.items()}
        of = select(_slots.c.added_to).where(_slots.c.added_to.is_not(None))
        with self.engine.connect() as db:
            query = select(_slots.c.id, _slots.c.post_id, _slots.c.turns).order_by(_slots.c.id)
            own = set(db.execute(of).scalars())
            rows = db.execute(query).all()
        return [(row.id, names[row.post_id]) for row in rows if row.turns or row.id in own]

    def _act(self, act: Act, by: str, slot: int, **given: str) -> None:
        of: Any = {"slot_id": slot, "reason": "有误", "given": given}
        act_on(self.env, self.world.actor(by), act, **of, key=self.world.key())


ActsMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
test_a_case_survives_every_act = ActsMachine.TestCase
