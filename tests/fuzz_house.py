"""The middle of a rectification, and everybody in it sending what nobody means."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psutil
from fastapi.routing import APIRoute
from httpx import Response
from sqlalchemy import Engine, event

from deployments.demo import feedback
from deployments.demo.set_up import LOGINS
from policy.acts import Act
from services.casework import mechanisms
from services.env import Env
from services.file_store import FileStore
from services.invariants import violations
from tests.evidence_scene import docx, pdf, png, xlsx
from tests.fuzzing import (
    HANZI,
    LONGEST_QUERY,
    Call,
    Form,
    Person,
    Sent,
    Wrong,
    bodies,
    forms_of,
    ids_in,
)
from tests.web_scene import PASSWORD, in_the_middle
from tests.world import Clock
from web.app import ROUTERS, create_app

LOOKS_ANEW, STEPS_EACH, PAGES_EACH = 500, 3, 4
"""After so many requests forms and ids are taken anew, from so many of everybody's own steps and
of all pages: what was open is done meanwhile."""
CHANGES = ("rename", "merge", "split", "move", "close", "leave", "appoint")
"""What stands in an address for a change of a unit or a post."""
REFUSED, UNKNOWN, BROKEN = 400, 401, 500
TIME_PASSES = timedelta(minutes=5)
AT_THE_DOOR = ("/login", "/account/")
"""Where a refusal is kept: a password or code that was wrong is counted and told of."""
GOES_OUT = ("/logout", "/account/sessions/end")
"""What only ends the session that the others need."""
_WRITES = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)')


@dataclass
class Report:
    """What was sent and what was wrong with the answers."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    requests: int = 0
    files: int = 0
    grown_mb: float = 0.0


class Writes:
    """Tables written by transactions that were committed."""

    def __init__(self, engine: Engine) -> None:
        self.committed: set[str] = set()
        self._lock = threading.Lock()
        event.listen(engine, "before_cursor_execute", self._asked)
        event.listen(engine, "commit", self._kept)
        event.listen(engine, "rollback", self._dropped)

    def taken(self) -> set[str]:
        """What was committed since the last time."""
        with self._lock:
            told, self.committed = self.committed, set()
        return told

    def _asked(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        found = _WRITES.match(statement)
        if found:
            connection.info.setdefault("written", set()).add(found[1])

    def _kept(self, connection: Any) -> None:
        with self._lock:
            self.committed |= connection.info.pop("written", set())

    def _dropped(self, connection: Any) -> None:
        connection.info.pop("written", None)


class Trial:
    """A house, everybody in it, and what they send."""

    def __init__(self, engine: Engine, folder: Path, seed: int) -> None:
        clock = Clock()
        clock.now = datetime(2027, 1, 4, 2, 0, tzinfo=UTC)
        env = Env(engine=engine, clock=clock, mechanisms=mechanisms())
        self.scene = in_the_middle(env, clock)
        self.scene.env = replace(self.scene.env, files=FileStore(folder, 1 << 20))
        self.app = create_app(self.scene.env)
        self.random = Random(seed)
        self.wrong = Wrong(self.random, {}, [*Act, *CHANGES])
        self.report = Report()
        self._writes = Writes(engine)
        self._routes = list(_routes())
        self._bodies: dict[tuple[str, str], list[Call]] = {}
        self._forms: list[tuple[Person, Form]] = []
        self._people: list[Person] = []

    def run(self, requests: int, files: int, examples: int) -> Report:
        """So many requests, ``files`` of them with a damaged file; ``examples``: of schemathesis
        for each operation and mode, used again and again with other ids and people."""
        self._bodies = bodies(self.app, examples)
        asyncio.run(self._run(requests, files))
        on = self.scene.clock.now.date()
        self.report.faults += [str(one) for one in violations(self.scene.env.engine, on)]
        return self.report

    async def _run(self, requests: int, files: int) -> None:
        self._people = [Person(self.app, login) for login in LOGINS]
        for person in self._people:
            assert await person.sign_in(PASSWORD), person.login
        self._people.append(Person(self.app, "a stranger"))
        begun = every = 0
        for number in range(requests):
            if number % LOOKS_ANEW == 0:
                await self._look()
                every = max((requests - number) // max(files - self.report.files, 1), 1)
            if number == min(requests // 5, 1000):
                begun = _memory()
            with_file = number % every == 0 and self.report.files < files
            person, sent = self._file() if with_file else self._request()
            await self._send(person, sent)
        self.report.grown_mb = (_memory() - begun) / 1e6
        for person in self._people:
            await person.close()
        assert len(self._people) > len(LOGINS) // 2

    async def _look(self) -> None:
        """Take ids and forms as they are now; somebody whose session ended signs in again, or is
        no longer there: an administrator closed the account, or reset its password."""
        self.scene.clock.now += TIME_PASSES
        self.wrong.ids = ids_in(self.scene.env.engine)
        self._forms = []
        pages = [path for path, method in self._routes if method == "GET"]
        for person in self._people:
            inbox = await person.send(Sent(person.login, "GET", "/"))
            waiting = sorted(set(_STEP.findall(inbox.text)))
            mine = self.random.sample(waiting, min(len(waiting), STEPS_EACH))
            others = map(self.wrong.address, self.random.sample(pages, PAGES_EACH))
            for path in (*mine, *_TAKES_FILES, *others):
                answer = await person.send(Sent(person.login, "GET", path))
                self._forms += [(person, form) for form in forms_of(answer.text) if _kept(form)]
        for person in self._people[:-1]:
            answer = await person.send(Sent(person.login, "GET", "/api/session"))
            if answer.status_code == UNKNOWN and not await person.sign_in(PASSWORD):
                self._people.remove(person)
        self._writes.taken()

    def _request(self) -> tuple[Person, Sent]:
        kind = self.random.random()
        if kind < 0.55 and self._forms:
            return self._of_form(*self.random.choice(self._forms))
        person = self.random.choice(self._people)
        if kind < 0.85:
            return person, self._of_api(person)
        template, method = self.random.choice(self._routes)
        path = self.wrong.address(template)
        asked = self.random.choice(_QUERY), self.wrong.odd()[:LONGEST_QUERY]
        given: dict[str, Any] = {"params": dict([asked])}
        if method == "POST":
            given["data"] = {"csrf": person.csrf, "key": self.wrong.key(), "x": self.wrong.odd()}
        return person, Sent(person.login, method, path, given)

    def _of_form(self, person: Person, form: Form) -> tuple[Person, Sent]:
        if self.random.random() < 0.2:
            person = self.random.choice(self._people)  # somebody else's form
        pairs: dict[str, Any] = {}
        for name, value in self.wrong.filled(form, person.csrf):
            pairs.setdefault(name, []).append(value)
        given: dict[str, Any] = {"data": pairs}
        if form.files:
            given["files"] = [(form.files[0], ("a.txt", b"text"))]
        return person, Sent(person.login, "POST", form.action or "/", given)

    def _of_api(self, person: Person) -> Sent:
        method, template = self.random.choice(list(self._bodies))
        call = self.random.choice(self._bodies[method, template])
        headers = {"Idempotency-Key": self.wrong.key()} if self.random.random() < 0.9 else {}
        given = {"headers": headers, **call.given}
        return Sent(person.login, method, self.wrong.address(template), given)

    def _file(self) -> tuple[Person, Sent]:
        """A file that was right once, through a form that takes one."""
        takes = [(person, form) for person, form in self._forms if form.files]
        if not takes:
            return self._request()
        person, form = self.random.choice(takes)
        name, data = self.random.choice(_FILES)
        if self.random.random() < 0.9:
            data = self.wrong.damaged(data)
        fields = dict(form.fields) | {"csrf": person.csrf, "key": self.wrong.key()}
        self.report.files += 1
        given = {"data": fields, "files": [(form.files[0], (name, data))]}
        return person, Sent(person.login, "POST", form.action, given)

    async def _send(self, person: Person, sent: Sent) -> None:
        self.report.requests += 1
        try:
            answer = await person.send(sent)
        except Exception as error:
            self._fault(sent, f"{type(error).__name__}: {error}")
            return
        self.report.statuses[answer.status_code] += 1
        written = self._writes.taken()
        if answer.status_code >= REFUSED:
            self._refused(sent, answer, written)

    def _refused(self, sent: Sent, answer: Response, written: set[str]) -> None:
        status = answer.status_code
        if status >= BROKEN:
            self._fault(sent, f"{status}")
        if written and not sent.path.startswith(AT_THE_DOOR):
            self._fault(sent, f"{status}, and wrote {written}")
        if not HANZI.search(answer.text):
            self._fault(sent, f"{status} without a word of Chinese: {answer.text[:200]}")
        if status == 422 and answer.headers["content-type"].startswith("application/json"):
            told = answer.json()
            if told["error"] == "invalid" and not _named(told):
                self._fault(sent, f"no field is named: {answer.text[:200]}")

    def _fault(self, sent: Sent, what: str) -> None:
        self.report.faults.append(f"{what} <- {sent}")


_STEP = re.compile(r"/steps/[0-9]+")
_TAKES_FILES = "/import", "/organisation-imports", "/ledgers"
_QUERY = ("page", "before", "after", "unit", "q", "back", "next", "done", "state", "below", "sheet")
_FILES: Sequence[tuple[str, bytes]] = (
    ("feedback.xlsx", feedback()),
    ("佐证.docx", docx("工作清单已经印发")),
    ("佐证.pdf", pdf(b"BT (text) Tj ET")),
    ("图.png", png()),
    ("表.xlsx", xlsx("已完成")),
    ("组织.csv", "单位代码,单位名称\n1,某单位\n".encode()),
)


def _named(told: Mapping[str, Any]) -> bool:
    return bool(told["details"].get("field") or "JSON" in told["message"])


def _routes() -> Iterator[tuple[str, str]]:
    for part in ROUTERS:
        for route in part.router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods or ()):
                if route.path not in GOES_OUT:
                    yield route.path, method


def _kept(form: Form) -> bool:
    return form.action not in (*GOES_OUT, "/login")


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)
