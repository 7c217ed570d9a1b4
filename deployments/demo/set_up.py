"""Fills a database with 滨河区 and gives the few log-ins a visitor needs a password."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Row, select

from deployments.demo.departments import add_departments
from models.account import Account
from models.base import table
from models.organisation import Person
from policy.administration import AdministratorRole
from services.accounts import new_password, set_passwords
from services.administration import appoint_administrator
from services.command import Actor
from services.database import reading
from services.env import Env
from services.organisation import ImportReport, import_csv

DISTRICT, NAME = "319900", "滨河区"
TOWN = "319900009"
"""梧桐路街道: the inspected unit of the feedback."""
_FOLDER = Path(__file__).parent
_DEPARTMENTS = (
    "party-building",
    "office",
    "publicity",
    "services",
    "city",
    "construction",
    "government",
    "grid",
)
LOGINS = (
    *(f"{DISTRICT}.inspection.{post}" for post in ("clerk", "head")),
    f"{DISTRICT}.discipline.head",
    f"{DISTRICT}.organisation.head",
    f"{DISTRICT}.deputy",
    f"{DISTRICT}.secretary",
    *(f"{TOWN}.{post}" for post in ("secretary", "deputy", "clerk", "discipline.head")),
    *(f"{TOWN}.{post}" for post in ("publicity", "organisation", "livelihood", "city")),
    *(f"{TOWN}.{post}" for post in ("construction", "office", "director")),
    *(f"{TOWN}.{office}.{post}" for office in _DEPARTMENTS for post in ("head", "clerk")),
    f"{DISTRICT}.operator",
    *(f"{DISTRICT}.{role.value}" for role in AdministratorRole),
)
"""One for each role in a rectification, in the order in which a visitor meets them."""
_accounts = table(Account)
_people = table(Person)


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Where the demonstration is, and what was imported (on the same day: the first report)."""

    district: str
    imported: ImportReport


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """A log-in with the post it stands for; ``password`` is shown once and kept nowhere here."""

    login: str
    post: str
    password: str


def set_up_demo(env: Env, actor: Actor, on: date) -> DemoReport:
    """Import 滨河区, with every appointment from ``on``: the tree, then what the generator adds;
    and appoint its three administrators.

    What is there already is kept, so it can go on where it was stopped.
    """
    report = DemoReport(DISTRICT, found_tree(env, actor, on))
    add_departments(env, actor, DISTRICT, NAME, on)
    for role in AdministratorRole:
        once = f"demo-administrator-{role.value}"
        appoint_administrator(env, actor, role=role, organisation=DISTRICT, key=once)
    return report


def found_tree(env: Env, actor: Actor, on: date) -> ImportReport:
    """Import only the streets and 居村 of 滨河区, with the organs and posts of the rules."""
    data = (_FOLDER / "binhe.csv").read_bytes()
    key = f"demo-set-up-{on.isoformat()}-{hashlib.sha256(data).hexdigest()[:16]}"
    return import_csv(env, actor, data, key=key, on=on)


def demo_logins(env: Env) -> list[DemoLogin]:
    """A new password for each of :data:`LOGINS`, not in force yet.

    The caller keeps them (in the data folder only), then gives them with :func:`give`: in that
    order nothing can be lost in between. KeyError before :func:`set_up_demo`.
    """
    posts = {row.login: row.name for row in _named(env)}
    return [DemoLogin(login, posts[login], new_password()) for login in LOGINS]


def give(env: Env, actor: Actor, logins: Iterable[DemoLogin]) -> None:
    """Put the passwords of these log-ins in force."""
    set_passwords(env, actor, {made.login: made.password for made in logins})


def feedback() -> bytes:
    """The feedback of the demonstration: 17 problems, 56 manifestations, 160 tasks (.xlsx)."""
    return (_FOLDER / "feedback.xlsx").read_bytes()


def _named(env: Env) -> list[Row[tuple[str, str]]]:
    query = (
        select(_accounts.c.login, _people.c.name)
        .join(_people, _people.c.id == _accounts.c.person_id)
        .where(_accounts.c.login.in_(LOGINS))
    )
    with reading(env.engine) as db:
        return list(db.execute(query))
