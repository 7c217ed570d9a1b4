"""A web process in a test: the application over the cast of ``tests.rectification_cast``."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from httpx import ASGITransport, AsyncClient, Cookies, Response
from sqlalchemy import Engine, insert

from models.account import Account
from models.base import table
from services.command import Work
from services.password import hashed
from tests.rectification_cast import Rectification
from tests.world import World
from web.app import create_app

PASSWORD = "correct horse battery"
HERE = "http://testserver"
HTML = {"Accept": "text/html"}


@cache
def _hash() -> str:
    return hashed(PASSWORD)


def give_accounts(world: World) -> None:
    """An account for everybody in the cast: the post's name, and one password for all."""

    def act(work: Work) -> dict[str, Any]:
        rows = [
            {"login": name, "person_id": person, "password": _hash(), "disabled": False}
            for name, person in world.people.items()
        ]
        work.db.execute(insert(table(Account)), rows)
        return {}

    world.do(act)


@dataclass
class Browser:
    """Somebody at a browser: says where it comes from, keeps its cookies, knows its token."""

    app: Any
    csrf: str = ""
    cookies: Cookies = field(default_factory=Cookies)

    def send(self, method: str, path: str, **given: Any) -> Response:
        """A bare request; a redirect is not followed."""
        return asyncio.run(self._send(method, path, given))

    async def _send(self, method: str, path: str, given: dict[str, Any]) -> Response:
        through = ASGITransport(self.app)
        async with AsyncClient(transport=through, base_url=HERE, cookies=self.cookies) as client:
            answer = await client.request(method, path, **given)
            self.cookies = client.cookies
            return answer

    def get(self, path: str, **given: Any) -> Response:
        """Open a page."""
        return self.send("GET", path, headers=HTML | given.pop("headers", {}), **given)

    def post(self, path: str, data: dict[str, Any] | None = None, **given: Any) -> Response:
        """Send a form of ours."""
        headers = {"Origin": HERE} | HTML | given.pop("headers", {})
        form = {"csrf": self.csrf} | (data or {})
        return self.send("POST", path, data=form, headers=headers, **given)

    def api(self, path: str, body: Any, key: str = "key-12345678", **given: Any) -> Response:
        """Call the JSON API with a body."""
        headers = {"Origin": HERE, "X-CSRF-Token": self.csrf, "Idempotency-Key": key}
        headers |= given.pop("headers", {})
        return self.send("POST", path, json=body, headers=headers)


@dataclass
class House:
    """An application, and the case it shows."""

    app: Any
    case: Rectification

    @property
    def world(self) -> World:
        """The cast."""
        return self.case.world

    def stranger(self) -> Browser:
        """Somebody who is not signed in."""
        return Browser(self.app)

    def sign_in(self, post: str) -> Browser:
        """The person who holds a post, signed in through the page."""
        browser = self.stranger()
        answer = browser.post("/login", {"login": post, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        browser.csrf = browser.get("/api/session").json()["csrf"]
        return browser

    def slot(self, key: str, post: str = "") -> int:
        """The open slot of a step."""
        return next(
            slot
            for slot, step, asked in self.world.open_slots()
            if step == key and post in ("", asked)
        )


def open_house(case: Rectification, **given: Any) -> House:
    """The application over a case; its drain does not run: tests call it."""
    give_accounts(case.world)
    return House(create_app(case.env, **given), case)


@contextmanager
def failing_commits(engine: Engine) -> Iterator[None]:
    """Every COMMIT fails, as on a full disk."""
    dialect = engine.dialect
    commit, error = dialect.do_commit, dialect.loaded_dbapi.OperationalError

    def fail(connection: Any) -> None:
        raise error("disk is full")

    dialect.do_commit = fail  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        dialect.do_commit = commit  # type: ignore[method-assign]
