"""The cast of ``tests.world`` with two departments and a feedback of two problems, four tasks."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Engine, insert, select, update

from flows import rectification_1
from flows.rectification import rectification
from models.base import table
from models.casework import CaseState
from models.organisation import (
    Appointment,
    Level,
    Organisation,
    OrganisationKind,
    Person,
    Post,
    PostKind,
)
from models.problem import Problem, Task, TaskSupport
from services.casework import (
    case_status,
    claim_effect,
    drain,
    finish_effect,
    mechanisms,
    ready_effects,
)
from services.command import SYSTEM, Work
from services.env import Env
from services.rectification import MECHANISM, start
from services.rectification_roles_form import proposed_roles
from services.watch import sweep
from tests import world

MECHANISMS = {key: made for key, made in mechanisms().items() if key[0] == MECHANISM}
BATCH = "2026-1"
CLAIM = {
    "completion": "long_term",
    "remains": "每月更新工作清单",
    "measures": "纳入月度例会",
    "review_on": "2026-08-31",
}
"""What an application claims of a problem that is kept up."""
_DEPARTMENTS = (("office", "党建办"), ("city", "城市管理办"))
_POSTS = (
    ("office_head", "office", PostKind.HEAD, "主任", 0),
    ("office_clerk", "office", PostKind.CLERK, "联络员", 5),
    ("city_head", "city", PostKind.HEAD, "主任", 0),
)
_TASKS = (
    (1, "1-1", "office", date(2026, 6, 1), False),
    (1, "1-2", "city", date(2026, 6, 15), False),
    (2, "2-1", "office", date(2026, 6, 1), False),
    (2, "2-2", "office", date(2026, 9, 30), True),
)


@dataclass
class Rectification:
    """A started case and who takes part in it."""

    world: world.World
    case_id: int
    problems: dict[int, int]

    @property
    def env(self) -> Env:
        """The environment of the world."""
        return self.world.env

    def answer(self, key: str, answer: str = "done", post: str = "", **given: object) -> None:
        """Answer an open slot of this step, then let everything that follows happen."""
        self.world.answer(key, answer, post, **given)
        self.settle()

    def settle(self) -> None:
        """Drain, and run effects, until nothing moves."""
        while drain(self.env) + run_effects(self.env, self.case_id):
            pass

    def plan(self) -> None:
        """Straight to an approved plan."""
        self.answer("assign-roles")
        self.answer("draft-plan")
        self.review()
        self.answer("approve-plan", "agree")

    def review(self) -> None:
        """All three agree."""
        for post in ("discipline_secretary", "personnel_head", "inspection_head"):
            self.answer("review-plan", "agree", post)

    def do_tasks(self) -> None:
        """Every open task is reported and confirmed."""
        while any(key == "do-task" for key, _ in self.world.waiting()):
            self.answer("do-task")
            self.answer("confirm-task", "agree")

    def close_all(self) -> None:
        """Every problem whose tasks are done is applied for, signed and verified."""
        while any(key == "apply-closing" for key, _ in self.world.waiting()):
            self.answer("apply-closing")
            self.answer("sign", "agree")
            self.answer("verify", "agree")
        self.sample()

    def sample(self) -> None:
        """What is drawn is upheld."""
        if ("draw-sample", "inspection_head") in self.world.waiting():
            self.answer("draw-sample")
        while any(key == "recheck" for key, _ in self.world.waiting()):
            self.answer("recheck", "agree")

    def forward(self, days: float) -> None:
        """Let days pass; the watch has looked at their end."""
        self.env.clock.forward(days=days)  # type: ignore[attr-defined]
        while sweep(self.env):
            self.settle()

    @property
    def state(self) -> CaseState:
        """Whether the case is open."""
        with self.env.engine.connect() as db:
            return case_status(db, self.case_id).state

    def rows(self, model: type, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of all rows of a table, in order."""
        rows = table(model)
        with self.env.engine.connect() as db:
            query = select(*(rows.c[name] for name in columns)).order_by(rows.c.id)
            return [tuple(row) for row in db.execute(query)]


def run_effects(env: Env, case_id: int) -> int:
    """What the case's Prefect run does; how many effects were run."""
    with env.engine.connect() as db:
        ready = ready_effects(db, case_id)
    for ref in ready:
        call = claim_effect(env, ref.id)
        if call is not None:
            finish_effect(env, ref.id, call.run())
    return len(ready)


def begin(engine: Engine, clock: world.Clock, edition: int | None = None) -> Rectification:
    """The cast in a database, its feedback imported, its case started: of the newest edition, or as
    a process starts it that knows no later one than ``edition``."""
    known = {key: made for key, made in MECHANISMS.items() if edition in (None, key[1])}
    env = Env(engine=engine, clock=clock, mechanisms=known, seed=lambda: "drawn by this")
    made = world.build(env)
    problems: dict[int, int] = {}
    made.do(lambda work: _fill(made, work, problems))
    case_id = start(
        made.env,
        SYSTEM,
        organisation_id=made.organisations["town"],
        batch=BATCH,
        key="start",
    )
    made.env = replace(made.env, mechanisms=MECHANISMS)
    begun = Rectification(made, case_id, problems)
    begun.settle()
    return begun


def _fill(made: world.World, work: Work, problems: dict[int, int]) -> dict[str, object]:
    for name, title in _DEPARTMENTS:
        made.organisations[name] = _department(made, work, name, title)
    for name, unit, kind, title, rank in _POSTS:
        values = {"kind": kind, "title": title, "rank": rank}
        values |= {"organisation_id": made.organisations[unit]}
        made.posts[name] = _insert(work, Post, values)
        made.people[name] = _insert(work, Person, {"name": name})
        world.appoint(work, made.posts[name], made.people[name])
    for number in (1, 2):
        problems[number] = _problem(made, work, number)
    for number, task, unit, due_on, long_term in _TASKS:
        _task(made, work, problems[number], task, unit, due_on, long_term)
    return {}


def _department(made: world.World, work: Work, name: str, title: str) -> int:
    town = made.organisations["town"]
    rows = table(Organisation)
    values = {
        "code": name,
        "name": f"梧桐路街道{title}",
        "short_name": title,
        "level": Level.TOWN,
        "kind": OrganisationKind.WORKING_ORGAN,
        "parent_id": town,
        "path": "",
    }
    unit = _insert(work, Organisation, values)
    above = work.db.execute(select(rows.c.path).where(rows.c.id == town)).scalar_one()
    work.db.execute(rows.update().where(rows.c.id == unit).values(path=f"{above}{unit}/"))
    return unit


def _problem(made: world.World, work: Work, number: int) -> int:
    values = {
        "organisation_id": made.organisations["town"],
        "batch": BATCH,
        "number": number,
        "category": "履行全面从严治党责任方面",
        "area": number,
        "text": f"第 {number} 个问题",
        "state": "open",
    }
    return _insert(work, Problem, values)


def _task(
    made: world.World,
    work: Work,
    problem: int,
    number: str,
    unit: str,
    due_on: date,
    long_term: bool,
) -> None:
    values = {
        "problem_id": problem,
        "number": number,
        "measure": "建立工作清单",
        "standard": "清单印发",
        "leader_post_id": made.posts["deputy"],
        "lead_unit_id": made.organisations[unit],
        "due_on": due_on,
        "long_term": long_term,
        "state": "draft",
    }
    task = _insert(work, Task, values)
    support = {"task_id": task, "unit_id": made.organisations["city"], "name": "城市管理办"}
    _insert(work, TaskSupport, support)
    _insert(work, TaskSupport, {"task_id": task, "unit_id": None, "name": "居民区党组织"})


def _insert(work: Work, model: type, values: dict[str, object]) -> int:
    rows = table(model)
    return int(work.db.execute(insert(rows).returning(rows.c.id), values).scalar_one())


SCRIPTS = rectification, rectification_1.rectification
"""Importing them declares the mechanism."""


def also_holds(case: Rectification, post: str, holder: str) -> None:
    """From now on ``post`` is held by the person who holds ``holder``."""

    def act(work: Work) -> dict[str, object]:
        rows = table(Appointment)
        work.db.execute(
            update(rows)
            .where(rows.c.post_id == case.world.posts[post])
            .values(person_id=case.world.people[holder])
        )
        return {}

    case.world.do(act)
    case.world.people[post] = case.world.people[holder]


def proposed(case: Rectification) -> dict[str, dict[str, int]]:
    """The roles the form proposes, by problem."""
    with case.env.engine.connect() as db:
        return proposed_roles(db, case.case_id)
