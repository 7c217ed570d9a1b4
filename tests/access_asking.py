"""Asking every address of the application as everybody, for tests of who reaches what."""

import asyncio
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fastapi.routing import APIRoute
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import Engine

from policy.acts import Act
from policy.calendar import local_day
from services.changes import KINDS
from services.database import open_engine
from services.decision_receipt import KINDS as RECEIPTS
from tests.access_scene import FAR, MISSING, Scene, build
from tests.access_things import put
from tests.evidence_scene import pdf
from tests.web_house import HERE, PASSWORD
from web.access import SAFE
from web.app import ROUTERS

WORD_VALUES = {"act": [act.value for act in Act], "what": sorted(KINDS), "kind": sorted(RECEIPTS)}
"""What stands for a word in an address."""
FILES = ("/evidence", "/tasks", "/paper", "/import", "/ledgers", "/organisation-imports")
"""Where a form sends files."""
Said = tuple[int, str, dict[str, str]]
"""Status, text and headers."""
_NUMBERS = re.compile(r"[0-9a-f]{12}")
_KEYS = re.compile(r'name="(?:key|csrf)" value="[^"]*"')


@dataclass(frozen=True)
class Address:
    """A method and a path in which words are filled in; ``stem`` is its part up to the id."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    words: str = ""
    """The path as the route has it, where words were filled in."""

    @property
    def stem(self) -> str:
        """The part that says what it is about, '' for none: the same for pages and the API."""
        return self.path.removeprefix("/api").rpartition("}")[0] + "}" if "{" in self.path else ""

    @property
    def rest(self) -> str:
        """What is done to it."""
        return self.path.rpartition("}")[2].strip("/")

    def at(self, id_: object) -> str:
        """The path with an id in it."""
        return re.sub(r"{\w+}", str(id_), self.path)

    def told(self, id_: object) -> tuple[str, str]:
        """What an answer may say again of what was asked for: the path, and that of the thing."""
        return self.at(id_), re.sub(r"{\w+}", str(id_), self.stem)


def addresses() -> Iterator[Address]:
    """The route table of the application; the rule of each word is :data:`WORD_VALUES`."""
    for part in ROUTERS:
        for route in part.router.routes:
            assert isinstance(route, APIRoute), route
            if getattr(route.endpoint, "access", "") == "public":
                continue
            query = tuple(str(one.name) for one in route.dependant.query_params)
            for method in sorted(route.methods or ()):
                for path in _with_words(route.path):
                    words = "" if path == route.path else route.path
                    yield Address(method, path, query, words)


def _with_words(path: str) -> list[str]:
    found = [path]
    for word, values in WORD_VALUES.items():
        found = [
            one.replace(f"{{{word}}}", value)
            for one in found
            for value in (values if f"{{{word}}}" in one else [""])
        ]
    return found


@dataclass
class Asking:
    """Everybody's browser at one house. What somebody did is undone: each asks the same house."""

    scene: Scene
    browsers: dict[str, AsyncClient] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    saved: sqlite3.Connection | None = None
    _keys: "count[int]" = field(default_factory=count)
    links: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Where the pages that somebody saw lead to."""
    _absent: dict[tuple[str, Address], Said] = field(default_factory=dict)

    async def sign_everybody_in(self) -> None:
        """A session for each, made once."""
        for login in self.scene.roles:
            through = ASGITransport(self.scene.house.app)
            self.browsers[login] = AsyncClient(transport=through, base_url=HERE)
            form = {"login": login, "password": PASSWORD}
            answer = await self._send(login, "POST", "/login", data=form, headers={"Origin": HERE})
            assert answer.status_code == 303, login
            self.tokens[login] = (await self.get(login, "/api/session")).json()["csrf"]

    async def get(self, login: str, path: str) -> Response:
        """Open a page, or ask the API."""
        return await self._send(login, "GET", path, headers={"Accept": "text/html"})

    async def do(
        self,
        login: str,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        of: int = FAR + 1,
    ) -> Response:
        """Ask, or send a form (to the API: JSON about ``of``); what it changed is undone."""
        if method in SAFE:
            return await self.get(login, path)
        key, token = f"asked-{next(self._keys):08}", self.tokens[login]
        headers = {"Origin": HERE, "Accept": "text/html", "X-CSRF-Token": token}
        given: dict[str, Any] = {"data": {"key": key, **(form or {})}}
        if path.endswith(FILES):
            given["files"] = {name: ("清单.pdf", pdf()) for name in ("files", "file", "scan")}
        elif path.startswith("/api/"):
            given = {"json": self._body(path, of)}
        answer = await self._send(
            login, method, path, headers=headers | {"Idempotency-Key": key}, **given
        )
        if answer.status_code < 400:
            self.undo()
        return answer

    async def absent(self, login: str, address: Address) -> Said:
        """What somebody is answered where nothing is there."""
        if (login, address) not in self._absent:
            answer = await self.do(login, address.method, address.at(MISSING))
            self._absent[login, address] = said(answer, *address.told(MISSING))
        return self._absent[login, address]

    def _body(self, path: str, of: int) -> dict[str, Any]:
        if path.endswith("/decision"):
            return {"answer": "done"}
        if "/acts/" in path or path.endswith(("/termination", "/withdrawal")):
            return {"reason": "工作安排"}
        today = local_day(self.scene.house.case.env.clock()).isoformat()
        posts = {"post_id": of, "substitute_post_id": of}
        return {**posts, "starts_on": today, "until_on": today, "reason": "外出"}

    async def _send(self, login: str, method: str, path: str, **given: Any) -> Response:
        return await self.browsers[login].request(method, path, **given)

    def keep(self) -> None:
        """What is stored now is what :meth:`undo` goes back to."""
        self.saved = sqlite3.connect(":memory:")
        self._file().backup(self.saved)

    def undo(self) -> None:
        """Everything is as it was kept."""
        assert self.saved is not None, "a form changed something where nothing is undone"
        self.saved.backup(self._file())

    async def close(self) -> None:
        """No browser is left open."""
        for browser in self.browsers.values():
            await browser.aclose()

    def _file(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self.scene.house.case.env.engine.url.database))


@contextmanager
def everybody(template: Path, folder: Path) -> Iterator[Asking]:
    """The scene in a copy of a migrated SQLite file, with everybody at their browser."""
    file = folder / "fourduties.db"
    file.write_bytes(template.read_bytes())
    engine = open_engine(f"sqlite:///{file}")
    made = at_the_doors(engine, folder)
    made.keep()
    yield made
    asyncio.run(made.close())
    engine.dispose()


def at_the_doors(engine: Engine, folder: Path) -> Asking:
    """Everybody is signed in at a house with something of everything."""
    scene = build(engine, folder / "files")
    scene.things.update(put(scene))
    made = Asking(scene)
    asyncio.run(made.sign_everybody_in())
    return made


def wrong_words(scene: Scene, login: str, answer: Response, where: str) -> list[str]:
    """The words that this person may meet nowhere, and reads here."""
    text = answer.text + unquote(" ".join(answer.headers.values()))
    return [f"{where}: {word}" for word in scene.forbidden(login) if word in text]


def said(answer: Response, *given: object) -> Said:
    """An answer without the number of its request, its keys, and what was given to it."""
    whole, headers = answer.text, dict(answer.headers)
    for name in ("x-request-id", "content-length", "set-cookie", "date"):
        headers.pop(name, None)
    for one in given:
        for text in (str(one), quote(str(one)), quote(str(one), safe="")):
            whole = whole.replace(text, "…")
            headers = {name: value.replace(text, "…") for name, value in headers.items()}
    return answer.status_code, _KEYS.sub("", _NUMBERS.sub("", whole)), headers
