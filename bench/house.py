"""What is measured against: 滨河区 in a fresh database, and cases that wait in it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import Row, Select, select

from bench.clients import RETURN_REASON, Waiting
from bench.feedback import feedback_of
from bench.floor import lay
from deployments.clock import now
from deployments.demo import TOWN, set_up_demo
from deployments.settings import Settings
from flows.rectification import rectification
from models.account import Account
from models.base import table
from models.casework import Slot, SlotState, Step
from models.organisation import Appointment, Level, Organisation, OrganisationKind
from policy.calendar import local_day
from services.accounts import new_password, set_passwords
from services.calendar import seed
from services.casework import decide, drain, mechanisms, open_case
from services.command import SYSTEM, Actor, Work, execute
from services.database import open_engine, reading
from services.env import Env
from services.errors import AlreadyDecided
from services.migration import migrate
from services.problem_import import import_feedback

RECTIFICATION = rectification
"""The mechanism of the large case; importing it declares it."""
ANSWERS = {"propose": "done", "judge": "return", "do-task": "done", "confirm-task": "return"}
"""What keeps a case going round: the two steps by turns."""
PLAN = ("assign-roles", "draft-plan", "review-plan", "approve-plan")
"""The steps before the tasks of a rectification."""
_AT_ONCE = 100
"""Cases that are opened in one transaction."""
_accounts, _appointments = table(Account), table(Appointment)
_organisations, _slots, _steps = table(Organisation), table(Slot), table(Step)


@dataclass
class House:
    """A database with the district in it."""

    settings: Settings
    env: Env
    _keys: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    def found(cls, settings: Settings) -> "House":
        """Make the schema, the district, and the floor's tables."""
        engine = open_engine(settings.database_url)
        migrate(engine)
        lay(engine)
        house = cls(settings, Env(engine, now, mechanisms()))
        house.do(lambda work: {"calendar": seed(work)})
        set_up_demo(house.env, SYSTEM, local_day(now()))
        return house

    def do(self, act: Callable[[Work], dict[str, Any]]) -> None:
        """One transaction of the system."""
        execute(self.env, SYSTEM, "bench", self._key(), {}, act)

    def open(self, mechanism: str, cases: int) -> None:
        """Open cases, by turns for every street and town of the district."""
        towns = [row.id for row in self._rows(_TOWNS)]
        for first in range(0, cases, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, cases))
            self.do(partial(_open, mechanism=mechanism, towns=towns, numbers=some))

    def open_large(self, problems: int) -> None:
        """One rectification of so many problems, decided up to where its tasks wait."""
        import_feedback(
            self.env,
            SYSTEM,
            organisation=TOWN,
            data=feedback_of(problems, local_day(now())),
            filename="feedback.xlsx",
            key=self._key(),
        )
        for key in PLAN:
            self.decide_all(key)
        while drain(self.env, 1000):
            pass

    def waiting(self) -> list[Waiting]:
        """Every open slot that goes round, in the order of the branches."""
        rows = self._rows(_WAITING.where(_steps.c.key.in_(ANSWERS)))
        return [Waiting(row.id, row.branch_id, row.login, ANSWERS[row.key]) for row in rows]

    def new_password(self, login: str) -> str:
        """Give an account a password."""
        password = new_password()
        set_passwords(self.env, SYSTEM, {login: password})
        return password

    def decide_all(self, key: str) -> None:
        """Give every open step of that key its first answer."""
        for row in self._rows(_WAITING.where(_steps.c.key == key)):
            with suppress(AlreadyDecided):
                decide(
                    self.env,
                    Actor(row.person_id),
                    slot_id=row.id,
                    answer=row.answers[0],
                    key=self._key(),
                )

    def decide_in(self, branch_id: int) -> int:
        """Give the step that waits in a branch the answer that keeps its case going; the case."""
        row = self._rows(_WAITING.where(_slots.c.branch_id == branch_id))[0]
        decide(
            self.env,
            Actor(row.person_id),
            slot_id=row.id,
            answer=ANSWERS[row.key],
            reason=RETURN_REASON if ANSWERS[row.key] == "return" else "",
            key=self._key(),
        )
        return int(row.case_id)

    def close(self) -> None:
        """Let the connections go."""
        self.env.engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with reading(self.env.engine) as db:
            return list(db.execute(query))

    def _key(self) -> str:
        return f"bench-house-{next(self._keys)}"


def _open(
    work: Work, mechanism: str, towns: Sequence[int], numbers: Sequence[int]
) -> dict[str, Any]:
    for number in numbers:
        town = towns[number % len(towns)]
        open_case(work, mechanism=mechanism, organisation_id=town, number=f"{mechanism}-{number}")
    return {"cases": len(numbers)}


_TOWNS = (
    select(_organisations.c.id)
    .where(
        _organisations.c.level == Level.TOWN, _organisations.c.kind == OrganisationKind.COMMITTEE
    )
    .order_by(_organisations.c.id)
)
_WAITING = (
    select(
        _slots.c.id,
        _slots.c.branch_id,
        _steps.c.case_id,
        _steps.c.key,
        _steps.c.answers,
        _appointments.c.person_id,
        _accounts.c.login,
    )
    .join(_steps, _steps.c.id == _slots.c.step_id)
    .join(_appointments, _appointments.c.post_id == _slots.c.post_id)
    .join(_accounts, _accounts.c.person_id == _appointments.c.person_id)
    .where(_slots.c.state == SlotState.OPEN)
    .order_by(_slots.c.branch_id)
)
