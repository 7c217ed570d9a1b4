"""A person's addresses outside our pages: named, confirmed by a code sent to them, dropped.

An address holds a secret. It is kept on its row and nowhere else: no audit entry, log, error or
answer has it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from models.base import table
from models.message import Channel
from notifications.outcome import Sent
from notifications.render import code as code_text
from services.command import Actor, Work, execute
from services.env import Channels, Env
from services.errors import DutiesError, Invalid, NotAuthorised, NotFound

STREAM = "channel"
MINUTES = 10
"""How long a code is good for."""
TRIES = 5
"""Wrong codes before a new one is needed."""
_AGAIN = timedelta(minutes=1)
_channels = table(Channel)


class ChannelsOff(DutiesError):
    """系统现在不向外发送通知，请稍后再试。"""

    status = 409
    code = "channels_off"


class NotDelivered(DutiesError):
    """验证码没有送达，请核对通知地址后重新获取。"""

    status = 422
    code = "not_delivered"


class WrongCode(DutiesError):
    """验证码不对或已经过期，请核对或重新获取。"""

    status = 422
    code = "wrong_code"


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """A channel as its owner sees it: never the address."""

    id: int
    kind: str
    inside: bool
    confirmed: bool
    refused: bool


def channels_of(db: Connection, person_id: int) -> list[ShownChannel]:
    """A person's channels, those not dropped."""
    query = select(_channels).where(_channels.c.person_id == person_id, _channels.c.url != "")
    return [
        ShownChannel(
            row.id, row.kind, row.inside, row.confirmed_at is not None, row.refused_at is not None
        )
        for row in db.execute(query.order_by(_channels.c.id))
    ]


def add_channel(env: Env, actor: Actor, *, key: str, url: str, person_id: int | None = None) -> int:
    """Name an address of a person and send a code to it; the id of the channel.

    One's own, or anybody's for the operator; whoever names it, its owner confirms it.
    ``Invalid`` for an address that is not understood, ``ChannelsOff`` while nothing is sent,
    ``NotDelivered`` (with ``channel``) when the code could not be sent.
    """
    owner = _owner(env, actor, person_id)
    address = _sending(env).address(url)
    if address is None:
        raise Invalid("通知地址无法识别，或者不止一个收件人。", field="url")
    fresh = _Code.new()

    def add(work: Work) -> Mapping[str, Any]:
        row = {"person_id": owner, "url": url, "kind": address.kind, "inside": address.inside}
        values = row | {"code_tries": 0} | fresh.kept(work.now)
        made = work.db.execute(insert(_channels).values(values).returning(_channels.c.id))
        channel_id = int(made.scalar_one())
        _note(work, "channel.add", channel_id, owner, kind=address.kind, inside=address.inside)
        work.after_commit(lambda: fresh.send(env, channel_id, url))
        return {"channel": channel_id}

    body = {"url": url, "person": owner}
    return int(execute(env, actor, "channel.add", key, body, add)["channel"])


def new_code(env: Env, actor: Actor, *, key: str, channel_id: int) -> None:
    """Send another code to one's own address, at most one a minute."""
    _sending(env)
    fresh = _Code.new()

    def renew(work: Work) -> Mapping[str, Any]:
        row = _own(work, channel_id)
        sent = row.code_until - timedelta(minutes=MINUTES) if row.code_until else None
        if sent is not None and work.now < sent + _AGAIN:
            raise Invalid("验证码刚刚发送过，请一分钟后再试。")
        _set(work, channel_id, fresh.kept(work.now) | {"code_tries": 0})
        _note(work, "channel.code", channel_id, row.person_id)
        work.after_commit(lambda: fresh.send(env, channel_id, row.url))
        return {}

    execute(env, actor, "channel.code", key, {"channel": channel_id}, renew)


def confirm_channel(env: Env, actor: Actor, *, key: str, channel_id: int, code: str) -> None:
    """Show that one reads what is sent to an address; from now on it is used.

    ``WrongCode`` also when the code is too old or was guessed at too often.
    """

    def confirm(work: Work) -> Mapping[str, Any]:
        row = _own(work, channel_id)
        if not _fits(row, code, work.now):
            _set(work, channel_id, {"code_tries": row.code_tries + 1})
            return {"confirmed": False}
        used = {"code": None, "code_until": None, "code_tries": 0}
        _set(work, channel_id, used | {"confirmed_at": work.now, "refused_at": None})
        _note(work, "channel.confirm", channel_id, row.person_id)
        return {"confirmed": True}

    body = {"channel": channel_id, "code": code}
    if not execute(env, actor, "channel.confirm", key, body, confirm)["confirmed"]:
        raise WrongCode


def drop_channel(env: Env, actor: Actor, *, key: str, channel_id: int) -> None:
    """Use one's own address no more and forget it; the log of what was sent stays."""

    def drop(work: Work) -> Mapping[str, Any]:
        row = _own(work, channel_id)
        gone = {"url": "", "confirmed_at": None, "code": None, "code_until": None}
        _set(work, channel_id, gone)
        _note(work, "channel.drop", channel_id, row.person_id)
        return {}

    execute(env, actor, "channel.drop", key, {"channel": channel_id}, drop)


@dataclass(frozen=True, slots=True)
class _Code:
    text: str

    @classmethod
    def new(cls) -> "_Code":
        return cls(f"{secrets.randbelow(10**6):06d}")

    def kept(self, now: datetime) -> dict[str, Any]:
        salt = secrets.token_hex(8)
        until = now + timedelta(minutes=MINUTES)
        return {"code": f"{salt}:{_hashed(salt, self.text)}", "code_until": until}

    def send(self, env: Env, channel_id: int, url: str) -> None:
        text = code_text(self.text, MINUTES)
        outcome = _sending(env).send(url, title=text.title, body=text.body)
        if not isinstance(outcome, Sent):
            raise NotDelivered(channel=channel_id)


def _hashed(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}:{code}".encode()).hexdigest()


def _fits(row: Row[Any], code: str, now: datetime) -> bool:
    if row.code is None or now > row.code_until or row.code_tries >= TRIES:
        return False
    salt, _, kept = row.code.partition(":")
    return hmac.compare_digest(_hashed(salt, code.strip()), kept)


def _sending(env: Env) -> Channels:
    if env.channels is None or not env.sending:
        raise ChannelsOff
    return env.channels


def _owner(env: Env, actor: Actor, person_id: int | None) -> int:
    owner = actor.person_id if person_id is None else person_id
    if owner is None or (owner != actor.person_id and not _operates(env, actor)):
        raise NotAuthorised
    return owner


def _operates(env: Env, actor: Actor) -> bool:
    return actor.person_id is not None and actor.person_id == env.operator


def _own(work: Work, channel_id: int) -> Row[Any]:
    row = work.db.execute(
        select(_channels)
        .where(
            _channels.c.id == channel_id,
            _channels.c.person_id == work.actor.person_id,
            _channels.c.url != "",
        )
        .with_for_update(key_share=True)
    ).first()
    if row is None:
        raise NotFound
    return row


def _set(work: Work, channel_id: int, values: Mapping[str, Any]) -> None:
    work.db.execute(update(_channels).where(_channels.c.id == channel_id).values(dict(values)))


def _note(work: Work, act: str, channel_id: int, owner: int, **more: Any) -> None:
    work.audit(STREAM, {"act": act, "channel": channel_id, "person": owner, **more})
