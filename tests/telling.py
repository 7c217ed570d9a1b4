"""What tests of telling people stand on: a cast with channels, and a look into the log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import insert, select

from models.base import table
from models.message import Channel, Delivery, Message
from notifications.recording import RecordingChannels
from services.casework import open_case
from services.command import Work
from services.delivery import DeliveryReport, deliver
from services.env import Env
from services.telling import tell
from tests import parts, world

_channels, _deliveries, _messages = table(Channel), table(Delivery), table(Message)
_HOUR = timedelta(hours=1)


def shanghai(month: int, day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """An instant of 2026 by the clocks of Shanghai."""
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC) - timedelta(hours=8)


class Died(BaseException):
    """The process ended here: nothing below may catch it."""


@dataclass
class Desk:
    """People who are told things, and what the recording channels saw of it."""

    env: Env
    twin: RecordingChannels
    world: world.World
    _told: Iterator[int] = field(default_factory=count)

    def channel(self, post: str, url: str = "", *, inside: bool = True, **more: Any) -> int:
        """A confirmed channel of whoever holds a post."""
        values = {
            "person_id": self.world.people[post],
            "url": url or f"{'inside' if inside else 'outside'}://{post}",
            "kind": "inside" if inside else "outside",
            "inside": inside,
            "confirmed_at": self.env.clock(),
            "code_tries": 0,
        }
        with self.env.engine.begin() as db:
            made = db.execute(insert(_channels).values(values | more).returning(_channels.c.id))
            return int(made.scalar_one())

    def tell(self, post: str, template: str = "opened", **context: Any) -> int:
        """Tell the holder of a post something new; the message's id."""
        key = f"test:{next(self._told)}"
        with self.env.engine.begin() as db:
            assert tell(
                db,
                key=key,
                post_id=self.world.posts[post],
                template=template,
                context=context,
                now=self.env.clock(),
            )
            found = select(_messages.c.id).where(_messages.c.key.startswith(f"{key}:"))
            return int(db.execute(found).scalar_one())

    def deliver(self) -> DeliveryReport:
        """One pass."""
        return deliver(self.env)

    def walk(self, until: datetime, every: timedelta = timedelta(minutes=1)) -> list[datetime]:
        """Run passes until an instant, at night by the hour; the instants at which texts left."""
        left = []
        while self.clock() < until:
            before = len(self.twin.posted)
            asleep = self.deliver().stopped
            left += [self.clock()] * (len(self.twin.posted) - before)
            past_the_hour = (self.clock() - datetime.min.replace(tzinfo=UTC)) % _HOUR
            self.clock.forward(_HOUR - past_the_hour if asleep else every)
        return left

    @property
    def clock(self) -> Any:
        """The settable clock."""
        return self.env.clock

    def log(self) -> list[Any]:
        """Every attempt, in order."""
        with self.env.engine.connect() as db:
            return list(db.execute(select(_deliveries).order_by(_deliveries.c.id)))

    def states(self) -> list[str]:
        """How every attempt ended, in order."""
        return [str(row.state) for row in self.log()]

    def message(self, message_id: int) -> Any:
        """A message as it is kept."""
        with self.env.engine.connect() as db:
            return db.execute(select(_messages).where(_messages.c.id == message_id)).one()

    def row(self, channel_id: int) -> Any:
        """A channel as it is kept."""
        with self.env.engine.connect() as db:
            return db.execute(select(_channels).where(_channels.c.id == channel_id)).one()

    def of_template(self, template: str) -> Sequence[Any]:
        """The messages of one template, as they are kept."""
        with self.env.engine.connect() as db:
            return list(db.execute(select(_messages).where(_messages.c.template == template)))

    def open_case(self) -> None:
        """A case of :mod:`tests.parts` in the town, whose first step asks the clerk."""
        self.env = self.world.env = replace(self.env, mechanisms=parts.EDITION)
        parts.OUTSIDE.posts = self.world.posts
        parts.OUTSIDE.failing.clear()
        self.world.do(self._open)

    def _open(self, work: Work) -> dict[str, object]:
        town = self.world.organisations["town"]
        made = open_case(work, mechanism=parts.NAME, organisation_id=town, number="CS-2026-1")
        return {"case": made}


def desk(env: Env) -> Desk:
    """The cast of :mod:`tests.world`, its operator, and the recording twin."""
    twin = RecordingChannels()
    cast = world.build(env)
    env = replace(env, channels=twin, operator=cast.people["operator"])
    cast.env = env
    return Desk(env, twin, cast)
