"""Requests that nobody means: forms and bodies as they are, with something wrong in them.

Forms are taken from the pages as signed-in people of every role see them, bodies from the OpenAPI
(schemathesis), ids from the tables, so that most requests come far before they are refused.
"""

import re
import string
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from random import Random
from typing import Any

import schemathesis
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core import NotSet
from schemathesis.core.result import Ok
from sqlalchemy import Engine, text

SEE_OTHER = 303
HERE = "http://testserver"
HANZI = re.compile(r"[\u4e00-\u9fff]")
ODD = (
    "",
    " ",
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "1.0",
    "１２",
    "2026-02-30",
    "2026-13-01",
    "9999-12-31",
    "0001-01-01",
    "null",
    "true",
    "[]",
    "\x00",
    "\x07bell",
    "a\r\nSet-Cookie: x=1",
    "<img src=x onerror=alert(1)>",
    "{{7*7}}",
    "=cmd|'/c calc'!A0",
    "' OR 1=1 --",
    "../../etc/passwd",
    "%s%n",
    "\u202e反\u200b写",
    "𠮷🏮",
    "文" * 5_000,
    "x" * 70_000,
)
"""What stands in a field where something else was asked for."""
LONGEST_QUERY = 2_000
"""Characters: the server takes no longer line, nor does the client send one."""
IDS = ("0", "-1", "9223372036854775807", "9223372036854775808", "1.5", "x", "%00", "１", "1" * 40)
"""What stands in an address where a number should."""
_TABLES_OF = {
    "slot_id": "slot",
    "step_id": "step",
    "case_id": '"case"',
    "problem_id": "problem",
    "organisation_id": "organisation",
    "unit_id": "organisation",
    "evidence_id": "evidence",
    "version_id": "evidence_version",
    "account_id": "account",
    "batch_id": "batch",
    "substitution_id": "substitution",
}


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes and what stands in it; ``files``: its file fields."""

    action: str
    fields: tuple[tuple[str, str], ...]
    files: tuple[str, ...] = ()


class _Forms(HTMLParser):
    """Every form of a page that is sent by POST."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open: tuple[str, list[tuple[str, str]], list[str]] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form" and told.get("method", "").lower() == "post":
            self._open = (told.get("action", ""), [], [])
        elif self._open is not None:
            self._field(tag, told)

    def _field(self, tag: str, told: Mapping[str, str]) -> None:
        assert self._open is not None
        _, fields, files = self._open
        name = told.get("name", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            fields.append((self._select, told.get("value", "")))
        elif tag in ("input", "button", "textarea") and name:
            if told.get("type") == "file":
                files.append(name)
            else:
                fields.append((name, told.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "form" and self._open is not None:
            action, fields, files = self._open
            self.found.append(Form(action, tuple(fields), tuple(files)))
            self._open = None


def forms_of(page: str) -> list[Form]:
    """The forms of a page."""
    parser = _Forms()
    parser.feed(page)
    return parser.found


@dataclass(frozen=True)
class Sent:
    """A request, for whoever has to find out what was wrong with the answer."""

    who: str
    method: str
    path: str
    given: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.who}: {self.method} {self.path} {str(self.given)[:400]}"


class Person:
    """Somebody of a role at a client that is kept, with their session."""

    def __init__(self, app: FastAPI, login: str) -> None:
        self.login, self.csrf = login, ""
        self._client = AsyncClient(transport=ASGITransport(app), base_url=HERE)

    async def sign_in(self, password: str) -> bool:
        """Through the page; whether they were let in."""
        form = {"login": self.login, "password": password, "next": "/"}
        answer = await self._client.post("/login", data=form, headers={"Origin": HERE})
        if answer.status_code == SEE_OTHER:
            self.csrf = (await self._client.get("/api/session")).json()["csrf"]
        return answer.status_code == SEE_OTHER

    async def send(self, sent: Sent) -> Response:
        """As a browser of ours sends it; what the request says itself goes before."""
        given = dict(sent.given)
        headers = {"Origin": HERE, "X-CSRF-Token": self.csrf} | given.pop("headers", {})
        return await self._client.request(sent.method, sent.path, headers=headers, **given)

    async def close(self) -> None:
        await self._client.aclose()


@dataclass
class Wrong:
    """Makes requests at random, the same for the same seed."""

    random: Random
    ids: Mapping[str, Sequence[str]]
    words: Sequence[str]

    def address(self, template: str) -> str:
        """A route's path with ids of rows, now and then of none."""
        return re.sub(r"{(\w+)}", lambda found: self._part(found[1]), template)

    def _part(self, name: str) -> str:
        if name in self.ids and self.ids[name] and self.random.random() < 0.85:
            return self.random.choice(self.ids[name])
        if name in self.ids:
            return self.random.choice(IDS)
        return self.random.choice([*self.words, "nothing", "%2e%2e"])

    def filled(self, form: Form, csrf: str) -> list[tuple[str, str]]:
        """A form with one to three fields wrong, doubled, left out or invented."""
        kept = dict(form.fields)
        for name in kept:
            options = [value for at, value in form.fields if at == name]
            kept[name] = self.random.choice(options)
        kept |= {"csrf": csrf}
        if "key" in kept:
            kept["key"] = self.key()
        pairs = list(kept.items())
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            self._spoil(pairs)
        return pairs

    def _spoil(self, pairs: list[tuple[str, str]]) -> None:
        at = self.random.randrange(len(pairs))
        name, value = pairs[at]
        match self.random.randrange(8):
            case 0:
                pairs.pop(at)
            case 1:
                pairs.append((name, self.odd()))
            case 2:
                pairs.append((f"{name}{self.random.randrange(99)}", value))
            case _:
                pairs[at] = (name, self.odd())
        if not pairs:
            pairs.append(("x", "x"))

    def odd(self) -> str:
        """One of what nobody means, or noise, or an id of something else."""
        if self.random.random() < 0.7:
            return self.random.choice(ODD)
        if self.random.random() < 0.5:
            return self.random.choice(self.random.choice([of for of in self.ids.values() if of]))
        noise = string.printable + "汉字，。①Ａ"
        return "".join(self.random.choices(noise, k=self.random.randrange(1, 60)))

    def key(self) -> str:
        """A key nobody has used."""
        return f"fuzz-{self.random.getrandbits(64):016x}"

    def damaged(self, data: bytes) -> bytes:
        """A file cut short, with bytes changed, put in, doubled, or something before it."""
        out = bytearray(data)
        for _ in range(self.random.randrange(1, 6)):
            at = self.random.randrange(len(out)) if out else 0
            long = self.random.randrange(1, 64)
            match self.random.randrange(6):
                case 0:
                    del out[at:]
                case 1:
                    del out[at : at + long]
                case 2:
                    out[at:at] = self.random.randbytes(long)
                case 3:
                    out[at:at] = out[at : at + long * 16]
                case _:
                    out[at : at + long] = self.random.randbytes(long)
        return bytes(out)


def ids_in(engine: Engine) -> dict[str, list[str]]:
    """Ids of rows by the names that addresses give them; [] for what is not there."""
    with engine.connect() as db:
        return {
            name: [
                str(found) for found in db.execute(text(f"SELECT id FROM {of} LIMIT 60")).scalars()
            ]
            for name, of in _TABLES_OF.items()
        }


@dataclass(frozen=True)
class Call:
    """What schemathesis says with a call: ``given`` as httpx takes it."""

    given: Mapping[str, Any]


def bodies(app: FastAPI, number: int) -> dict[tuple[str, str], list[Call]]:
    """Calls of each operation of the OpenAPI by method and path: right by the schema, and wrong."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    made: dict[tuple[str, str], list[Call]] = {}
    for one in schema.get_all_operations():
        assert isinstance(one, Ok)
        operation = one.ok()
        if not operation.path.startswith("/api/"):
            continue  # pages say nothing of their forms there
        kept = made.setdefault((operation.method.upper(), operation.path), [])
        for mode in GenerationMode:
            with suppress(Unsatisfiable):  # there is nothing wrong to say where nothing is asked
                _draw(operation, mode, number, kept)
    return made


def _draw(operation: Any, mode: GenerationMode, number: int, into: list[Call]) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

    @seed(7)
    @settings(
        max_examples=number, database=None, phases=[Phase.generate], suppress_health_check=quiet
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keep(case: Any) -> None:
        given: dict[str, Any] = {}
        if not isinstance(case.body, NotSet):
            given["content" if isinstance(case.body, bytes) else "json"] = case.body
        if case.query:
            given["params"] = {name: str(at)[:LONGEST_QUERY] for name, at in case.query.items()}
        into.append(Call(given))

    keep()
