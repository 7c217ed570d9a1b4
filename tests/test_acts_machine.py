"""Whatever people do beside deciding, in any order: a case survives it, and no decision changes."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, precondition, rule
from sqlalchemy import select

from models.base import table
from models.casework import Decision
from policy.acts import Act
from services.acts import act_on
from services.errors import AlreadyDecided, CannotReturn
from tests.test_casework_machine import PICK, CaseMachine

_decisions = table(Decision)


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

    @invariant()
    def no_decision_is_ever_changed(self) -> None:
        with self.engine.connect() as db:
            rows = {row.id: row for row in db.execute(select(_decisions))}
        assert {key: rows.get(key) for key in self.rows} == self.rows
        self.rows = rows

    def _act(self, act: Act, post: str, slot: int, **given: str) -> None:
        of: Any = {"slot_id": slot, "reason": "有误", "given": given}
        act_on(self.env, self.world.actor(post), act, **of, key=self.world.key())


ActsMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
test_a_case_survives_every_act = ActsMachine.TestCase
