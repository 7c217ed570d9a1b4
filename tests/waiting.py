"""Small mechanisms whose steps wait, and what came of it: for tests of time.

``TASKS`` is how many tasks a case of ``waiting_many`` has, and ``DUE_ON`` their date.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from models.base import table
from models.casework import DutyMember, Rung, Slot, Step
from models.message import Message
from models.organisation import Appointment
from policy.calendar import instant_on, local_day
from services.casework import (
    REVIEW,
    Casework,
    Here,
    branch_script,
    drain,
    mechanism,
    mechanisms,
    open_case,
)
from services.command import Work
from services.env import Env
from services.watch import sweep
from tests.world import World, build


@dataclass
class Plan:
    """What the scripts below are to ask; set by a test before it opens a case."""

    posts: dict[str, int]
    tasks: int = 3
    due_on: date = date(2026, 3, 31)


PLAN = Plan({})


def of(*names: str) -> Callable[[Here], Sequence[int]]:
    """The posts of these names."""
    return lambda here: [PLAN.posts[name] for name in names]


@mechanism("waiting_one", edition=1, clause="", rows=())
def waiting_one(case: Casework) -> None:
    """One step of fifteen working days."""
    case.ask("plan", of=of("clerk"), due="rectification.plan")


@mechanism("waiting_letters", edition=1, clause="", rows=())
def waiting_letters(case: Casework) -> None:
    """One step with the ladder of the five letters."""
    case.ask("plan", of=of("clerk"), due="rectification.plan", ladder="five_letters")


@mechanism("waiting_both", edition=1, clause="", rows=())
def waiting_both(case: Casework) -> None:
    """Two posts sign together."""
    case.ask_all("sign", of=of("clerk", "deputy"), due="rectification.plan")


@mechanism("waiting_any", edition=1, clause="", rows=())
def waiting_any(case: Casework) -> None:
    """Either of two posts signs (或签)."""
    while case.ask_all(
        "sign", of=of("clerk", "deputy"), due="rectification.plan", mode="any", answers=REVIEW
    ).returned:
        case.ask("mend", of=of("clerk"), due="rectification.plan")


@mechanism("waiting_turn", edition=1, clause="", rows=())
def waiting_turn(case: Casework) -> None:
    """Three posts sign one after the other (依次)."""
    while case.ask_all(
        "sign",
        of=of("clerk", "deputy", "secretary"),
        due="rectification.plan",
        mode="in_turn",
        answers=REVIEW,
    ).returned:
        case.ask("mend", of=of("clerk"), due="rectification.plan")


@mechanism("waiting_vote", edition=1, clause="", rows=())
def waiting_vote(case: Casework) -> None:
    """Three posts vote by name (票决)."""
    while case.ask_all(
        "vote",
        of=of("clerk", "deputy", "secretary"),
        due="rectification.plan",
        mode="two_thirds",
        answers=REVIEW,
    ).returned:
        case.ask("mend", of=of("clerk"), due="rectification.plan")


@mechanism("waiting_discipline", edition=1, clause="", rows=())
def waiting_discipline(case: Casework) -> None:
    """The committee's own discipline commission is the one who is late."""
    case.ask(
        "verify",
        of=of("town_discipline_secretary"),
        due="rectification.verify",
        ladder="five_letters",
    )


def _move(here: Here, until: date) -> None:
    PLAN.due_on = until


@branch_script(
    "waiting_many", edition=1, row="part", row_date=lambda here: PLAN.due_on, move_row=_move
)
def task(case: Casework) -> None:
    """A task that is due on its own date."""
    case.ask("do", of=of("clerk"), due="row")


@mechanism("waiting_many", edition=1, clause="", rows=())
def waiting_many(case: Casework) -> None:
    """A branch for each task."""
    case.each("tasks", lambda here: list(range(1, PLAN.tasks + 1)), task, on_return="redo")


EDITION = {key: made for key, made in mechanisms().items() if key[0].startswith("waiting_")}
_appointments = table(Appointment)
_members = table(DutyMember)
_messages = table(Message)
_rungs = table(Rung)
_slots = table(Slot)
_steps = table(Step)
MESSAGES = select(_messages).order_by(_messages.c.id)
SLOTS = select(_slots).order_by(_slots.c.id)


def walk_in(env: Env, clock: Any) -> "Walk":
    """A walk that begins on 2 February 2026, with the mechanisms above."""
    clock.now = instant_on(date(2026, 2, 2), 9)
    return Walk(build(replace(env, clock=clock, mechanisms=EDITION)), clock)


@dataclass
class Walk:
    """A world whose clock is walked through the days, sweeping several times on each."""

    world: World
    clock: Any

    def open(self, mechanism_name: str, on: datetime) -> None:
        """Open a case at an instant, and let its branches be replayed."""
        self.clock.now = on
        PLAN.posts = self.world.posts
        organisation_id = self.world.organisations["town"]

        def act(work: Work) -> dict[str, int]:
            case_id = open_case(
                work,
                mechanism=mechanism_name,
                organisation_id=organisation_id,
                number=f"case {self.world.key()}",
            )
            return {"case": case_id}

        self.world.do(act)
        self.settle()

    def settle(self) -> None:
        """Drain until nothing is left to look at now."""
        while drain(self.world.env):
            pass

    def look(self, at: datetime) -> int:
        """Sweep and drain once at an instant."""
        self.clock.now = at
        raised = sweep(self.world.env)
        self.settle()
        return raised

    def until(self, day: date, hours: Sequence[int] = (8, 9, 17)) -> None:
        """Walk day by day up to and with ``day``, looking at each of these hours."""
        today = self.today
        while today <= day:
            for hour in hours:
                if (at := instant_on(today, hour)) > self.clock.now:
                    self.look(at)
            today += timedelta(days=1)

    def messages(self) -> list[tuple[str, str, date]]:
        """Every message: (template, post, day it was written), in order."""
        names = {post_id: name for name, post_id in self.world.posts.items()}
        return [
            (row.template, names[row.post_id], local_day(row.created_at))
            for row in self.rows(MESSAGES)
        ]

    def told(self) -> Counter[tuple[str, str]]:
        """How often each post was told what."""
        return Counter((template, post) for template, post, _ in self.messages())

    def rungs(self) -> list[Row[Any]]:
        """Every rung in the order of its number."""
        return self.rows(select(_rungs).order_by(_rungs.c.slot_id, _rungs.c.number, _rungs.c.id))

    def steps(self, key: str = "") -> list[Row[Any]]:
        """Every step whose key begins so."""
        found = self.rows(select(_steps).order_by(_steps.c.id))
        return [row for row in found if row.key.startswith(key)]

    def members(self) -> list[Row[Any]]:
        """Every member of a superior's list."""
        return self.rows(select(_members).order_by(_members.c.id))

    def rows(self, query: Any) -> list[Row[Any]]:
        """What a query finds."""
        with self.world.env.engine.connect() as db:
            return list(db.execute(query))

    def vacate(self, name: str) -> None:
        """From today on nobody holds a post any more."""
        held = (_appointments.c.post_id == self.world.posts[name]) & _appointments.c.ends_on.is_(
            None
        )
        ended = update(_appointments).where(held).values(ends_on=self.today)
        self.world.do(lambda work: {"ended": work.db.execute(ended).rowcount})

    def give(self, name: str, person: str) -> None:
        """From today on a post is held by who holds another one as well."""
        self.vacate(name)
        values = {
            "post_id": self.world.posts[name],
            "person_id": self.world.people[person],
            "starts_on": self.today,
        }
        made = insert(_appointments).values(values)
        self.world.do(lambda work: {"made": work.db.execute(made).rowcount})

    @property
    def today(self) -> date:
        """The day in Shanghai."""
        return local_day(self.clock.now)
