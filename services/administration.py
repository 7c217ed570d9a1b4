"""Who is one of the three administrators (三员), for which part of the tree; begun and ended.

An administrator holds no post: work is routed to posts, so nobody who administers is ever asked to
decide. Whoever gets a post stops administering that day, by whichever command the post came. Only
the system (the command line on the server) begins and ends an administrator: none of the three
can make another. Why the 系统运维员 is none of them: ``docs/decisions/three-administrators.md``.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Row,
    ScalarSelect,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from models.account import Account, AccountAct, Administrator
from models.base import table
from models.organisation import Appointment, Organisation, Person
from policy.administration import AdministratorRole, Permission, holds, sees_accounts
from services.account_log import end_sessions, note
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import DutiesError, Invalid, NotAuthorised, NotFound
from services.scope import in_force

ROLE_NAMES = {
    AdministratorRole.SYSTEM: "系统管理员",
    AdministratorRole.SECURITY: "安全管理员",
    AdministratorRole.AUDIT: "审计管理员",
}
_accounts = table(Account)
_administrators = table(Administrator)
_appointments = table(Appointment)
_organisations = table(Organisation)
_people = table(Person)
_ON: ColumnElement[date] = bindparam("p_on", type_=Date)
"""The day, wherever these conditions are part of a query."""


class TwoRoles(DutiesError):
    """这个人已经是管理员，不能再兼任：三员须由三个人分别担任。"""

    status = 409
    code = "two_roles"


class LoginTaken(DutiesError):
    """这个用户名刚刚被另一项任命占用，这次没有任命。请核对后另选用户名，或者再执行一次。"""

    status = 409
    code = "login_taken"


class HoldsPost(DutiesError):
    """这个人现有任职，不能担任管理员：管理员不办理业务。"""

    status = 409
    code = "holds_post"


@dataclass(frozen=True, slots=True)
class Administration:
    """What somebody administers on a day: as which of the three, and where."""

    person_id: int
    role: AdministratorRole
    organisation_id: int
    organisation: str
    path: str
    on: date

    def may(self, permission: Permission) -> bool:
        """Whether the role includes an act."""
        return holds(self.role, permission)

    @property
    def sees_accounts(self) -> bool:
        """Whether the role works on accounts."""
        return sees_accounts(self.role)


def in_office(
    person: ColumnElement[int], on: date | ColumnElement[date] = _ON
) -> ColumnElement[bool]:
    """Whether a person holds a post on a day (the parameter ``p_on``)."""
    held = select(_appointments.c.id).where(
        _appointments.c.person_id == person, in_force(_appointments.c, on)
    )
    return held.exists()


def open_role(person: ColumnElement[int]) -> ScalarSelect[AdministratorRole]:
    """The role a person has, whatever posts they hold, as part of a larger question; NULL: none."""
    return (
        select(_administrators.c.role)
        .where(_administrators.c.person_id == person, _administrators.c.ended_at.is_(None))
        .scalar_subquery()
    )


def administers(db: Connection, person_id: int | None, on: date) -> Administration | None:
    """What a person administers on a day; None for who is no administrator, or holds a post."""
    if person_id is None:
        return None
    query = (
        select(
            _administrators.c.role,
            _administrators.c.organisation_id,
            _organisations.c.short_name,
            _organisations.c.path,
        )
        .join(_organisations, _organisations.c.id == _administrators.c.organisation_id)
        .where(
            _administrators.c.person_id == person_id,
            _administrators.c.ended_at.is_(None),
            ~in_office(_administrators.c.person_id),
        )
    )
    row = db.execute(query, {"p_on": on}).first()
    if row is None:
        return None
    return Administration(person_id, row.role, row.organisation_id, row.short_name, row.path, on)


def require(
    db: Connection, person_id: int | None, on: date, permission: Permission
) -> Administration:
    """What a person administers, with this act in it; otherwise NotFound, as for a page that is
    not there: nobody learns what others may do."""
    found = administers(db, person_id, on)
    if found is None or not found.may(permission):
        raise NotFound
    return found


def appoint_administrator(
    env: Env, actor: Actor, *, role: AdministratorRole, organisation: str, key: str, login: str = ""
) -> str:
    """Make somebody one of the three administrators of an organisation (by its code).

    ``login`` is an account that is there, or a new one for a new person, who is called by the role
    and has no password yet; '' is ``<code>.<role>``. The log-in is returned. ``HoldsPost`` for who
    holds a post, ``TwoRoles`` for who is one of the three already, ``Invalid`` for no such code,
    ``LoginTaken`` where the same new log-in was made at the same time.
    """
    if actor.person_id is not None:
        raise NotAuthorised
    wanted = login or f"{organisation}.{role.value}"

    def act(work: Work) -> dict[str, str]:
        unit = work.db.execute(_UNIT.where(_organisations.c.code == organisation)).first()
        if unit is None:
            raise Invalid("没有这个编码的单位。", field="organisation")
        account = work.db.execute(_ACCOUNT.where(_accounts.c.login == wanted)).first()
        if account is None:
            account = _new_account(work, wanted, f"{unit.short_name}{ROLE_NAMES[role]}")
        _begin(work, account.person_id, role, unit.id)
        note(work, AccountAct.APPOINTED, [account.id], role=role.value, organisation=unit.id)
        return {"login": wanted}

    body = {"role": role.value, "organisation": organisation, "login": wanted}
    return str(execute(env, actor, "administrator.appoint", key, body, act)["login"])


def dismiss_administrator(env: Env, actor: Actor, *, login: str, key: str) -> None:
    """End what somebody administers, and their sessions; NotFound for who administers nothing."""
    if actor.person_id is not None:
        raise NotAuthorised

    def act(work: Work) -> dict[str, int]:
        account = work.db.execute(_ACCOUNT.where(_accounts.c.login == login)).first()
        if account is None:
            raise NotFound
        ended = work.db.execute(
            update(_administrators)
            .where(
                _administrators.c.person_id == account.person_id,
                _administrators.c.ended_at.is_(None),
            )
            .values(ended_at=work.now)
        )
        if ended.rowcount != 1:
            raise NotFound
        end_sessions(work, [account.id])
        note(work, AccountAct.DISMISSED, [account.id])
        return {"account": account.id}

    execute(env, actor, "administrator.dismiss", key, {"login": login}, act)


_UNIT = select(_organisations.c.id, _organisations.c.short_name)
_ACCOUNT = select(_accounts.c.id, _accounts.c.person_id)


def _new_account(work: Work, login: str, name: str) -> Row[Any]:
    made = insert(_people).values(name=name).returning(_people.c.id)
    person_id = work.db.execute(made).scalar_one()
    values = {"login": login, "person_id": person_id, "disabled": False, "must_change": True}
    new = insert(_accounts).values(values).returning(_accounts.c.id, _accounts.c.person_id)
    try:
        account = work.db.execute(new).one()
    except IntegrityError as error:  # somebody else made it since it was looked for
        raise LoginTaken from error
    note(work, AccountAct.MADE, [account.id])
    return account


def _begin(work: Work, person_id: int, role: AdministratorRole, organisation_id: int) -> None:
    held = select(in_office(_people.c.id)).where(_people.c.id == person_id)
    if work.db.execute(held, {"p_on": work.today}).scalar():
        raise HoldsPost
    values = {"person_id": person_id, "role": role, "organisation_id": organisation_id}
    try:
        work.db.execute(insert(_administrators).values(values | {"begun_at": work.now}))
    except IntegrityError as error:
        raise TwoRoles from error
