"""滨河区 in the middle of a rectification, for the browser: closed, waiting, late, failed.

Played by the same commands as in life, on a virtual clock.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import Row, and_, func, select

from deployments.demo import set_up_demo
from deployments.demo.set_up import LOGINS, TOWN, feedback
from models.base import table
from models.casework import Branch, Slot, SlotState, Step
from models.organisation import Appointment
from models.problem import Problem, Task
from services.accounts import set_passwords
from services.calendar import seed
from services.casework import claim_effect, decide, drain, fail_effect, ready_effects
from services.command import SYSTEM, Actor, execute
from services.env import Env
from services.errors import AlreadyDecided
from services.problem_import import import_feedback
from services.watch import sweep
from tests.world import Clock

PASSWORD = "correct horse battery"
OPENED = datetime(2027, 1, 4, 2, 0, tzinfo=UTC)
NOW = datetime(2027, 3, 9, 2, 0, tzinfo=UTC)


@dataclass
class Scene:
    """The district's database, its clock, and the one case."""

    env: Env
    clock: Clock
    case_id: int = 0
    _keys: "count[int]" = field(default_factory=count)

    def answer(self, key: str, answer: str, problem: int | None = None) -> None:
        """Everybody who is asked this (about a problem) answers it."""
        for slot in self.slots(key, problem):
            reason = "按意见补充完成标准" if answer == "return" else ""
            with suppress(AlreadyDecided):  # the first return ends a joint step
                decide(
                    self.env,
                    Actor(slot.person_id),
                    slot_id=slot.id,
                    answer=answer,
                    key=f"scene-{next(self._keys)}",
                    reason=reason,
                )
        self.settle()

    def settle(self) -> None:
        """Branches open branches: look until nothing is left to look at."""
        while drain(self.env, 1000):
            pass

    def slots(self, key: str, problem: int | None = None) -> Sequence[Row[tuple[int, int]]]:
        """Open slots of a step with the person who holds the post."""
        slots, steps, branches = table(Slot), table(Step), table(Branch)
        held, problems, tasks = table(Appointment), table(Problem), table(Task)
        task = and_(branches.c.row_kind == "task", tasks.c.id == branches.c.row_id)
        own = and_(branches.c.row_kind == "problem", problems.c.id == branches.c.row_id)
        of_task = problems.alias("of_task")
        number = func.coalesce(problems.c.number, of_task.c.number)
        query = (
            select(slots.c.id, held.c.person_id)
            .join(steps, steps.c.id == slots.c.step_id)
            .join(branches, branches.c.id == slots.c.branch_id)
            .join(held, held.c.post_id == slots.c.post_id)
            .outerjoin(tasks, task)
            .outerjoin(problems, own)
            .outerjoin(of_task, of_task.c.id == tasks.c.problem_id)
            .where(slots.c.state == SlotState.OPEN, steps.c.key.startswith(key))
            .order_by(slots.c.id)
        )
        if problem is not None:
            query = query.where(number == problem)
        with self.env.engine.connect() as db:
            return db.execute(query).all()

    def forward(self, to: datetime) -> None:
        """Let days pass; the watch looks every morning."""
        while self.clock.now < to:
            self.clock.now = min(self.clock.now + timedelta(days=1), to)
            while sweep(self.env, 1000):
                self.settle()


def empty_district(env: Env) -> None:
    """The district with its log-ins; nothing was imported."""
    execute(env, SYSTEM, "calendar.seed", "calendar", {}, lambda work: {"id": seed(work)})
    set_up_demo(env, SYSTEM, env.clock().date())
    set_passwords(env, SYSTEM, dict.fromkeys(LOGINS, PASSWORD))


def in_the_middle(env: Env, clock: Clock) -> Scene:
    """Two problems closed, one to be verified, most tasks late, one effect failed."""
    clock.now = OPENED
    empty_district(env)
    made = import_feedback(
        env, SYSTEM, organisation=TOWN, data=feedback(), filename="feedback.xlsx", key="feedback"
    )
    scene = Scene(env, clock, made.case_id or 0)
    scene.answer("assign-roles", "done")
    scene.forward(OPENED + timedelta(days=8))
    scene.answer("draft-plan", "done")
    scene.answer("review-plan", "return")
    scene.answer("revise-plan", "done")
    scene.answer("review-plan", "agree")
    scene.answer("approve-plan", "agree")
    _fail_an_effect(scene)
    for problem in (1, 2, 3):
        scene.answer("do-task", "done", problem)
        scene.answer("confirm-task", "agree", problem)
        scene.answer("apply-closing", "done", problem)
    for problem in (1, 2):
        scene.answer("sign", "agree", problem)
        scene.answer("verify", "agree", problem)
    scene.answer("sign", "agree", 3)
    scene.answer("do-task", "done", 4)
    scene.forward(NOW)
    return scene


def _fail_an_effect(scene: Scene) -> None:
    with scene.env.engine.connect() as db:
        ready = ready_effects(db, scene.case_id)
    for effect in ready:
        claim_effect(scene.env, effect.id)
        fail_effect(scene.env, effect.id, "ConnectionError")
