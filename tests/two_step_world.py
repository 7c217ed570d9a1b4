"""The small cast with cases of ``two_step`` and their runs, for tests without Prefect."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from models.base import table
from models.casework import Case, Effect, RunWake, Step
from services.casework import claim_effect, finish_effect, mechanisms, open_case, ready_effects
from services.command import Work
from services.env import Env
from services.run_queue import queued
from services.runs import Due, due_wakes
from tests import two_step
from tests.world import World, build

cases, effects, wakes, steps = table(Case), table(Effect), table(RunWake), table(Step)


@dataclass
class Town:
    """Cases of one street, opened and carried on by hand."""

    world: World

    @property
    def env(self) -> Env:
        return self.world.env

    def open(self, *, urgent: bool = False) -> int:
        """A new case that waits for its first step; it has a wake for its run."""
        town, number = self.world.organisations["town"], f"2026-{self.world.key()}"

        def act(work: Work) -> dict[str, int]:
            case_id = open_case(
                work,
                mechanism=two_step.NAME,
                organisation_id=town,
                number=number,
                urgent=urgent,
            )
            return {"case": case_id}

        return int(str(self.world.do(act)["case"]))

    def open_many(self, count: int) -> list[int]:
        """So many cases in one transaction, each with a wake for its run."""
        town = self.world.organisations["town"]

        def act(work: Work) -> dict[str, list[int]]:
            return {
                "cases": [
                    open_case(
                        work,
                        mechanism=two_step.NAME,
                        organisation_id=town,
                        number=f"多{number}",
                    )
                    for number in range(count)
                ]
            }

        made = self.world.do(act)["cases"]
        assert isinstance(made, list)
        return made

    def open_with_run(self, run_id: str, **values: Any) -> int:
        """A case whose run was made, and that nothing is to be done for."""
        case_id = self.open()
        self.change(case_id, run_id=run_id, **values)
        self.settle(case_id)
        return case_id

    def change(self, case_id: int, **values: Any) -> None:
        with self.env.engine.begin() as db:
            db.execute(update(cases).where(cases.c.id == case_id).values(**values))

    def settle(self, case_id: int) -> None:
        """No wake is left."""
        with self.env.engine.begin() as db:
            db.execute(wakes.delete().where(wakes.c.case_id == case_id))

    def wake(self, case_id: int) -> None:
        with self.env.engine.begin() as db:
            row = {"case_id": case_id, "try_at": self.env.clock(), "attempts": 0}
            db.execute(insert(wakes), row)

    def case(self, case_id: int) -> Row[Any]:
        with self.env.engine.connect() as db:
            return db.execute(select(cases).where(cases.c.id == case_id)).one()

    def step(self, case_id: int) -> Row[Any]:
        """The newest step of a case."""
        newest = select(steps).where(steps.c.case_id == case_id).order_by(steps.c.id.desc())
        with self.env.engine.connect() as db:
            return db.execute(newest.limit(1)).one()

    def wakes(self, case_id: int) -> int:
        """How many wakes a case has, due or not."""
        with self.env.engine.connect() as db:
            of_case = select(func.count()).where(wakes.c.case_id == case_id)
            return int(db.execute(of_case).scalar_one())

    def due(self, case_id: int) -> Due:
        """What is known of a case whose wake is due."""
        found = due_wakes(self.env, 100) + queued(self.env, 100)
        return next(due for due in found if due.case_id == case_id)

    def do_effects(self, case_id: int) -> None:
        """What the case's run would do."""
        with self.env.engine.connect() as db:
            ready = ready_effects(db, case_id)
        for effect in ready:
            assert claim_effect(self.env, effect.id) is not None
            finish_effect(self.env, effect.id, {"told": case_id})


def town(env: Env) -> Town:
    """The cast in an empty database, with every mechanism that was imported."""
    return Town(build(replace(env, mechanisms=mechanisms())))
