"""What people send beside decisions, through the forms of the pages: 终止, 离岗委托 and its end."""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any, Protocol
from urllib.parse import urlencode

from sqlalchemy import Connection, Engine, Row, text

from chaos.journal import MAKE, REVOKE, TERMINATE
from chaos.people import FORM, SignedIn
from deployments.clock import now
from policy.calendar import local_day
from services.database import AWAY, reading
from services.scope import standing
from services.termination import may_terminate

WHY = "演练：工作调整"
_CASE = text("SELECT id FROM \"case\" WHERE state = 'open' ORDER BY id")
_PEOPLE = text("SELECT login, person_id FROM account")
_POSTS = text(
    "SELECT p.id, p.organisation_id, p.rank, a.login FROM post p"
    " JOIN appointment t ON t.post_id = p.id AND t.ends_on IS NULL"
    " JOIN account a ON a.person_id = t.person_id WHERE p.successor_id IS NULL ORDER BY p.id"
)
_ARRANGED = text(
    "SELECT s.id, s.post_id, a.login FROM substitution s"
    " JOIN account a ON a.person_id = s.person_id WHERE s.ended_at IS NULL ORDER BY s.id"
)


class Deed(Protocol):
    """A request of a person that changes something, under a key of its own."""

    @property
    def key(self) -> str:
        """The same for all its tries."""

    @property
    def path(self) -> str:
        """Where it is sent."""

    @property
    def told(self) -> Mapping[str, Any]:
        """What a line of the journal says of it: kind, person, and what it is about."""

    def text(self, who: SignedIn) -> str:
        """The body of the request."""

    def headers(self, who: SignedIn) -> dict[str, str]:
        """The headers of the request."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A form of a page; ``about`` is the case, post or substitution that it concerns."""

    kind: str
    login: str
    key: str
    path: str
    about: int
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> Mapping[str, Any]:
        """As in :class:`Deed`."""
        about = {"step": None, "slot": None, "about": self.about}
        return {"kind": self.kind, "person": self.login, "answer": "", **about}

    def text(self, who: SignedIn) -> str:
        """As in :class:`Deed`."""
        return urlencode({"csrf": who.csrf, "key": self.key, "reason": WHY, **self.given})

    def headers(self, who: SignedIn) -> dict[str, str]:
        """As in :class:`Deed`."""
        return {"Cookie": who.cookie, "Content-Type": FORM}


@dataclass
class Errands:
    """What there is to send, chosen at random from what the tables say."""

    engine: Engine
    logins: Collection[str]
    random: Random
    _keys: Iterator[int] = field(default_factory=lambda: count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Errand | None:
        """One of them; None when there is nothing to do, or the database is away."""
        choose = self.random.choice((self._end_case, self._arrange, self._arrange, self._revoke))
        with self._lock, suppress(*AWAY), reading(self.engine) as db:
            return choose(db, f"errand-{next(self._keys):05}")
        return None

    def _end_case(self, db: Connection, key: str) -> Errand | None:
        """An old case, by somebody who may; by somebody who may not as well, now and then."""
        cases = list(db.execute(_CASE).scalars())[:20]
        if not cases:
            return None
        case_id, on = self.random.choice(cases), local_day(now())
        people = [row for row in db.execute(_PEOPLE) if row.login in self.logins]
        may = [p for p in people if may_terminate(db, standing(db, p.person_id, on), case_id)]
        who = self.random.choice(may if may and self.random.random() < 0.8 else people)
        return Errand(TERMINATE, who.login, key, f"/cases/{case_id}/termination", case_id)

    def _arrange(self, db: Connection, key: str) -> Errand | None:
        """For a post, by its holder: a neighbour stands in for some days."""
        posts = [row for row in db.execute(_POSTS) if row.login in self.logins]
        post = self.random.choice(posts)
        near = [one for one in posts if _near(one, post)]
        if not near:
            return None
        on = local_day(now())
        given = {"post": post.id, "to": self.random.choice(near).id, **_days(on)}
        shown = {name: str(value) for name, value in given.items()}
        return Errand(MAKE, post.login, key, "/substitutions", post.id, shown)

    def _revoke(self, db: Connection, key: str) -> Errand | None:
        """By who made it."""
        found = [row for row in db.execute(_ARRANGED) if row.login in self.logins]
        if not found:
            return None
        one = self.random.choice(found)
        return Errand(REVOKE, one.login, key, f"/substitutions/{one.id}/revocation", one.id)


def _near(one: Row[Any], post: Row[Any]) -> bool:
    same = one.organisation_id == post.organisation_id
    return bool(same and one.login != post.login)


def _days(on: date) -> dict[str, date]:
    return {"starts": on, "until": on + timedelta(days=5)}
