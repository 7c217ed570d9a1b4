"""The one path for every change: actor → authority → compare-and-set → write → audit → outbox.

``execute`` opens the transaction, makes the request idempotent by its key, runs the command, and
commits *before* it returns: nobody is answered before it is true. Nobody below commits.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from structlog.contextvars import bind_contextvars

from models.audit import Command
from models.base import Instant, Key, table
from services.audit import append_stream, canonical
from services.database import in_doubt, same_again
from services.env import Env
from services.errors import DutiesError, Invalid, KeyReused, Unsettled
from services.metrics import noted
from services.migration import OtherSchema, newest
from services.storage import refusal

SHANGHAI = ZoneInfo("Asia/Shanghai")
_commands = table(Command)
_TRIES = 3
_log = logging.getLogger(__name__)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON writes it, not a backslash followed by these letters."""
# SQLAlchemy compiles its own ON CONFLICT anew each time, which costs more than the statement
_CLAIM = text(
    'INSERT INTO command ("key", name, person_id, body_hash, at)'
    " SELECT :key, :name, :person_id, :body_hash, :at"
    " WHERE EXISTS (SELECT 1 FROM alembic_version WHERE version_num = :schema)"
    ' ON CONFLICT ("key") DO NOTHING RETURNING id'
).bindparams(bindparam("person_id", type_=Key), bindparam("at", type_=Instant))
_KEEP_RESULT = update(_commands).where(_commands.c.id == bindparam("p_command"))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, or None for the system (which never acts for a silent person)."""

    person_id: int | None
    via: str = "web"
    confirmed: bool = False
    """They said of this request that they looked at what the gate for texts noticed in it."""


SYSTEM = Actor(None, "system")


@dataclass(slots=True)
class Work:
    """An open transaction of one command: what it may touch, and what happens after the commit."""

    env: Env
    db: Connection
    actor: Actor
    now: datetime
    command_id: int
    rows: tuple[str, ...] = ()
    """The obligations of the domain's list that the command carries out."""
    confirmed: set[str] = field(default_factory=set)
    """Fields in which the gate noticed something, and that the person confirmed."""
    _after: list[Callable[[], None]] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The date in Shanghai: appointments and working days are counted in it."""
        return self.now.astimezone(SHANGHAI).date()

    def audit(self, stream: str, body: dict[str, Any]) -> None:
        """Append to a stream that hangs on no branch; branches are audited by casework."""
        append_stream(
            self.db, stream, command_id=self.command_id, at=self.now, body=self.signed(body)
        )

    def signed(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body with who did it, when, and by which rules."""
        signed = {**body, "by": self.actor.person_id, "via": self.actor.via, "at": self.now}
        if self.confirmed:
            signed["confirmed"] = sorted(self.confirmed)
        return signed | {"rows": list(self.rows)} if self.rows else signed

    def after_commit(self, act: Callable[[], None]) -> None:
        """Run once the commit is done (wake a drain); a failure there loses nothing.

        A ``DutiesError`` of it reaches the caller, other errors the log.
        """
        self._after.append(act)


def execute(
    env: Env,
    actor: Actor,
    name: str,
    key: str,
    body: Mapping[str, Any],
    act: Callable[[Work], Mapping[str, Any]],
    *,
    rows: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Carry out a command once and return its (JSON) result after the commit.

    The same ``key`` with the same ``body`` returns the first result; with another body it raises
    :class:`KeyReused`. Deadlocks, serialisation failures and lost connections are repeated as a
    whole, three times; a lock that cannot be had raises :class:`Busy`. Whether a COMMIT whose
    answer was lost was carried out is found out by the key; :class:`Unsettled` when it cannot be
    (the same key will tell later). Errors of ``act`` roll everything back. A body
    with what no database keeps (NUL, half a surrogate pair, NaN) raises :class:`Invalid`.
    :class:`OtherSchema` when the database was migrated by another version while this one runs.
    ``rows`` are the obligations and checks it carries out (``policy/data/obligations.csv``), which
    its audit entries name.
    """
    if not key:
        raise ValueError("a command needs an idempotency key")
    digest = _digest(dict(body) | {"": name, "by": actor.person_id})
    with noted(name, actor.person_id):
        return _executed(env, actor, name, key, digest, act, rows)


def _executed(
    env: Env,
    actor: Actor,
    name: str,
    key: str,
    digest: str,
    act: Callable[[Work], Mapping[str, Any]],
    rows: tuple[str, ...],
) -> dict[str, Any]:
    doubt: _InDoubt | None = None
    for attempt in range(_TRIES):
        try:
            result, after = _once(env, actor, name, key, digest, act, rows)
        except _InDoubt as error:
            doubt = error
        except DBAPIError as error:
            if attempt + 1 == _TRIES or not same_again(error):
                raise _not_done(error, doubt) from error
        except NoConnection as error:
            raise _not_done(error, doubt) from error
        else:
            _afterwards(after if after is not None else doubt.after if doubt else [])
            return result
    raise Unsettled from doubt


class _InDoubt(Exception):
    """A COMMIT of which nobody knows whether it was carried out; ``after``: what follows if so."""

    def __init__(self, after: list[Callable[[], None]]) -> None:
        super().__init__()
        self.after = after


def _not_done(error: Exception, doubt: _InDoubt | None) -> Exception:
    """What the caller is told; a wrong statement stays what it is."""
    if doubt is not None:
        return Unsettled()
    return refusal(error) or error


def _digest(body: dict[str, Any]) -> str:
    data = _data(body)
    if not data:
        field = next((name for name, value in body.items() if not _data({name: value})), "")
        raise Invalid("填写的内容含有无法保存的字符，请删去后重新提交。", field=field)
    return hashlib.sha256(data).hexdigest()


def _data(body: dict[str, Any]) -> bytes:
    """The body as it is hashed; empty when it holds what no database keeps."""
    data = b""
    with suppress(ValueError):
        data = canonical(body).encode()
    return b"" if _NUL.search(data) else data


def _afterwards(steps: list[Callable[[], None]]) -> None:
    """What follows a commit may fail: the change is true, and nobody is told otherwise.

    An error of ours is told, once every step had its turn: its text says what did not follow
    (a code that was not delivered), and leaves no doubt that the rest is kept.
    """
    told: DutiesError | None = None
    for step in steps:
        try:
            step()
        except DutiesError as error:
            told = told or error
        except Exception:
            _log.exception("what follows a commit failed")
    if told is not None:
        raise told


def _once(
    env: Env,
    actor: Actor,
    name: str,
    key: str,
    digest: str,
    act: Callable[[Work], Mapping[str, Any]],
    rows: tuple[str, ...],
) -> tuple[dict[str, Any], list[Callable[[], None]] | None]:
    """The result, and what is to follow; None when the key had been used before."""
    done: tuple[dict[str, Any], list[Callable[[], None]]] | None = None
    try:
        with env.engine.begin() as db:
            now = env.clock()
            command_id = _claim_key(db, key, name, actor, digest, now)
            if command_id is None:
                return _first_result(db, key, digest), None
            bind_contextvars(command_id=command_id)
            work = Work(env, db, actor, now, command_id, rows)
            result = dict(act(work))
            db.execute(_KEEP_RESULT, {"p_command": command_id, "result": result})
            done = result, work._after
    except DBAPIError as error:
        if done is not None and in_doubt(error):
            raise _InDoubt(done[1]) from error
        raise
    return done


def _claim_key(
    db: Connection, key: str, name: str, actor: Actor, digest: str, now: datetime
) -> int | None:
    values = {
        "key": key,
        "name": name,
        "person_id": actor.person_id,
        "body_hash": digest,
        "at": now,
        "schema": newest(),
    }
    found = db.execute(_CLAIM, values).scalar()
    return int(found) if found is not None else None


def _first_result(db: Connection, key: str, digest: str) -> dict[str, Any]:
    row = db.execute(
        select(_commands.c.body_hash, _commands.c.result).where(_commands.c.key == key)
    ).first()
    if row is None:
        raise OtherSchema
    if row.body_hash != digest:
        raise KeyReused
    return dict(row.result)
