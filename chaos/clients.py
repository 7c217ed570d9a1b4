"""Concurrent deciders: they double-click, use two tabs, repeat requests, and come too late."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from random import Random
from urllib.parse import urlencode

from chaos.journal import ANSWERED, SENT, UNKNOWN, Journal, Line, now
from chaos.patience import NotBack
from chaos.people import FORM, PATIENCE, Hand, Lost, People, Reply, SignedIn
from chaos.pulse import Pulse
from chaos.worklist import Waiting, Worklist

RETURN, RETURNED = "return", 0.12
BACK_TO = {
    "approve-plan": "draft-plan",
    "sign": "apply-closing",
    "draft-report": "approve-plan",
    "approve-report": "draft-report",
}
"""Where a return goes whose step declares none."""
REASON = "请补充完成标准后再报"
HABITS = {"once": 60, "double": 12, "tabs": 8, "form": 10, "again": 6, "late": 4}
"""How a client decides, and how often of a hundred times."""
_NOT_SAVED, _SIGNED_OUT = 503, 401


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be decided, under which key, and whether through the page's form."""

    waiting: Waiting
    answer: str
    key: str
    form: bool = False

    @property
    def path(self) -> str:
        """Where it is sent."""
        slot = self.waiting.slot_id
        return f"/steps/{slot}" if self.form else f"/api/steps/{slot}/decision"

    def text(self, who: SignedIn) -> str:
        """The body of the request."""
        values = {"answer": self.answer, "reason": self._reason, "back_to": self._back_to}
        if not self.form:
            return json.dumps(values)
        shown = {name: value for name, value in values.items() if value is not None}
        return urlencode({"csrf": who.csrf, "key": self.key, **shown})

    def headers(self, who: SignedIn) -> dict[str, str]:
        """The headers of the request."""
        if self.form:
            return {"Cookie": who.cookie, "Content-Type": FORM}
        kind = {"Content-Type": "application/json", "Idempotency-Key": self.key}
        return {"Cookie": who.cookie, "X-CSRF-Token": who.csrf, **kind}

    @property
    def _reason(self) -> str:
        return REASON if self.answer == RETURN or self.waiting.origin != "script" else ""

    @property
    def _back_to(self) -> str | None:
        declared = RETURN in self.waiting.answers
        return BACK_TO.get(self.waiting.key) if self.answer == RETURN and not declared else None


class Clerk:
    """One hand of a client: sends a decision until it is told what became of it."""

    def __init__(self, client: int, port: int, people: People, pulse: Pulse, book: Journal) -> None:
        self._client, self._people, self._pulse, self._book = client, people, pulse, book
        self._hand = Hand(port)

    def decide(self, decision: Decision) -> Reply:
        """The answer; :class:`NotBack` when there is none for as long as a person would wait."""
        end, unknown, tries = time.monotonic() + PATIENCE, False, count(1)
        while time.monotonic() < end:
            who = self._people.session(self._hand, decision.waiting.login)
            self._hand.connect()
            reply = self._once(decision, who, next(tries))
            if reply is None:
                unknown = True
            elif reply.status == _SIGNED_OUT:
                self._people.ended(decision.waiting.login, who)
            elif reply.status == _NOT_SAVED:
                time.sleep(0.05)
            else:
                self._pulse.settled(decision.key, decided=reply.status < 400, unknown=unknown)
                return reply
        raise NotBack(f"{decision.key}: no answer")

    def _once(self, decision: Decision, who: SignedIn, number: int) -> Reply | None:
        self._note(decision, SENT, number)
        sent = time.monotonic()
        try:
            with self._pulse.request():
                path, text, headers = decision.path, decision.text(who), decision.headers(who)
                reply = self._hand.send("POST", path, text, headers)
        except Lost:
            self._note(decision, UNKNOWN, number)
            return None
        self._pulse.answered(sent, reply.status)
        self._note(decision, ANSWERED, number, reply)
        return reply

    def _note(
        self, decision: Decision, event: str, number: int, reply: Reply | None = None
    ) -> None:
        waiting = decision.waiting
        self._book.write(
            Line(
                t=now(),
                client=self._client,
                event=event,
                key=decision.key,
                kind="decide",
                step=waiting.step_id,
                slot=waiting.slot_id,
                person=waiting.login,
                answer=decision.answer,
                status=reply.status if reply else None,
                body=reply.body if reply else None,
                tries=number,
            )
        )


class Client:
    """Somebody at work with two hands, until it is over."""

    def __init__(
        self, number: int, clerks: tuple[Clerk, Clerk], work: Worklist, pulse: Pulse, random: Random
    ) -> None:
        self._number, self._clerks, self._work = number, clerks, work
        self._pulse, self._random = pulse, random
        self._keys = count(1)
        self._before: list[Decision] = []
        self._pool = ThreadPoolExecutor(2, thread_name_prefix=f"client-{number}")

    def run(self, pause: Callable[[], float]) -> None:
        """Decide, pause, decide, until it is over; what was begun is brought to its end."""
        while not self._pulse.over.is_set():
            self._turn()
            if not self._pulse.rush.is_set():
                self._pulse.rush.wait(pause())
        self._pool.shutdown()

    def _turn(self) -> None:
        habit = self._random.choices(list(HABITS), list(HABITS.values()))[0]
        if habit == "again" and self._before:
            self._clerks[0].decide(self._random.choice(self._before[-20:]))
            return
        waiting = self._work.withdrawn() if habit == "late" else self._work.take()
        if waiting is None:
            self._pulse.over.wait(0.05)
            return
        first = self._decision(waiting, form=habit == "form")
        if habit in ("double", "tabs"):
            other = first if habit == "double" else self._decision(waiting)
            list(self._pool.map(lambda pair: pair[0].decide(pair[1]), self._pairs(first, other)))
        else:
            self._clerks[0].decide(first)
        self._before.append(first)

    def _pairs(self, *decisions: Decision) -> list[tuple[Clerk, Decision]]:
        return list(zip(self._clerks, decisions, strict=True))

    def _decision(self, waiting: Waiting, *, form: bool = False) -> Decision:
        can_return = RETURN in waiting.answers or waiting.key in BACK_TO
        returns = can_return and self._random.random() < RETURNED
        answer = RETURN if returns else waiting.answers[0]
        return Decision(waiting, answer, f"chaos-{self._number}-{next(self._keys):07}", form)


class Crowd:
    """The clients of a run, each a thread; an error of one ends all and is raised at the end."""

    def __init__(
        self, clients: list[Client], pulse: Pulse, per_second: float, random: Random
    ) -> None:
        self._pulse, self._random = pulse, random
        self._mean = len(clients) / per_second
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in clients]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, once everybody was told what became of their last decision."""
        self._pulse.over.set()
        self._pulse.rush.set()
        for thread in self._threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    @property
    def failed(self) -> bool:
        """Whether somebody gave up."""
        return bool(self._failed)

    def _run(self, client: Client) -> None:
        try:
            client.run(lambda: self._random.expovariate(1 / self._mean))
        except Exception as error:
            self._failed.append(error)
            self._pulse.over.set()
            self._pulse.rush.set()
