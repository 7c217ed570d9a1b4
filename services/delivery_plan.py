"""What a person is still to be told, and over which channel: gathered, then decided (design §7).

Everything follows from the delivery log and the clock; only the next instant at which something
may be sent is stored, on the message (``send_after``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, exists, func, select

from models.base import table
from models.casework import Slot, SlotState
from models.message import Channel, Delivery, DeliveryState, Message
from policy.calendar import Calendar, instant_on, local_day
from policy.delivery import LEASE, TRIES, Past, finished, opens_at

_channels = table(Channel)
_deliveries = table(Delivery)
_messages = table(Message)
_slots = table(Slot)
_REMEMBERED = timedelta(days=14)
_FAILED = (DeliveryState.REFUSED, DeliveryState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Usable:
    """A confirmed channel that was not refused for good. Its address is not kept here."""

    id: int
    inside: bool
    past: Past
    opens: datetime
    """When the next text may go over it."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What came of one message over one channel so far."""

    made: int = 0
    sent: bool = False
    unknown: int = 0
    claimed_at: datetime | None = None
    """Set while a text with it is under way."""

    @property
    def done(self) -> bool:
        """Whether it needs no further attempt."""
        return finished(sent=self.sent, unknown=self.unknown)


@dataclass(frozen=True, slots=True)
class Situation:
    """A person's pending messages, channels, and what was tried, at one instant."""

    now: datetime
    messages: Sequence[int]
    channels: Sequence[Usable]
    attempts: Mapping[tuple[int, int], Attempts]

    def tried(self, message_id: int, channel_id: int) -> Attempts:
        """What came of a message over a channel."""
        return self.attempts.get((message_id, channel_id), _NONE)

    def sendable(self, channel: Usable) -> list[int]:
        """The messages that one text over this channel should tell now."""
        if channel.opens > self.now:
            return []
        tried = ((message, self.tried(message, channel.id)) for message in self.messages)
        return [message for message, past in tried if not past.done and past.claimed_at is None]

    def past(self, channel_id: int) -> Past:
        """What went over a channel; nothing when it is not usable any more."""
        return next((c.past for c in self.channels if c.id == channel_id), Past())

    def without(self, channel_id: int) -> "Situation":
        """The same once a channel is not usable any more."""
        return replace(self, channels=[c for c in self.channels if c.id != channel_id])

    def look_at(self, message_id: int) -> datetime | None:
        """When to look at a message again: not before ``now``; None when nothing is left to do."""
        looks = []
        for channel in self.channels:
            tried = self.tried(message_id, channel.id)
            if tried.claimed_at is not None:
                looks.append(max(self.now, tried.claimed_at + LEASE))
            elif not tried.done:
                looks.append(max(self.now, channel.opens))
        return min(looks, default=None)


_NONE = Attempts()


def situation(
    db: Connection, person_id: int, messages: Sequence[int], now: datetime, calendar: Calendar
) -> Situation:
    """Gather where these messages of a person stand."""
    return Situation(
        now=now,
        messages=messages,
        channels=_usable(db, person_id, now, calendar),
        attempts=_attempts(db, messages),
    )


def pending(db: Connection, person_id: int, now: datetime) -> tuple[list[int], list[int]]:
    """A person's due messages, locked: those to be sent, and those that need not be any more.

    A message that asks a post for an answer is settled once that post answered, although the step
    still waits for others. Messages that somebody else holds locked are left to the next pass.
    """
    settled = exists().where(
        _slots.c.step_id == _messages.c.step_id,
        _slots.c.post_id == _messages.c.post_id,
        _slots.c.state != SlotState.OPEN,
    )
    query = (
        select(_messages.c.id, settled.label("settled"))
        .where(
            _messages.c.person_id == person_id,
            _messages.c.read_at.is_(None),
            _messages.c.withdrawn_at.is_(None),
            _messages.c.send_after <= now,
        )
        .order_by(_messages.c.id)
        .with_for_update(skip_locked=True, of=_messages)
    )
    rows = db.execute(query).all()
    return [row.id for row in rows if not row.settled], [row.id for row in rows if row.settled]


def _usable(
    db: Connection, person_id: int, now: datetime, calendar: Calendar
) -> tuple[Usable, ...]:
    query = (
        select(_channels.c.id, _channels.c.inside, _channels.c.confirmed_at)
        .where(
            _channels.c.person_id == person_id,
            _channels.c.confirmed_at <= now,
            _channels.c.refused_at.is_(None),
        )
        .order_by(_channels.c.id)
    )
    found = []
    for row in db.execute(query).all():
        past = past_of(db, row.id, row.confirmed_at, now)
        found.append(Usable(row.id, row.inside, past, opens_at(past, now, calendar)))
    return tuple(found)


def past_of(db: Connection, channel_id: int, confirmed_at: datetime, now: datetime) -> Past:
    """What went over a channel lately, by the log: a text is one ``started_at``.

    Its owner who confirms it again forgives its failures; what reached them today still counts.
    """
    at, state = _deliveries.c.started_at, _deliveries.c.state
    texts = db.execute(
        select(at, state)
        .where(_deliveries.c.channel_id == channel_id, at >= now - _REMEMBERED)
        .group_by(at, state)
        .order_by(at.desc())
        .limit(TRIES + 1)
    ).all()
    failures = 0
    for text in texts:
        if text.state == DeliveryState.SENT or text.started_at < confirmed_at:
            break
        failures += text.state in _FAILED
    midnight = instant_on(local_day(now))
    maybe = [text.started_at for text in texts if text.state != DeliveryState.REFUSED]
    return Past(
        last=texts[0].started_at if texts else None,
        failures=failures,
        maybe=bool(maybe) and maybe[0] == texts[0].started_at,
        today=len({at for at in maybe if at >= midnight}),
    )


def _attempts(db: Connection, messages: Sequence[int]) -> dict[tuple[int, int], Attempts]:
    state = _deliveries.c.state
    unknown = func.sum(case((state == DeliveryState.UNKNOWN, 1), else_=0))
    sent = func.sum(case((state == DeliveryState.SENT, 1), else_=0))
    claimed = func.max(case((state == DeliveryState.CLAIMED, _deliveries.c.started_at)))
    query = (
        select(
            _deliveries.c.message_id,
            _deliveries.c.channel_id,
            func.max(_deliveries.c.attempt).label("made"),
            sent.label("sent"),
            unknown.label("unknown"),
            claimed.label("claimed_at"),
        )
        .where(_deliveries.c.message_id.in_(messages))
        .group_by(_deliveries.c.message_id, _deliveries.c.channel_id)
    )
    return {
        (row.message_id, row.channel_id): Attempts(
            row.made, row.sent > 0, row.unknown, row.claimed_at
        )
        for row in db.execute(query)
    }


def still_pending(db: Connection, messages: Sequence[int]) -> list[int]:
    """Those of these messages that are neither read nor taken back, locked like ``pending``."""
    query = (
        select(_messages.c.id)
        .where(
            and_(
                _messages.c.id.in_(messages),
                _messages.c.read_at.is_(None),
                _messages.c.withdrawn_at.is_(None),
            )
        )
        .order_by(_messages.c.id)
        .with_for_update(skip_locked=True)
    )
    return list(db.execute(query).scalars())
