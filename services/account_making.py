"""Accounts in bulk, for whoever holds a post and has no way in yet, with slips shown once.

A first password opens nothing but the page on which it is changed. It is on its slip and nowhere
else: what is kept is its hash, so a slip that got lost is a password to be reset.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from models.account import Account, AccountAct
from models.base import table
from models.organisation import Appointment, Organisation, Person, Post
from policy.administration import Permission
from policy.calendar import local_day
from services.account_log import note
from services.account_scope import answers_for
from services.administration import Administration, require
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import DutiesError, NotFound
from services.password import all_hashed, new_password
from services.scope import in_force, post_name

AT_ONCE = 30
"""How many accounts one command makes: hashing takes a tenth of a second for each."""
_accounts = table(Account)
_appointments = table(Appointment)
_organisations = table(Organisation)
_people = table(Person)
_posts = table(Post)


class AlreadyShown(DutiesError):
    """这一次已经办理过。密码只显示一次，没有记下的请重置。"""

    status = 409
    code = "already_shown"


@dataclass(frozen=True, slots=True)
class Slip:
    """What is handed to somebody: shown once, kept nowhere."""

    account_id: int
    login: str
    password: str
    post: str


@dataclass(frozen=True, slots=True)
class UnitWithout:
    """A unit with how many holders of its posts, and of those below it, have no way in."""

    id: int
    name: str
    people: int


def units_without(db: Connection, at: Administration) -> list[UnitWithout]:
    """The administrator's own unit and those directly below it, where people lack an account."""
    units = (
        select(_organisations.c.id, _organisations.c.short_name, _organisations.c.path)
        .where(
            or_(
                _organisations.c.id == at.organisation_id,
                _organisations.c.parent_id == at.organisation_id,
            )
        )
        .order_by(_organisations.c.id != at.organisation_id, _organisations.c.id)
    )
    lacking = _lacking(at.path, at.path, at.on).subquery()
    held = db.execute(select(lacking.c.path, lacking.c.person_id).distinct()).all()
    found = [
        UnitWithout(
            unit.id,
            unit.short_name,
            len({row.person_id for row in held if row.path.startswith(unit.path)}),
        )
        for unit in db.execute(units)
    ]
    return [unit for unit in found if unit.people]


def make_accounts(env: Env, actor: Actor, *, unit_id: int, key: str) -> list[Slip]:
    """Make accounts for holders of posts in a unit and below it, :data:`AT_ONCE` at most.

    For people without an account, and for accounts that never had a password. [] when nobody lacks
    one any more. For the system administrator above, and the system; NotFound for anybody else and
    for a unit elsewhere. :class:`AlreadyShown` for the same key again.
    """
    with reading(env.engine) as db:
        lacking = _people_lacking(db, actor, unit_id, local_day(env.clock()))
    fresh = {person: new_password() for person in lacking}
    kept = all_hashed(fresh)
    nonce = secrets.token_urlsafe(16)

    def act(work: Work) -> dict[str, Any]:
        _take_turns(work.db, fresh)
        still = _people_lacking(work.db, actor, unit_id, work.today)
        written = {
            person: _write(work, still[person], kept[person]) for person in fresh if person in still
        }
        made = {person: account for person, account in written.items() if account is not None}
        note(work, AccountAct.MADE, made.values())
        return {"accounts": list(made.values()), "persons": list(made), "nonce": nonce}

    done = execute(env, actor, "account.make", key, {"unit": unit_id}, act)
    if done["nonce"] != nonce:
        raise AlreadyShown
    return [
        Slip(account, _login(lacking[person]), fresh[person], lacking[person].name)
        for person, account in zip(done["persons"], done["accounts"], strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Lacking:
    """Somebody who holds a post and cannot log in; ``name`` is their first post."""

    person_id: int
    account_id: int | None
    login: str | None
    code: str
    name: str


def _login(one: _Lacking) -> str:
    """``<code of the unit>.<number of the person>``: it stays when the person moves."""
    return one.login or f"{one.code}.{one.person_id}"


def _people_lacking(db: Connection, actor: Actor, unit_id: int, on: date) -> dict[int, _Lacking]:
    """The first :data:`AT_ONCE` by unit and rank; NotFound for a unit that is not theirs."""
    bound = "/"
    if actor.person_id is not None:
        bound = require(db, actor.person_id, on, Permission.MAKE_ACCOUNTS).path
    path = db.execute(
        select(_organisations.c.path).where(
            _organisations.c.id == unit_id, _organisations.c.path.startswith(bound, autoescape=True)
        )
    ).scalar()
    if path is None:
        raise NotFound
    query = _lacking(bound, path, on).order_by(
        _organisations.c.path, _posts.c.rank, _posts.c.id, _appointments.c.person_id
    )
    found: dict[int, _Lacking] = {}
    for row in db.execute(query):
        if row.person_id not in found and len(found) == AT_ONCE:
            break
        name = post_name(row.short_name, row.title)
        found.setdefault(
            row.person_id, _Lacking(row.person_id, row.account_id, row.login, row.code, name)
        )
    return found


def _lacking(bound: str, path: str, on: date) -> Select[Any]:
    """Posts below ``path`` held by people without a password for whom ``bound`` answers."""
    return (
        select(
            _appointments.c.person_id,
            _accounts.c.id.label("account_id"),
            _accounts.c.login,
            _organisations.c.code,
            _organisations.c.path,
            _organisations.c.short_name,
            _posts.c.title,
        )
        .join(_posts, _posts.c.id == _appointments.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_accounts, _accounts.c.person_id == _appointments.c.person_id)
        .where(
            in_force(_appointments.c, on),
            _organisations.c.path.startswith(path, autoescape=True),
            or_(
                _accounts.c.id.is_(None),
                and_(_accounts.c.password.is_(None), _accounts.c.disabled.is_(False)),
            ),
            answers_for(bound, _appointments.c.person_id, on),
        )
    )


def _take_turns(db: Connection, people: Iterable[int]) -> None:
    """Two makings that concern the same person are done one after the other."""
    wanted = select(_people.c.id).where(_people.c.id.in_(sorted(people))).order_by(_people.c.id)
    db.execute(wanted.with_for_update(key_share=True)).all()


def _write(work: Work, one: _Lacking, kept: str) -> int | None:
    """The account with its first password; None where it was given another one meanwhile."""
    account_id = one.account_id
    if account_id is None:
        values = {"login": _login(one), "person_id": one.person_id, "disabled": False}
        made = insert(_accounts).values(values | {"must_change": True}).returning(_accounts.c.id)
        try:
            with work.db.begin_nested():
                account_id = int(work.db.execute(made).scalar_one())
        except IntegrityError:  # of one person (a unique index), whoever made it
            theirs = select(_accounts.c.id).where(_accounts.c.person_id == one.person_id)
            if work.db.execute(theirs).first() is None:
                raise
            return None
    mine = _accounts.c.id == account_id, _accounts.c.password.is_(None)
    values = {"password": kept, "must_change": True, "password_at": work.now}
    given = work.db.execute(update(_accounts).where(*mine).values(values))
    return account_id if given.rowcount == 1 else None
