"""The ``case`` that a script is written against: each call finds its answer, or stops the replay.

Every key has one call site (lint). The n-th time a replay reaches a key is its n-th live round; a
missing one is opened and the replay stops there. Nothing here decides: it looks up, or opens.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeVar

from sqlalchemy import insert

from models.base import table
from models.casework import Fact, Origin, StepState
from policy.outcome import RATIOS, RETURN
from services.casework.branch import LockedBranch
from services.casework.children import close_fanout, open_children, open_fanout
from services.casework.here import Here, here_of
from services.casework.log import EACH, EFFECT, FACT, RECORD, STEP, Entry, Log
from services.casework.mechanism import EffectFunction, UndoFunction
from services.casework.queue import queue_effect, settled, unsettled_in_case
from services.casework.steps import OVERTAKEN, Asked, open_step
from services.casework.waiting import is_to_come, set_alarm

DONE = ("done",)
AGREE = ("agree",)
REVIEW = ("agree", RETURN)

Participants = Callable[[Here], int | Sequence[int]]
"""Whose a step is: posts, looked up when it opens."""
Rows = Callable[[Here], Sequence[int]]
"""The permanent ids of the rows that get a branch each."""
T = TypeVar("T")
_facts = table(Fact)


class Suspend(BaseException):
    """The replay has come to something that is not there yet. No script can swallow it."""


class ScriptError(Exception):
    """The script and the history of its branch do not fit: the branch is blocked (rule D)."""


class UnreadAnswer(ScriptError):
    """An answer was declared, given, and not looked at: an ignored "no" would publish a plan."""


class NotReached(ScriptError):
    """A step is open, or at the end an ``each``, but the replay did not come to it (rule E)."""


class Answer:
    """The outcome of a decided step. Where answers were declared, the script must read it."""

    def __init__(self, key: str, value: str, *, declared: bool) -> None:
        self.key = key
        self._value = value
        self.unread = declared

    @property
    def value(self) -> str:
        """The answer itself."""
        self.unread = False
        return self._value

    @property
    def returned(self) -> bool:
        """Whether it was 退回."""
        return self.value == RETURN

    @property
    def overtaken(self) -> bool:
        """Whether nobody answered, because something else settled what was asked."""
        return self.value == OVERTAKEN

    def is_(self, answer: str) -> bool:
        """Whether it was this answer."""
        return self.value == answer


@dataclass(frozen=True, slots=True)
class Result:
    """What an effect came to. ``resolution``: None, ``enter`` (人工录入结果) or ``drop`` (放弃)."""

    value: Any
    resolution: str | None


class Casework:
    """One replay of one branch, under its lock."""

    def __init__(self, branch: LockedBranch, log: Log) -> None:
        self._branch = branch
        self._log = log
        self._here = here_of(branch.work, branch)
        self._times: dict[tuple[str, str], int] = defaultdict(int)
        self._reached: set[int] = set()
        self._joined: set[int] = set()
        self._answer: Answer | None = None

    def ask(
        self,
        key: str,
        *,
        of: Participants,
        due: str,
        ladder: str = "default",
        answers: Sequence[str] = DONE,
        form: str = "",
        apart_from: Sequence[str] = (),
    ) -> Answer:
        """Ask one post, and stop until somebody who holds it has answered.

        ``due`` and ``ladder`` name keys of the frozen policy; ``form`` names the check of what is
        filled in; whoever decided one of ``apart_from`` (here or in a branch below) may not decide.
        """
        asked = Asked(tuple(answers), due, ladder, "one", form, tuple(apart_from))
        return self._ask(key, of, asked)

    def ask_all(
        self,
        key: str,
        *,
        of: Participants,
        due: str,
        mode: Literal["any", "all", "in_turn", "majority", "two_thirds"] = "all",
        ladder: str = "default",
        answers: Sequence[str] = AGREE,
        form: str = "",
        apart_from: Sequence[str] = (),
    ) -> Answer:
        """Ask several posts: ``any`` (或签) the first answer counts, ``all`` (会签), ``in_turn``
        (依次) one after the other, ``majority`` and ``two_thirds`` of them have to agree (票决).

        A vote is on :data:`REVIEW`: who returns votes against, and ends nothing alone.
        """
        if mode in RATIOS and tuple(answers) != REVIEW:
            raise ScriptError(f"{key!r} is a vote: it is answered by {REVIEW}")
        asked = Asked(tuple(answers), due, ladder, mode, form, tuple(apart_from))
        return self._ask(key, of, asked)

    def each(
        self,
        key: str,
        rows: Rows,
        script: Callable[["Casework"], None],
        *,
        on_return: Literal["keep", "redo"] | None = None,
    ) -> None:
        """Give each row a branch of its own, and stop until all of them have ended."""
        entry = self._reach(EACH, key)
        if entry is None:
            round_ = self._log.next_round(EACH, key)
            opened = open_fanout(
                self._branch, key, round_, rows(self._here), script.__name__, on_return
            )
            self._log.opened(opened)
            entry = opened
        self._joined.add(entry.id)
        if entry.state == "ended":
            return
        if open_children(self._branch, entry.id):
            raise Suspend
        close_fanout(self._branch, entry.id)

    def record(
        self,
        key: str,
        fn: Callable[[Here], Any],
        *,
        on_return: Literal["keep", "redo"] | UndoFunction | None = None,
    ) -> Any:
        """Change the database once per round, in the replay's transaction; what ``fn`` gave."""
        return self._stored(RECORD, key, fn, _name_of(on_return))

    def fact(self, key: str, fn: Callable[[Here], Any]) -> Any:
        """Read something once and keep it, so that every replay reads the same (rule E)."""
        return self._stored(FACT, key, fn, "redo")

    def wait(self, key: str, *, until: Callable[[Here], date]) -> None:
        """Stop until the morning of a day that is read once and kept; nobody is asked meanwhile.

        Today, or a day that is past, stops nothing.
        """
        entry = self._reach(FACT, key)
        if entry is None:
            day, round_ = until(self._here), self._log.next_round(FACT, key)
            entry = _store(self._branch, FACT, key, round_, day.isoformat(), "redo")
            self._log.opened(entry)
            set_alarm(self._branch, entry.id, day)
        if self._reach(RECORD, key) is None:
            if is_to_come(self._branch, entry.id):
                raise Suspend
            on, round_ = self._here.on.isoformat(), self._log.next_round(RECORD, key)
            self._log.opened(_store(self._branch, RECORD, key, round_, on, "redo"))

    def do(
        self,
        key: str,
        effect: EffectFunction,
        *,
        on_return: Literal["keep", "redo"] | EffectFunction | None = None,
    ) -> None:
        """Queue something for outside the replay, and go on; :meth:`result` waits for it."""
        if self._reach(EFFECT, key) is None:
            round_ = self._log.next_round(EFFECT, key)
            name = effect.__name__
            self._log.opened(
                queue_effect(self._branch, key, round_, name, on_return=_name_of(on_return))
            )

    def result(self, key: str) -> Result:
        """What the effect of ``key`` came to; stops until it is settled."""
        self._require_read()
        rounds, reached = self._log.live(EFFECT, key), self._times[EFFECT, key]
        if not reached or reached > len(rounds):
            raise ScriptError(f"result of {key!r} is asked for before it was queued")
        entry = rounds[reached - 1]
        if not settled(entry):
            raise Suspend
        return Result(entry.value, entry.answer)

    def finish(self) -> None:
        """The script ran to its end: stop while effects of this branch are still to be settled."""
        self._require_read()
        entries = self._log.entries()
        for entry in entries:
            if entry.kind == EACH and entry.state == "open" and entry.id not in self._joined:
                raise NotReached(f"{entry.key} was kept with its branches and was not reached")
        if not all(settled(entry) for entry in entries if entry.kind == EFFECT):
            raise Suspend
        if self._branch.parent_id is None and unsettled_in_case(self._branch):
            raise Suspend  # an undo of a branch that was stopped

    def check_reached(self) -> None:
        """:class:`NotReached` when an open step of the script was passed by."""
        for entry in self._log.steps():
            waits = entry.state == StepState.OPEN and entry.extra == Origin.SCRIPT
            if waits and entry.id not in self._reached:
                raise NotReached(f"step {entry.id} ({entry.key}) is open and was not reached")

    def _ask(self, key: str, of: Participants, asked: Asked) -> Answer:
        entry = self._reach(STEP, key)
        if entry is None:
            posts = of(self._here)
            wanted = (posts,) if isinstance(posts, int) else tuple(posts)
            open_step(self._branch, key, self._log.next_round(STEP, key), wanted, asked)
            raise Suspend
        self._reached.add(entry.id)
        overtaken = entry.state == StepState.CLOSED and entry.answer == OVERTAKEN
        if entry.state != StepState.DECIDED and not overtaken:
            raise Suspend
        declared = overtaken or len(asked.answers) > 1
        self._answer = Answer(key, entry.answer or "", declared=declared)
        return self._answer

    def _stored(self, kind: str, key: str, fn: Callable[[Here], Any], on_return: str | None) -> Any:
        entry = self._reach(kind, key)
        if entry is None:
            value, round_ = _plain(fn(self._here)), self._log.next_round(kind, key)
            entry = _store(self._branch, kind, key, round_, value, on_return)
            self._log.opened(entry)
        return entry.value

    def _reach(self, kind: str, key: str) -> Entry | None:
        self._require_read()
        place = kind, key
        reached = self._times[place]
        self._times[place] = reached + 1
        rounds = self._log.live(kind, key)
        return rounds[reached] if reached < len(rounds) else None

    def _require_read(self) -> None:
        if self._answer is not None and self._answer.unread:
            raise UnreadAnswer(f"the answer of {self._answer.key!r} was not read")


def _store(
    branch: LockedBranch, kind: str, key: str, round_: int, value: Any, on_return: str | None
) -> Entry:
    seq = branch.next_seq()
    values = {
        "branch_id": branch.id,
        "kind": kind,
        "key": key,
        "round": round_,
        "seq": seq,
        "value": value,
        "on_return": on_return,
        "voided": False,
    }
    fact_id = branch.work.db.execute(insert(_facts).returning(_facts.c.id), values).scalar_one()
    branch.note(act="stored", kind=kind, fact=fact_id, key=key, round=round_)
    return Entry(kind, fact_id, key, round_, seq, False, "", None, None, on_return, value)


def _name_of(on_return: str | Callable[..., Any] | None) -> str | None:
    return on_return.__name__ if callable(on_return) else on_return


def _plain(value: Any) -> Any:
    """As JSON keeps it, so that the first replay sees what all later ones will."""
    return json.loads(json.dumps(value))
