"""Concurrent deciders: they double-click, use two tabs, repeat requests, and come too late."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlencode

from chaos.deeds import Deed, Errands
from chaos.journal import ANSWERED, DECIDE, SENT, UNKNOWN, Journal, Line, now
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
ERRANDS = 0.03
"""How often it is something else than a decision."""
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

    @property
    def told(self) -> Mapping[str, Any]:
        """As in :class:`Deed`."""
        waiting = self.waiting
        about = {"step": waiting.step_id, "slot": waiting.slot_id}
        return {"kind": DECIDE, "person": waiting.login, "answer": self.answer, **about}

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
    """One hand of a client: sends a request until it is told what became of it."""

    def __init__(self, client: int, port: int, people: People, pulse: Pulse, book: Journal) -> None:
        self._client, self._people, self._pulse, self._book = client, people, pulse, book
        self._hand = Hand(port)

    def do(self, deed: Deed) -> Reply:
        """The answer; :class:`NotBack` when there is none for as long as a person would wait."""
        end, unknown, tries = time.monotonic() + PATIENCE, False, count(1)
        login, decides = deed.told["person"], deed.told["kind"] == DECIDE
        while time.monotonic() < end:
            who = self._people.session(self._hand, login)
            self._hand.connect()
            reply = self._once(deed, who, next(tries))
            if reply is None:
                unknown = True
            elif reply.status == _SIGNED_OUT:
                self._people.ended(login, who)
            elif reply.status == _NOT_SAVED:
                time.sleep(0.05)
            else:
                decided = decides and reply.status < 400
                self._pulse.settled(deed.key, decided=decided, unknown=unknown)
                return reply
        raise NotBack(f"{deed.key}: no answer")

    def _once(self, deed: Deed, who: SignedIn, number: int) -> Reply | None:
        self._note(deed, SENT, number)
        sent = time.monotonic()
        try:
            with self._pulse.request():
                path, text, headers = deed.path, deed.text(who), deed.headers(who)
                reply = self._hand.send("POST", path, text, headers)
        except Lost:
            self._note(deed, UNKNOWN, number)
            return None
        self._pulse.answered(sent, reply.status)
        self._note(deed, ANSWERED, number, reply)
        return reply

    def _note(self, deed: Deed, event: str, number: int, reply: Reply | None = None) -> None:
        self._book.write(
            Line(
                t=now(),
                client=self._client,
                event=event,
                key=deed.key,
                status=reply.status if reply else None,
                body=reply.body if reply else None,
                tries=number,
                **deed.told,
            )
        )


class Client:
    """Somebody at work with two hands, until it is over."""

    def __init__(
        self,
        number: int,
        clerks: tuple[Clerk, Clerk],
        work: tuple[Worklist, Errands],
        pulse: Pulse,
        random: Random,
    ) -> None:
        self._number, self._clerks = number, clerks
        self._work, self._errands = work
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
        errand = self._errands.take() if self._random.random() < ERRANDS else None
        if errand is not None:
            self._both(errand, errand)
            return
        if habit == "again" and self._before:
            self._clerks[0].do(self._random.choice(self._before[-20:]))
            return
        waiting = self._work.withdrawn() if habit == "late" else self._work.take()
        if waiting is None:
            self._pulse.over.wait(0.05)
            return
        first = self._decision(waiting, form=habit == "form")
        if habit in ("double", "tabs"):
            other = first if habit == "double" else self._decision(waiting)
            self._both(first, other)
        else:
            self._clerks[0].do(first)
        self._before.append(first)

    def _both(self, *deeds: Deed) -> None:
        """One with each hand, at the same time."""
        list(self._pool.map(lambda clerk, deed: clerk.do(deed), self._clerks, deeds))

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
