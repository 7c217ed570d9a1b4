"""Who may call a route: every route says so, and the check runs before its first line.

``signed``: a live session that owes nothing, and for an unsafe method the token bound to it, in
the form or in a header. ``settling``: also a session that owes something, which is settled here.
``public``: anybody. What a person may see and do is decided by the services.
"""

import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, BinaryIO, Concatenate, ParamSpec, TypeVar, cast

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from policy.calendar import local_day
from services.administration import Administration, administers
from services.catalogue import known, translated
from services.database import reading
from services.desk import Desk, desk
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.session import FACTOR, PASSWORD, NotSignedIn, SignedIn, signed_in
from web.site import Site

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD, CSRF_HEADER = "csrf", "X-CSRF-Token"
CONFIRMED_FIELD, CONFIRMED_HEADER = "confirmed", "X-Confirmed"
_FILES = "multipart/form-data"
_FORMS = ("application/x-www-form-urlencoded", _FILES)
_MOST_FIELDS, _MOST_FILES, _LONGEST_KEY = 4000, 10, 200
_DEPTH, _SHOWN = 4, 64
"""How much of the name of a wrong field is said again: parts, and characters of each."""
P = ParamSpec("P")
R = TypeVar("R", bound=Response)
M = TypeVar("M", bound=BaseModel)

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
"""A row's key in an address; what cannot be one is not found."""
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
"""The last row of the page before."""
Done = Annotated[int, Query(ge=0, le=2**63 - 1)]
"""The slot that was decided just before; 0 for none."""


class WrongToken(DutiesError):
    """页面已过期，本次没有提交。请重新打开页面后再提交。"""

    status = 403
    code = "wrong_token"


class FirstThis(DutiesError):
    """请先修改密码，再办理其他事项。"""

    status = 403
    code = "password_change_needed"
    where = "/account/password"


class FirstCodes(FirstThis):
    """请先启用动态口令，再办理其他事项。"""

    code = "factor_needed"
    where = "/account/codes"


_FIRST: dict[str, type[FirstThis]] = {PASSWORD: FirstThis, FACTOR: FirstCodes}


class FileNeeded(Invalid):
    """请选择一个文件。"""

    code = "file_needed"


@dataclass(slots=True)
class Ask:
    """A request as endpoints see it. ``now`` is read once."""

    site: Site
    request: Request
    now: datetime
    form: Mapping[str, Any] = field(default_factory=FormData)
    body: bytes = b""
    _who: SignedIn | None = None

    @property
    def env(self) -> Env:
        """The environment of the services."""
        return self.site.env

    @property
    def who(self) -> SignedIn:
        """Who is signed in; only for routes that ask for it."""
        if self._who is None:
            raise NotSignedIn
        return self._who

    def recognise(self) -> None:
        """NotSignedIn without a live session."""
        who = signed_in(self.env, self.request.cookies.get(self.site.cookie, ""))
        self._who = replace(who, confirmed=self._confirmed())

    def admit(self) -> None:
        """NotSignedIn without a live session; WrongToken if an unsafe request lacks its token."""
        self.recognise()
        if self.request.method not in SAFE:
            self._require_token(self.who.csrf)

    def require_settled(self) -> None:
        """FirstThis for a session that owes something: nothing else is open to it."""
        if self.who.owes:
            raise _FIRST[self.who.owes]

    @property
    def address(self) -> str:
        """Where the request came from, as the server sees it; '' where it does not."""
        return self.request.client.host if self.request.client else ""

    def secret(self, name: str) -> str:
        """A password of the form as it was typed, spaces and all."""
        return str(self.form.get(name) or "")

    def text(self, name: str) -> str:
        """A field of the form; '' when it is missing."""
        value = self.form.get(name)
        return value.strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a field that may be there several times."""
        found = self.form.getlist(name) if isinstance(self.form, FormData) else []
        return [value for value in found if isinstance(value, str)]

    def file(self, name: str) -> tuple[str, bytes]:
        """A file of the form: its name and content. Invalid when there is none."""
        value = self.form.get(name)
        if not isinstance(value, UploadFile) or not value.filename:
            raise FileNeeded(field=name)
        return value.filename, value.file.read()

    def files(self, name: str) -> list[tuple[str, BinaryIO]]:
        """The files of the form under a name, in the order they were chosen: name and content."""
        found = self.form.getlist(name) if isinstance(self.form, FormData) else []
        files = (value for value in found if isinstance(value, UploadFile))
        return [(value.filename, value.file) for value in files if value.filename]

    def json(self, model: type[M]) -> M:
        """The JSON body as a model; Invalid with the first field that is wrong, and why."""
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            raise _wrong(error.errors()[0]) from error

    def form_key(self) -> str:
        """The idempotency key that the form carries; Invalid for one without."""
        key = self.text("key")
        if not key or len(key) > _LONGEST_KEY:
            raise Invalid(field="key")
        return self.own_key(key)

    def own_key(self, key: str) -> str:
        """An idempotency key as it is kept: nobody meets, or takes, another person's."""
        return f"{self.who.person_id}:{key}"

    def reading(self) -> Any:
        """A connection for the queries of a page."""
        return reading(self.env.engine)

    def desk(self, db: Connection) -> Desk:
        """The person at work, with their badges."""
        return desk(db, self.who.person_id, self.now, self.who.post_id)

    def administration(self, db: Connection) -> Administration:
        """What the person administers; NotFound for everybody else."""
        found = administers(db, self.who.person_id, local_day(self.now))
        if found is None:
            raise NotFound
        return found

    def page(self, template: str, at: Desk | None, status: int = 200, **context: Any) -> Response:
        """A page with the head of the house; ``at`` is None for somebody who is not signed in."""
        whole = {
            "ask": self,
            "desk": at,
            "alarms": self._alarms(at),
            "today": at.on if at else local_day(self.now),
            "csrf": self._who.csrf if self._who else "",
            "me": self._who,
            **context,
        }
        return HTMLResponse(self.site.pages.render(template, whole), status)

    def _alarms(self, at: Desk | None) -> list[str]:
        """What is wrong with the house, for those who operate it."""
        if at is None or not (at.who.operates or at.who.person_id == self.env.operator):
            return []
        return sorted(self.site.alarms())

    def _confirmed(self) -> bool:
        """Whether a form has the box ticked, or a call the header, by which a person says that
        they looked at what was noticed in their texts."""
        return "yes" in (self.text(CONFIRMED_FIELD), self.request.headers.get(CONFIRMED_HEADER))

    def _require_token(self, token: str) -> None:
        given = self.request.headers.get(CSRF_HEADER) or self.text(CSRF_FIELD)
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise WrongToken


def at_the_door(request: Request) -> Ask | None:
    """Who sends files, before any of them is taken: NotSignedIn, FirstThis. None for a request
    without files. The token that a form carries comes with the files, and is looked at then.
    """
    if _kind(request) != _FILES or _of_endpoint(request, "access") == "public":
        return None
    site: Site = request.app.state.site
    ask = Ask(site, request, site.env.clock())
    ask.recognise()
    if not _of_endpoint(request, "settles"):
        ask.require_settled()
    return ask


AtTheDoor = Annotated[Ask | None, Depends(at_the_door)]
"""What a dependency of a route is given that refuses files before they are taken."""


async def read(request: Request) -> AsyncIterator[Ask]:
    """Read the request whole (its size is limited already), before a thread is taken. Files are
    large: who sends some is asked for first, unless the route is for anybody.
    """
    site: Site = request.app.state.site
    if request.method in SAFE:
        yield Ask(site, request, site.env.clock())
    elif _kind(request) in _FORMS:
        await run_in_threadpool(at_the_door, request)
        async with request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS) as form:
            _refuse_nul(form)
            request.state.kept = _texts(form)
            yield Ask(site, request, site.env.clock(), form=form)
    else:
        yield Ask(site, request, site.env.clock(), body=await request.body())


Asked = Annotated[Ask, Depends(read)]
"""The parameter ``ask`` of every endpoint."""


def signed(endpoint: Callable[Concatenate[Ask, P], R]) -> Callable[Concatenate[Ask, P], R]:
    """For people who are signed in and owe nothing."""

    @wraps(endpoint)
    def settled(ask: Ask, *args: P.args, **values: P.kwargs) -> R:
        ask.require_settled()
        return endpoint(ask, *args, **values)

    guarded = settling(cast(Callable[Concatenate[Ask, P], R], settled))
    vars(guarded)["settles"] = False
    return guarded


def settling(endpoint: Callable[Concatenate[Ask, P], R]) -> Callable[Concatenate[Ask, P], R]:
    """For people who are signed in, also to settle what they owe."""

    @wraps(endpoint)
    def guarded(ask: Ask, *args: P.args, **values: P.kwargs) -> R:
        ask.admit()
        return endpoint(ask, *args, **values)

    vars(guarded).update(access="signed", settles=True)
    return cast(Callable[Concatenate[Ask, P], R], guarded)


def public(endpoint: Callable[P, R]) -> Callable[P, R]:
    """For anybody."""
    endpoint.access = "public"  # type: ignore[attr-defined]
    return endpoint


def new_key() -> str:
    """The idempotency key of a form, made when it is shown: sent twice, it is carried out once."""
    return secrets.token_urlsafe(16)


def go(address: str) -> Response:
    """To another page, after something was done: a reload repeats nothing."""
    return RedirectResponse(address, 303)


def local(target: str) -> str:
    """A page of ours; anything that could lead elsewhere leads to the inbox."""
    ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if ours and target.isprintable() else "/"


def _kind(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _of_endpoint(request: Request, name: str) -> Any:
    """What a decorator says of the endpoint that this request goes to."""
    return getattr(request.scope["endpoint"], name, None)


def _refuse_nul(form: FormData) -> None:
    """No browser sends NUL, and PostgreSQL keeps none: Invalid."""
    for name, value in form.multi_items():
        if "\0" in name or (isinstance(value, str) and "\0" in value):
            raise Invalid(field=name.replace("\0", "")[:_SHOWN])


def _texts(form: FormData) -> dict[str, str]:
    """What people wrote, so that an error can show it again."""
    written = {name: value for name, value in form.items() if isinstance(value, str)}
    return {name: text for name, text in written.items() if name in ("reason", "text") and text}


def as_json(value: Any) -> bytes:
    """Compact JSON; dates and instants in ISO form."""
    return json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":")).encode()


def _wrong(fault: ErrorDetails) -> Invalid:
    if fault["type"] == "json_invalid":
        return Invalid(translated("invalid.json"))
    field = ".".join(str(part)[:_SHOWN] for part in fault["loc"][:_DEPTH]) or "JSON"
    why = f"invalid.{fault['type']}"
    said = translated(why if known(why) else "invalid.other")
    return Invalid(said % {"field": field}, field=field)
