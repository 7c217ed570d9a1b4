"""A house with its three administrators, and people who sign in past the pages."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import Engine, insert, select, update

from models.account import Account, Administrator
from models.base import table
from models.organisation import Appointment, Person, Post, PostKind
from policy.administration import AdministratorRole
from services.command import Work
from services.env import Env, SignInRules
from services.one_time_code import SECONDS, codes, factor_of, opened
from services.password import hashed
from services.session import SignedIn, sign_in, signed_in
from tests.rectification_cast import Rectification, begin
from tests.web_house import PASSWORD, House, open_house
from tests.world import Clock, World

_accounts, _administrators = table(Account), table(Administrator)
_appointments, _people, _posts = table(Appointment), table(Person), table(Post)


@cache
def _hash() -> str:
    return hashed(PASSWORD)


KEY = "a key of the tests' installation"


def begun(engine: Engine, **rules: Any) -> Rectification:
    """The first step waits on the secretary; one-time codes can be used."""
    case = begin(engine, Clock())
    with_rules(case.world, **rules)
    return case


def with_rules(world: World, **rules: Any) -> None:
    """Let the installation ask so much of log-ins."""
    world.env = replace(world.env, sign_in=SignInRules(**{"key": KEY, **rules}))


def house(engine: Engine, **rules: Any) -> House:
    """The pages over it, with the three administrators of the district."""
    made = open_house(begun(engine, **rules))
    for role in AdministratorRole:
        administrator(made.world, role)
    return made


def administrator(world: World, role: AdministratorRole, at: str = "district") -> str:
    """A new person who is one of the three; their log-in, with the password of everybody."""
    login = role.value if at == "district" else f"{at}.{role.value}"

    def act(work: Work) -> dict[str, Any]:
        person = work.db.execute(
            insert(_people).values(name=login).returning(_people.c.id)
        ).scalar_one()
        account = {"login": login, "person_id": person, "password": _hash(), "disabled": False}
        work.db.execute(insert(_accounts).values(account))
        row = {"person_id": person, "role": role, "organisation_id": world.organisations[at]}
        work.db.execute(insert(_administrators).values(row | {"begun_at": work.now}))
        world.people[login] = int(person)
        return {}

    world.do(act)
    return login


def leave(world: World, post: str) -> None:
    """Whoever holds a post holds it no more from today on."""
    mine = _appointments.c.post_id == world.posts[post]
    ended = update(_appointments).where(mine).values(ends_on=world.env.clock().date())
    world.do(lambda work: {"n": work.db.execute(ended).rowcount})


def hold(world: World, post: str, person: str) -> None:
    """A person holds one post more from today on."""
    row = {"post_id": world.posts[post], "person_id": world.people[person]}
    today = world.env.clock().date()
    made = insert(_appointments).values(row | {"starts_on": today})
    world.do(lambda work: {"n": work.db.execute(made).rowcount})


def bare(world: World, name: str, at: str) -> None:
    """A new post of a unit, held by a new person who has no account."""
    today = world.env.clock().date()

    def act(work: Work) -> dict[str, Any]:
        person = insert(_people).values(name=name).returning(_people.c.id)
        world.people[name] = int(work.db.execute(person).scalar_one())
        post = {"kind": PostKind.MEMBER, "title": name, "rank": 7}
        post |= {"organisation_id": world.organisations[at]}
        made = insert(_posts).values(post).returning(_posts.c.id)
        world.posts[name] = int(work.db.execute(made).scalar_one())
        held = {"post_id": world.posts[name], "person_id": world.people[name]}
        work.db.execute(insert(_appointments).values(held | {"starts_on": today}))
        return {}

    world.do(act)


def account_id(env: Env, login: str) -> int:
    """The account of a log-in."""
    with env.engine.connect() as db:
        query = select(_accounts.c.id).where(_accounts.c.login == login)
        return int(db.execute(query).scalar_one())


def enter(
    env: Env, login: str, password: str = PASSWORD, *, code: str = "", address: str = "::1"
) -> SignedIn:
    """Sign in."""
    given = {"login": login, "password": password, "code": code, "address": address}
    return signed_in(env, sign_in(env, **given))


def code_of(env: Env, who: SignedIn) -> str:
    """What the person's device shows now."""
    with env.engine.connect() as db:
        row = factor_of(db, who.account_id)
    assert row is not None
    step = int(env.clock().timestamp()) // SECONDS
    return codes(opened(env, row.secret)).generate(step * SECONDS).decode()


@dataclass
class Door:
    """Somebody at the log-in; what they were told."""

    env: Env

    def says(self, login: str, password: str, **given: str) -> str:
        """The error's code, or ''."""
        try:
            sign_in(self.env, login=login, password=password, address="::1", **given)
        except Exception as error:
            return str(getattr(error, "code", type(error).__name__))
        return ""
