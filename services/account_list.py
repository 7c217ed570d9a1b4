"""The accounts that an administrator sees, with search; one query object for list and count."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, or_, select

from models.account import Account, SecondFactor, Session
from models.base import table
from models.organisation import Appointment, Organisation, Person, Post
from policy.administration import AdministratorRole
from policy.password import plain
from services.account_scope import account_in, answers_for
from services.administration import Administration, in_office, open_role
from services.scope import in_force, post_name

PAGE = 50
LONGEST_SEARCH = 60
_accounts = table(Account)
_appointments = table(Appointment)
_factors = table(SecondFactor)
_organisations = table(Organisation)
_people = table(Person)
_posts = table(Post)
_sessions = table(Session)


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account as administrators see it. ``answered``: whether acts on it are theirs to do."""

    id: int
    login: str
    name: str
    posts: tuple[str, ...]
    state: str
    """``new`` (no password yet), ``first`` (not changed yet), ``used``, ``closed``, ``left``."""
    role: AdministratorRole | None
    has_factor: bool
    seen_at: datetime | None
    answered: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts below an administrator's organisation that fit a search."""

    at: Administration
    search: str = ""

    def count(self, db: Connection) -> int:
        """How many there are: the same condition as the list."""
        query = select(func.count()).select_from(_accounts.join(_people, _OF_PERSON))
        return db.execute(query.where(*self._wanted())).scalar_one()

    def lines(self, db: Connection, after: int | None = None) -> list[AccountLine]:
        """A page by id; ``after`` is the last one of the page before."""
        query = self._listed().where(*self._wanted()).order_by(_accounts.c.id).limit(PAGE)
        if after is not None:
            query = query.where(_accounts.c.id > after)
        rows = db.execute(query, {"p_on": self.at.on}).all()
        posts = _posts_of(db, {row.person_id for row in rows}, self.at.on)
        return [_line(row, posts[row.person_id]) for row in rows]

    def _listed(self) -> Select[Any]:
        seen = select(func.max(_sessions.c.seen_at)).where(_sessions.c.account_id == _accounts.c.id)
        factor = exists().where(
            _factors.c.account_id == _accounts.c.id, _factors.c.confirmed_at.is_not(None)
        )
        return select(
            _accounts.c.id,
            _accounts.c.login,
            _accounts.c.person_id,
            _accounts.c.password.is_not(None).label("has_password"),
            _accounts.c.must_change,
            _accounts.c.disabled,
            _people.c.name,
            factor.label("has_factor"),
            in_office(_accounts.c.person_id).label("holds_post"),
            open_role(_accounts.c.person_id).label("role"),
            seen.scalar_subquery().label("seen_at"),
            answers_for(self.at.path, _accounts.c.person_id, self.at.on).label("answered"),
        ).join(_people, _OF_PERSON)

    def _wanted(self) -> list[ColumnElement[bool]]:
        mine = account_in(self.at.path, _accounts.c.person_id, self.at.on)
        text = wanted_text(self.search)
        return [mine, self._fits(text)] if text else [mine]

    def _fits(self, text: str) -> ColumnElement[bool]:
        """The log-in, the name, or a post or unit held on the day has the text in it."""
        held = (
            select(_appointments.c.id)
            .join(_posts, _posts.c.id == _appointments.c.post_id)
            .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
            .where(
                _appointments.c.person_id == _accounts.c.person_id,
                in_force(_appointments.c, self.at.on),
                (_organisations.c.short_name + _posts.c.title).contains(text, autoescape=True),
            )
        )
        return or_(
            _accounts.c.login.contains(text, autoescape=True),
            _people.c.name.contains(text, autoescape=True),
            held.exists(),
        )


def wanted_text(search: str) -> str:
    """What is looked for, as somebody typed it: without what no database keeps, and not endless."""
    return "".join(c for c in plain(search.strip()) if c.isprintable())[:LONGEST_SEARCH]


_OF_PERSON = _people.c.id == _accounts.c.person_id


def _posts_of(db: Connection, people: Iterable[int], on: date) -> dict[int, tuple[str, ...]]:
    query = (
        select(_appointments.c.person_id, _organisations.c.short_name, _posts.c.title)
        .join(_posts, _posts.c.id == _appointments.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_appointments.c.person_id.in_(people), in_force(_appointments.c, on))
        .order_by(_posts.c.rank, _posts.c.id)
    )
    found: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for row in db.execute(query):
        found[row.person_id] += (post_name(row.short_name, row.title),)
    return found


def _line(row: Row[Any], posts: tuple[str, ...]) -> AccountLine:
    role = None if row.holds_post else row.role
    return AccountLine(
        row.id,
        row.login,
        row.name,
        posts,
        _state(row),
        role,
        row.has_factor,
        row.seen_at,
        row.answered,
    )


def _state(row: Row[Any]) -> str:
    if row.disabled:
        return "closed"
    if not row.holds_post and row.role is None:
        return "left"
    if not row.has_password:
        return "new"
    return "first" if row.must_change else "used"
