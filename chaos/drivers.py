"""Short histories in which a mutant of our code must show; each process of them may kill itself.

``python -m chaos.drivers NAME DATABASE_URL JOURNAL``, run in a copy of the tree. A history is a row
of stages, each in a process of its own that is forked from this one: one that dies by SIGKILL is
as dead as one that was killed from outside, only at exactly the moment that matters.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Never
from unittest.mock import patch

from sqlalchemy import text

from bench.feedback import feedback_of
from chaos.journal import ANSWERED, SENT, Journal, Line, now
from deployments.clock import now as clock
from deployments.demo import TOWN, set_up_demo
from deployments.preparing import RUNNER, upgrade
from flows.rectification import rectification
from policy.calendar import local_day
from services.casework import (
    claim_effect,
    decide,
    drain,
    finish_effect,
    mechanisms,
    ready_effects,
)
from services.command import SYSTEM, Actor
from services.database import open_engine, reading
from services.env import Env, install
from services.errors import DutiesError
from services.problem_import import import_feedback
from services.watch import sweep

CASE = 1
SCRIPT = rectification
"""Importing it declares the mechanism."""
_OPEN = text(
    "SELECT s.id AS slot, t.id AS step, t.key, a.login, a.person_id FROM slot s"
    " JOIN step t ON t.id = s.step_id JOIN appointment p ON p.post_id = s.post_id"
    " JOIN account a ON a.person_id = p.person_id"
    " WHERE s.state = 'open' AND t.origin = 'script' ORDER BY s.id"
)
_BROKEN = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open slot and who holds its post."""

    slot: int
    step: int
    key: str
    login: str
    person_id: int

    @property
    def answer(self) -> str:
        """What lets the case go on."""
        done = ("assign", "draft", "draw", "revise", "do-", "apply")
        return "done" if self.key.startswith(done) else "agree"


class Walk:
    """A case of the demo's town, decided by hand in this process."""

    def __init__(self, url: str, journal: Path, days: int = 0) -> None:
        self.engine = open_engine(url)
        self._days = timedelta(days=days)
        self.env = Env(self.engine, self._now, mechanisms())
        self._journal = Journal(journal)

    def open(self) -> None:
        """The demo with one case of two problems."""
        upgrade(self.engine)
        set_up_demo(self.env, RUNNER, local_day(self._now()))
        import_feedback(
            self.env,
            SYSTEM,
            organisation=TOWN,
            data=feedback_of(2, local_day(self._now())),
            filename="feedback.xlsx",
            key="chaos-case",
        )

    def waiting(self) -> list[Waiting]:
        """Whoever is asked something by the script."""
        with reading(self.engine) as db:
            return [Waiting(**row._mapping) for row in db.execute(_OPEN)]

    def decide(self, what: Waiting, answer: str = "", key: str = "", **given: Any) -> None:
        """Send a decision and write down what came back."""
        line = self._line(what, answer or what.answer, key or f"walk-{what.slot}")
        self._journal.write(Line(event=SENT, **line))
        person, stored = Actor(what.person_id), f"{what.person_id}:{line['key']}"
        try:
            done = decide(
                self.env, person, slot_id=what.slot, answer=line["answer"], key=stored, **given
            )
        except DutiesError as error:
            self._journal.write(Line(event=ANSWERED, status=error.status, **line))
        except Exception:  # a mutant may meet what the database still refuses
            self._journal.write(Line(event=ANSWERED, status=_BROKEN, **line))
        else:
            self._journal.write(Line(event=ANSWERED, status=200, body=asdict(done), **line))

    def until(self, key: str) -> list[Waiting]:
        """Decide what waits, one after the other, until a step of this key does: its slots."""
        for _ in range(200):
            self.settle()
            found = self.waiting()
            wanted = [one for one in found if one.key == key]
            if wanted or not found:
                return wanted
            self.decide(found[0])
        raise RuntimeError(f"no {key} in sight")

    def settle(self) -> None:
        """Drain, and run effects, until nothing moves."""
        while drain(self.env) + self.run_effects():
            pass

    def run_effects(self) -> int:
        """What a case's Prefect run does."""
        with reading(self.engine) as db:
            ready = ready_effects(db, CASE)
        for effect in ready:
            call = claim_effect(self.env, effect.id)
            if call is not None:
                finish_effect(self.env, effect.id, call.run())
        return len(ready)

    def _now(self) -> datetime:
        return clock() + self._days

    def _line(self, what: Waiting, answer: str, key: str) -> dict[str, Any]:
        about = {"slot": what.slot, "step": what.step, "person": what.login}
        return {"t": now(), "client": 1, "kind": "decide", "key": key, "answer": answer, **about}


Stage = tuple[Callable[[Walk], None], int]
"""What a process does, and how many days after the first one."""


def die(*given: Any, **named: Any) -> Never:
    """End here and now, as by ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("killed")


def begin(walk: Walk) -> None:
    """Open the case."""
    walk.open()


def settle(walk: Walk) -> None:
    """What is left to do is done by whoever comes next."""
    walk.settle()


def finish(walk: Walk) -> None:
    """Decide all that waits, to the end of the case."""
    walk.until("never")


def return_everywhere(walk: Walk) -> None:
    """A review, a verification and the report are returned; the plan is published twice."""
    for key, back_to in (("review-plan", None), ("verify", None), ("draft-report", "approve-plan")):
        for what in walk.until(key)[:1]:
            walk.decide(what, "return", reason="重办", back_to=back_to)


def die_once_told(walk: Walk) -> None:
    """Three are answered; then the process is killed."""
    for what in walk.until("review-plan"):
        walk.decide(what)
    die()


def come_too_late(walk: Walk) -> None:
    """One returns the plan, which ends the step; the others answer what waits no more."""
    first, *others = walk.until("review-plan")
    walk.decide(first, "return", reason="不全")
    for other in others:
        walk.decide(other)


def die_after_commit(walk: Walk) -> None:
    """Killed between the commit of a decision and whatever would follow it."""
    (what,) = walk.until("assign-roles")
    patch("services.command._afterwards", die).start()
    walk.decide(what)


def ask_again(walk: Walk) -> None:
    """Each decision is sent twice under its key."""
    for what in walk.until("review-plan"):
        walk.decide(what)
        walk.decide(what)


def look_twice(walk: Walk) -> None:
    """The watch comes to what is late, and comes again."""
    for _ in range(2):
        sweep(walk.env)
        walk.settle()


def approve(walk: Walk) -> None:
    """Up to the approved plan; what follows it is not done yet."""
    (what,) = walk.until("approve-plan")
    walk.decide(what)


def die_in_effect(walk: Walk) -> None:
    """The case's run is killed when an effect begins."""
    install(walk.env)
    patch("services.rectification_plan._tell", die).start()
    with reading(walk.engine) as db:
        effect = ready_effects(db, CASE)[0]
    importlib.import_module("flows.prefect").run_effect.fn(effect.id, effect.name)


def end_twice(walk: Walk) -> None:
    """A run that was held up comes back with the result of an effect that another one did."""
    with reading(walk.engine) as db:
        effect = ready_effects(db, CASE)[0]
    call = claim_effect(walk.env, effect.id)
    walk.run_effects()
    if call is not None:
        finish_effect(walk.env, effect.id, call.run())


def die_in_drain(walk: Walk) -> None:
    """Killed when the drain begins to replay."""
    patch("services.casework.draining.advance", die).start()
    drain(walk.env)


DRIVERS: dict[str, tuple[Stage, ...]] = {
    "walk": ((begin, 0), (return_everywhere, 0), (finish, 0)),
    "told": ((begin, 0), (die_once_told, 0), (settle, 0)),
    "late": ((begin, 0), (come_too_late, 0), (settle, 0)),
    "committed": ((begin, 0), (die_after_commit, 0), (settle, 0)),
    "again": ((begin, 0), (ask_again, 0), (settle, 0)),
    "watched": ((begin, 0), (look_twice, 12), (settle, 12)),
    "effect": ((begin, 0), (approve, 0), (die_in_effect, 0), (settle, 0)),
    "zombie": ((begin, 0), (approve, 0), (end_twice, 0), (settle, 0)),
    "drain": ((begin, 0), (approve, 0), (die_in_drain, 0), (settle, 0)),
}


def drive(stages: Iterable[Stage], url: str, journal: Path) -> None:
    """Run the stages one after the other; RuntimeError for one that ended by an error."""
    for act, days in stages:
        child = os.fork()
        if not child:
            _in_child(act, Walk(url, journal, days))
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if status and not killed:
            raise RuntimeError(f"{act.__name__} failed")


def _in_child(act: Callable[[Walk], None], walk: Walk) -> Never:
    try:
        act(walk)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    drive(DRIVERS[sys.argv[1]], sys.argv[2], Path(sys.argv[3]))
