"""Telling people outside our pages: claim, send, record, which are never one transaction.

A *claim* writes the delivery log before anything leaves the house, under row locks; the sending
holds no lock; the *record* says what became of it. Whoever dies in between leaves a claim that
lapses: its outcome is unknown, and it is repeated at most once (INV-9).
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from models.base import table
from models.message import Channel, Delivery, DeliveryState, Message
from models.organisation import Person
from notifications.outcome import Outcome, Refused, Sent
from notifications.render import Rendered, digest, outside, single
from policy.calendar import local_day
from policy.delivery import LEASE, LINES, Past, in_hours, worn_out
from policy.sanitise import blackened
from services.batch import each_apart
from services.calendar import latest
from services.channel import add_channel, channels_of, confirm_channel, drop_channel, new_code
from services.database import reading
from services.delivery_plan import Situation, Usable, pending, situation, still_pending
from services.env import Channels, Env
from services.errors import DutiesError
from services.installation import standing_of
from services.message import ShownMessage, messages_by_id, messages_for, unread
from services.migration import require_own
from services.telling import tell_operator

__all__ = [
    "DeliveryReport",
    "ShownMessage",
    "add_channel",
    "channels_of",
    "confirm_channel",
    "deliver",
    "drop_channel",
    "messages_for",
    "new_code",
    "unread",
]
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_log = logging.getLogger(__name__)
_channels = table(Channel)
_deliveries = table(Delivery)
_messages = table(Message)
_people = table(Person)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a pass did, in texts; ``stopped`` says why nothing (more) was sent, or is empty.

    ``lapsed`` counts messages whose sender died before it said what became of them.
    """

    sent: int = 0
    refused: int = 0
    unknown: int = 0
    lapsed: int = 0
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class _Text:
    """One claimed text: these messages of a person over one channel."""

    person_id: int
    channel_id: int
    url: str = field(repr=False)
    inside: bool
    messages: tuple[int, ...]
    at: datetime


def deliver(env: Env, limit: int = 100) -> DeliveryReport:
    """One pass over at most ``limit`` people who are to be told something now.

    Any number of processes may run it at once. Nothing leaves the house outside the hours of
    working days, without channels, while ``env.sending`` is off, or since a backup was restored;
    then the messages wait.
    """
    channels = env.channels
    if channels is None or not env.sending:
        return DeliveryReport(stopped="no channels" if channels is None else "switched off")
    with reading(env.engine) as db:
        if standing_of(db).holding:
            return DeliveryReport(stopped="restored")
    lapsed = _lapse(env)
    ended: Counter[DeliveryState] = Counter()
    stopped = ""
    for person_id in _waiting(env, limit):
        if not _in_hours(env):
            stopped = "quiet hours"
            break
        _tell(env, channels, person_id, ended)
    return DeliveryReport(
        sent=ended[DeliveryState.SENT],
        refused=ended[DeliveryState.REFUSED],
        unknown=ended[DeliveryState.UNKNOWN],
        lapsed=lapsed,
        stopped=stopped,
    )


def _tell(env: Env, channels: Channels, person_id: int, ended: Counter[DeliveryState]) -> None:
    """Tell one person; who cannot be told is put off, so that nobody waits behind them."""
    try:
        for text in _claim(env, person_id):
            ended[_send(env, channels, text)] += 1
    except (DBAPIError, DutiesError):
        raise
    except Exception as error:
        _log.error("person %s is not told (%s)", person_id, type(error).__name__)
        _park(env, person_id)


def _park(env: Env, person_id: int) -> None:
    """For as long as the oldest message has waited by now, up to an hour; the operator is told."""
    with env.engine.begin() as db:
        now = env.clock()
        due = (_messages.c.person_id == person_id) & (_messages.c.send_after <= now)
        oldest = db.execute(select(func.min(_messages.c.created_at)).where(due)).scalar()
        waited = now - oldest if oldest is not None else _FIRST_PAUSE
        pause = min(max(waited, _FIRST_PAUSE), _LONGEST_PAUSE)
        db.execute(update(_messages).where(due).values(send_after=now + pause))
        tell_operator(
            db,
            operator=env.operator,
            key=f"unsent:{person_id}:{local_day(now).isoformat()}",
            template="operator",
            context={"unsent": True},
            now=now,
        )


def _waiting(env: Env, limit: int) -> list[int]:
    query = (
        select(_messages.c.person_id)
        .where(_messages.c.send_after <= env.clock())
        .group_by(_messages.c.person_id)
        .order_by(func.min(_messages.c.send_after), _messages.c.person_id)
        .limit(limit)
    )
    with reading(env.engine) as db:
        return list(db.execute(query).scalars())


def _in_hours(env: Env) -> bool:
    with reading(env.engine) as db:
        return in_hours(env.clock(), latest(db))


def _lapse(env: Env) -> int:
    """Settle claims whose sender died: it may or may not have arrived."""
    over = (_deliveries.c.state == DeliveryState.CLAIMED) & (
        _deliveries.c.started_at <= env.clock() - LEASE
    )
    with reading(env.engine) as db:
        if db.execute(select(_deliveries.c.id).where(over).limit(1)).first() is None:
            return 0
    with env.engine.begin() as db:
        unknown = {"state": DeliveryState.UNKNOWN, "detail": "lapsed", "ended_at": env.clock()}
        return db.execute(update(_deliveries).where(over).values(unknown)).rowcount


def _claim(env: Env, person_id: int) -> list[_Text]:
    """Write down what is about to be sent to a person; nothing when somebody else is at it."""
    with env.engine.begin() as db:
        require_own(db)
        now = env.clock()
        if not _locked(db, person_id):
            return []
        wanted, settled = pending(db, person_id, now)
        found = situation(db, person_id, wanted, now, latest(db))
        texts = [
            _claimed(db, found, channel, person_id, messages)
            for channel in found.channels
            if (messages := found.sendable(channel))
        ]
        claimed = {message for text in texts for message in text.messages}
        looks = {message: found.look_at(message) for message in wanted}
        _look_again(db, looks | dict.fromkeys(claimed, now + LEASE) | dict.fromkeys(settled))
        return texts


def _locked(db: Connection, person_id: int) -> bool:
    """One sender at a time tells a person; decisions, which refer to persons, do not wait."""
    query = select(_people.c.id).where(_people.c.id == person_id)
    return db.execute(query.with_for_update(key_share=True, skip_locked=True)).first() is not None


def _claimed(
    db: Connection, found: Situation, channel: Usable, person_id: int, messages: Sequence[int]
) -> _Text:
    rows = [
        {
            "message_id": message,
            "channel_id": channel.id,
            "attempt": found.tried(message, channel.id).made + 1,
            "state": DeliveryState.CLAIMED,
            "detail": "",
            "started_at": found.now,
        }
        for message in messages
    ]
    db.execute(insert(_deliveries), rows)
    url = db.execute(select(_channels.c.url).where(_channels.c.id == channel.id)).scalar_one()
    return _Text(person_id, channel.id, url, channel.inside, tuple(messages), found.now)


def _look_again(db: Connection, looks: "dict[int, datetime | None]") -> None:
    for at in set(looks.values()):
        ids = [message for message, look in looks.items() if look == at]
        db.execute(update(_messages).where(_messages.c.id.in_(ids)).values(send_after=at))


def _send(env: Env, channels: Channels, text: _Text) -> DeliveryState:
    said = _said(env, text)
    outcome = channels.send(text.url, title=said.title, body=said.body)
    _record(env, text, outcome)
    return _state(outcome)


def _said(env: Env, text: _Text) -> Rendered:
    """The words: opaque unless the channel stays within the trusted network."""
    if not text.inside:
        return outside(text.messages)
    lines = _lines(env, text.messages[:LINES])
    if not lines:
        return outside(text.messages)
    if len(text.messages) == 1:
        return single(lines[0], url=env.base_url)
    return digest(lines, more=len(text.messages) - len(lines), url=env.base_url)


def _lines(env: Env, messages: Sequence[int]) -> list[Rendered]:
    """One without a text (a poison row) is only counted: the others of its digest are told."""
    found: list[Rendered] = []

    def read(message: int) -> int:
        with reading(env.engine) as db:
            (shown,) = messages_by_id(db, [message])
        found.append(Rendered(blackened(shown.title), blackened(shown.body)))
        return 1

    each_apart(_log, messages, read)
    return found


def _state(outcome: Outcome) -> DeliveryState:
    match outcome:
        case Sent():
            return DeliveryState.SENT
        case Refused():
            return DeliveryState.REFUSED
        case _:
            return DeliveryState.UNKNOWN


def _record(env: Env, text: _Text, outcome: Outcome) -> None:
    """Write down what became of a text; nothing when its claim lapsed meanwhile."""
    with env.engine.begin() as db:
        now = env.clock()
        done = db.execute(
            update(_deliveries)
            .where(
                _deliveries.c.channel_id == text.channel_id,
                _deliveries.c.started_at == text.at,
                _deliveries.c.message_id.in_(text.messages),
                _deliveries.c.state == DeliveryState.CLAIMED,
            )
            .values(state=_state(outcome), detail=getattr(outcome, "detail", ""), ended_at=now)
        )
        if done.rowcount == 0:
            return
        left = still_pending(db, text.messages)
        found = situation(db, text.person_id, left, now, latest(db))
        if _given_up(outcome, found.past(text.channel_id)):
            _mark(db, env, text.channel_id, now)
            found = found.without(text.channel_id)
        _look_again(db, {message: found.look_at(message) for message in left})


def _given_up(outcome: Outcome, past: Past) -> bool:
    """Whether a channel will not work again by itself."""
    if isinstance(outcome, Refused) and outcome.permanent:
        return True
    return not isinstance(outcome, Sent) and worn_out(past.failures)


def _mark(db: Connection, env: Env, channel_id: int, now: datetime) -> None:
    """Use a channel no more until its owner confirms it again, and tell the operator once."""
    marked = update(_channels).where(_channels.c.id == channel_id, _channels.c.refused_at.is_(None))
    if db.execute(marked.values(refused_at=now)).rowcount:
        tell_operator(
            db,
            operator=env.operator,
            key=f"channel:{channel_id}:{now.isoformat()}",
            template="operator",
            context={"channel_id": channel_id},
            now=now,
        )
