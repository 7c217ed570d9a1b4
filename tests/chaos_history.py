"""A house that was lived in, with its clients' journals, for tests of the chaos checker.

One rectification was returned here and there and has ended, another is under way and partly late,
a third was terminated.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from chaos.checks.tables import Tables, over_psycopg, over_sqlite
from chaos.journal import ANSWERED, SENT, UNKNOWN, Journal, Line
from policy.acts import Act
from services.acts import act_on
from services.casework import decide, drain
from services.command import SYSTEM
from services.errors import DutiesError
from services.rectification import start
from services.termination import terminate
from services.watch import sweep
from tests.rectification_cast import Rectification, begin
from tests.world import Clock

_AGAIN = (
    "INSERT INTO problem (organisation_id, batch, number, category, area, text, state)"
    " SELECT organisation_id, :batch, number, category, area, text, 'open' FROM problem"
    " WHERE batch = '2026-1'",
    "INSERT INTO task (problem_id, number, measure, standard, leader_post_id, lead_unit_id,"
    " due_on, long_term, state) SELECT p.id, t.number, t.measure, t.standard, t.leader_post_id,"
    " t.lead_unit_id, t.due_on, t.long_term, 'draft' FROM task t JOIN problem o ON"
    " o.id = t.problem_id AND o.batch = '2026-1'"
    " JOIN problem p ON p.number = o.number AND p.batch = :batch",
)


@dataclass
class Desk:
    """Decides as the cast does, and keeps a journal as a client of the chaos run does."""

    case: Rectification
    journal: Journal
    clock: Clock
    keys: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    """What was decided last: slot, step, person, answer, and the key it was asked under."""

    def answer(self, key: str, answer: str = "done", post: str = "", **given: Any) -> None:
        """Decide the open slot of a step, and let what follows happen."""
        slot = next(
            one for one in self.case.world.open_slots() if one[1] == key and post in ("", one[2])
        )
        self.keys += 1
        self.last = {"slot": slot[0], "post": slot[2], "answer": answer, "given": given}
        self.last["key"] = f"chaos-{self.keys:04}"
        self.ask(**self.last)
        self.case.settle()

    def ask(self, *, slot: int, post: str, answer: str, key: str, given: Any) -> None:
        """Send a request and write down what came back."""
        about = {"key": key, "slot": slot, "person": post, "answer": answer}
        self.write(SENT, about)
        stored, actor = f"{self.case.world.people[post]}:{key}", self.case.world.actor(post)
        try:
            done = decide(self.case.env, actor, slot_id=slot, answer=answer, key=stored, **given)
        except DutiesError as error:
            self.write(ANSWERED, about, status=error.status, body={"code": error.code})
        else:
            self.write(ANSWERED, about, status=200, body=asdict(done))

    def write(self, event: str, about: dict[str, Any], **told: Any) -> None:
        """A line of the journal."""
        told |= {"t": self.clock.now.isoformat(), "client": 1, "kind": "decide", "step": None}
        self.journal.write(Line(event=event, **about, **told))

    def weeks(self, count: int) -> None:
        """Let so many weeks pass, with the watch looking in each."""
        for _ in range(count):
            self.clock.forward(days=7)
            sweep(self.case.env)
            while drain(self.case.env):
                pass


def live(engine: Engine, journal: Path) -> datetime:
    """Fill an empty migrated database and a journal; when the watch looked last."""
    clock = Clock()
    case = begin(engine, clock)
    with engine.begin() as db:
        for login, person in case.world.people.items():
            values = {"login": login, "person": person}
            db.execute(
                text(
                    "INSERT INTO account (login, person_id, disabled)"
                    " VALUES (:login, :person, (1 = 0))"
                ),
                values,
            )
    desk = Desk(case, Journal(journal), clock)
    _first(desk)
    _second(desk)
    _third(desk)
    desk.journal.close()
    return clock.now


def _first(desk: Desk) -> None:
    """Returned in every way there is, and ended."""
    desk.answer("assign-roles")
    desk.answer("draft-plan")
    desk.answer("review-plan", "agree", "personnel_head")
    desk.answer("review-plan", "return", "inspection_head", reason="不全")
    desk.answer("revise-plan")
    _review(desk)
    desk.answer("approve-plan", "return", reason="不实", back_to="draft-plan")
    desk.answer("draft-plan")
    _review(desk)
    desk.answer("approve-plan", "agree")
    _again(desk)
    desk.answer("do-task")
    desk.answer("confirm-task", "return", reason="不实")
    _tasks_and_problems(desk)
    desk.answer("draft-report", "return", reason="重拟", back_to="approve-plan")
    desk.answer("approve-plan", "agree")
    _tasks_and_problems(desk)
    desk.answer("draft-report")
    desk.answer("approve-report", "agree")


def _again(desk: Desk) -> None:
    """The same request again, after an answer got lost; and another tab, which comes too late."""
    about = {key: desk.last[key] for key in ("key", "slot", "answer")}
    desk.write(UNKNOWN, about | {"person": desk.last["post"]})
    desk.ask(**desk.last)
    desk.ask(**desk.last | {"key": "chaos-tab"})


def _second(desk: Desk) -> None:
    """Tasks that are late, one of them nobody's; some lists were answered, some were struck."""
    _start(desk, "2026-2")
    desk.weeks(1)
    desk.answer("assign-roles")
    desk.weeks(5)
    desk.answer("draft-plan")
    _review(desk)
    _vacate(desk, "city_head")
    desk.answer("approve-plan", "agree")
    desk.weeks(16)
    _extend(desk)
    lists = [one for one in desk.case.world.waiting() if one[0].startswith("rung:superior:")]
    desk.answer(*_urged(lists[0]))
    desk.answer("do-task", post="office_clerk")
    desk.weeks(3)


def _third(desk: Desk) -> None:
    """Two answers were taken back, one corrected; terminated while its plan was looked at."""
    case_id = _start(desk, "2026-3")
    desk.answer("assign-roles")
    _take_back(desk)
    _added(desk)
    desk.answer("assign-roles")
    desk.answer("draft-plan")
    desk.answer("review-plan", "agree", "inspection_head")
    _take_back(desk)
    desk.answer("review-plan", "agree", "personnel_head")
    _correct(desk)
    env, actor = desk.case.env, desk.case.world.actor("inspection_head")
    terminate(env, actor, case_id=case_id, reason="批次有误", key="terminate-3")
    desk.case.settle()


def _added(desk: Desk) -> None:
    """One was added and answered first (加签), another was added and taken away (减签)."""
    slot, _, post = next(one for one in desk.case.world.open_slots() if one[1] == "assign-roles")
    env, actor, posts = desk.case.env, desk.case.world.actor(post), desk.case.world.posts
    of: Any = {"slot_id": slot, "reason": "请提出意见"}
    for other, place in (("clerk", "beside"), ("deputy", "before")):
        given = {"post": str(posts[other]), "place": place}
        act_on(env, actor, Act.ADD_APPROVER, **of, given=given, key=f"add {other}")
    desk.answer("assign-roles", "agree", "deputy")
    away = {"post": str(posts["clerk"])}
    act_on(env, actor, Act.REMOVE_APPROVER, **of, given=away, key="take away clerk")


def _take_back(desk: Desk) -> None:
    """撤回 of what was decided last."""
    desk.clock.forward(hours=1)
    env, actor = desk.case.env, desk.case.world.actor(desk.last["post"])
    slot, key = desk.last["slot"], f"back-{desk.last['key']}"
    act_on(env, actor, Act.WITHDRAW, slot_id=slot, reason="有误", given={}, key=key)
    desk.case.settle()


def _correct(desk: Desk) -> None:
    """更正 of what was decided last, when another has decided since."""
    env, actor, slot = desk.case.env, desk.case.world.actor(desk.last["post"]), desk.last["slot"]
    desk.answer("review-plan", "agree", "inspection_head")
    of: Any = {"slot_id": slot, "reason": "笔误", "given": {"text": "另一句"}}
    act_on(env, actor, Act.CORRECT, **of, key=f"right-{desk.last['key']}")


def _extend(desk: Desk) -> None:
    """A later date was asked for and granted, asked for again and not answered."""
    tasks = [one for one in desk.case.world.open_slots() if one[1] == "do-task"]
    slot, _, post = tasks[-1]  # the one that is not late yet
    env, actor = desk.case.env, desk.case.world.actor(post)
    for days in (90, 120):
        until = (desk.clock.now.date() + timedelta(days=days)).isoformat()
        of: Any = {"slot_id": slot, "reason": "尚需核实", "given": {"until": until}}
        act_on(env, actor, Act.EXTEND, **of, key=f"extend {days}")
        asked = next(k for k, _ in desk.case.world.waiting() if k.startswith("extension:"))
        if days == 90:
            desk.answer(asked, "agree")


def _start(desk: Desk, batch: str) -> int:
    """A case of the same problems and tasks in another batch."""
    with desk.case.env.engine.begin() as db:
        for statement in _AGAIN:
            db.execute(text(statement), {"batch": batch})
    town = desk.case.world.organisations["town"]
    made = start(desk.case.env, SYSTEM, organisation_id=town, batch=batch, key=f"start {batch}")
    desk.case.settle()
    return made


def _urged(one: tuple[str, str]) -> tuple[str, str, str]:
    return one[0], "urged", one[1]


def _vacate(desk: Desk, post: str) -> None:
    with desk.case.env.engine.begin() as db:
        db.execute(
            text("UPDATE appointment SET ends_on = :on WHERE post_id = :post"),
            {"on": desk.clock.now.date().isoformat(), "post": desk.case.world.posts[post]},
        )


def _review(desk: Desk) -> None:
    for post in ("discipline_secretary", "personnel_head", "inspection_head"):
        desk.answer("review-plan", "agree", post)


def _tasks_and_problems(desk: Desk) -> None:
    def waits(key: str) -> bool:
        return any(step == key for step, _ in desk.case.world.waiting())

    while waits("do-task"):
        desk.answer("do-task")
        desk.answer("confirm-task", "agree")
    while waits("apply-closing"):
        desk.answer("apply-closing")
        desk.answer("sign", "agree")
        desk.answer("verify", "agree")
    desk.answer("draw-sample")
    while waits("recheck"):
        desk.answer("recheck", "agree")


def seen_by(db: Connection) -> Tables:
    """The tables for the checker, with what this transaction has done to them."""
    driver: Any = db.connection.driver_connection
    return over_sqlite(driver) if db.dialect.name == "sqlite" else over_psycopg(driver)
