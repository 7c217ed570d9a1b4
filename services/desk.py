"""What stands at the head of every page of a person: their posts, badges and what they may open."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from policy.calendar import local_day
from services.changes.page import changes_below
from services.importing import may_import
from services.inbox import Inbox
from services.message import unread
from services.scope import HeldPost, Standing, standing


@dataclass(frozen=True, slots=True)
class Desk:
    """A person at work on a day. ``waiting`` and ``unread`` count their lists' own queries."""

    who: Standing
    waiting: int
    unread: int
    imports: bool
    """Whether their offices serve a unit that they may import a feedback for."""
    changes: bool
    """Whether there are posts whose records they keep (组织变动)."""
    chosen: int | None = None
    """The post as which they chose to act."""
    behalf: int = 0
    """How many of ``waiting`` wait on others for whom they stand in (代他人)."""

    @property
    def acting(self) -> HeldPost | None:
        """The post as which they act: the chosen one while they hold it, otherwise the first."""
        first = self.who.posts[0] if self.who.posts else None
        return next((post for post in self.who.posts if post.id == self.chosen), first)

    @property
    def post(self) -> str:
        """The person as pages call them, by the post as which they act; '' without one."""
        return self.acting.name if self.acting else ""

    @property
    def on(self) -> date:
        """The day in Shanghai."""
        return self.who.on


def desk(db: Connection, person_id: int, now: datetime, chosen: int | None = None) -> Desk:
    """Who somebody is today, and how much waits for them; ``chosen``: as which post they act."""
    who = standing(db, person_id, local_day(now))
    others = Inbox(who, behalf=True).count(db) if who.behalf else 0
    waiting, new = Inbox(who).count(db), unread(db, person_id)
    changes = bool(changes_below(db, who))
    return Desk(who, waiting, new, may_import(db, who), changes, chosen, others)
