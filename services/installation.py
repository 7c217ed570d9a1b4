"""The installation as a whole: how often it was restored, and what that holds back (INV-22).

A restored database does not know what was done after its backup was taken: what it still wants to
send may have arrived long ago. So nothing leaves the house until an operator has looked.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, or_, select, update

from models.account import Session
from models.audit import Command
from models.base import table
from models.casework import Case
from models.message import Delivery, DeliveryState, Message
from models.operating import Installation
from models.organisation import Organisation, Post
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env

STREAM = "installation"
_cases = table(Case)
_commands = table(Command)
_deliveries = table(Delivery)
_installation = table(Installation)
_messages = table(Message)
_organisations = table(Organisation)
_posts = table(Post)
_sessions = table(Session)


@dataclass(frozen=True, slots=True)
class Standing:
    """``epoch`` is 1, and one more after each restore; ``holding``: nothing is sent for now."""

    epoch: int
    restored_at: datetime | None
    holding: bool

    @property
    def series(self) -> str:
        """What tells the runs of this database from those that were made before it was restored.

        The moment as well as the epoch: one backup may be restored twice, each time as epoch 2.
        """
        return f"-{self.epoch}-{self.restored_at:%Y%m%d%H%M%S}" if self.restored_at else ""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits: whether it was sent after the backup was taken nobody here knows.

    ``about`` is the number of a case, or empty; ``to`` the post, never a person.
    """

    created_at: datetime
    about: str
    to: str


def standing_of(db: Connection) -> Standing:
    """The one row about this database."""
    row = db.execute(select(_installation).where(_installation.c.id == 1)).one()
    return Standing(row.epoch, row.restored_at, row.holding)


def restored_at(env: Env) -> datetime | None:
    """When this database was restored last; None: never."""
    with reading(env.engine) as db:
        return standing_of(db).restored_at


def last_command(db: Connection) -> datetime | None:
    """When anything was changed last, as far as this database knows; None: never."""
    return db.execute(select(func.max(_commands.c.at))).scalar()


def restored(env: Env, actor: Actor, *, key: str, backup: str, after: int = 1) -> Standing:
    """A backup took the place of this database: a new epoch, nothing is sent, all are signed out.

    ``backup`` names it in the audit; the new epoch comes after ``after``, that of the database that
    was there. A session that somebody ended after the backup was taken would
    be alive again, hence the last; whoever was signed in signs in once more.
    """

    def act(work: Work) -> dict[str, int]:
        before = standing_of(work.db)
        epoch = max(before.epoch, after) + 1
        now = {"epoch": epoch, "restored_at": work.now, "holding": True}
        work.db.execute(update(_installation).values(now))
        ended = work.db.execute(delete(_sessions)).rowcount
        work.audit(STREAM, {"act": "restored", "backup": backup, "epoch": epoch})
        return {"epoch": epoch, "sessions": ended}

    execute(env, actor, "installation.restored", key, {"backup": backup, "after": after}, act)
    with reading(env.engine) as db:
        return standing_of(db)


def held(db: Connection) -> list[Held]:
    """What waits, or was being sent when the backup was taken; the earliest first."""
    under_way = select(_deliveries.c.message_id).where(_deliveries.c.state == DeliveryState.CLAIMED)
    which = or_(_messages.c.send_after.is_not(None), _messages.c.id.in_(under_way))
    return [Held(row.created_at, row.number or "", row.to) for row in db.execute(_told(which))]


def _told(which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            _messages.c.created_at,
            _cases.c.number,
            func.coalesce(_organisations.c.short_name + _posts.c.title, "").label("to"),
        )
        .outerjoin(_posts, _posts.c.id == _messages.c.post_id)
        .outerjoin(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_cases, _cases.c.id == _messages.c.case_id)
        .where(which)
        .order_by(_messages.c.created_at, _messages.c.id)
    )


def release(env: Env, actor: Actor, *, key: str, send: bool) -> int:
    """Sending goes on. ``send=False``: what waited is not sent any more (it stays in the pages).

    How many messages that was about.
    """

    def act(work: Work) -> dict[str, int]:
        waits = _messages.c.send_after.is_not(None)
        count = select(func.count()).select_from(_messages).where(waits)
        found = int(work.db.execute(count).scalar_one())
        if not send:
            work.db.execute(update(_messages).where(waits).values(send_after=None))
        work.db.execute(update(_installation).values(holding=False))
        work.audit(STREAM, {"act": "released", "sent": send, "messages": found})
        return {"messages": found}

    done = execute(env, actor, "installation.release", key, {"send": send}, act)
    return int(done["messages"])
