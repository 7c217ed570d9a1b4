"""The command line of accounts: for whoever runs the server, who is none of the administrators."""

import secrets
from collections.abc import Iterable
from typing import Annotated

import typer

from deployments.root import build
from deployments.settings import load
from policy.administration import AdministratorRole
from services.account_care import account_of, reset_password
from services.account_making import Slip, make_accounts
from services.administration import appoint_administrator, dismiss_administrator
from services.command import Actor
from services.database import reading
from services.errors import NotFound
from services.organisation import organisation_id

CLI = Actor(None, "cli")
Login = Annotated[str, typer.Argument(help="用户名")]
Unit = Annotated[str, typer.Argument(help="单位的代码")]
Role = Annotated[
    AdministratorRole,
    typer.Argument(help="system 系统管理员、security 安全管理员、audit 审计管理员"),
]


def password(login: Login) -> None:
    """为账号生成首次密码并显示一次；下次登录须修改，已登录的会话随之结束。"""
    env = build(load())
    with reading(env.engine) as db:
        account_id = account_of(db, login)
    _say([reset_password(env, CLI, account_id=account_id, key=_key())])


def make(org: Unit) -> None:
    """为单位及其下级没有账号的任职人员建立账号，逐行显示用户名、首次密码（只此一次）和职务。"""
    env = build(load())
    with reading(env.engine) as db:
        unit_id = organisation_id(db, org)
    if unit_id is None:
        raise NotFound
    while slips := make_accounts(env, CLI, unit_id=unit_id, key=_key()):
        _say(slips)


def appoint(
    role: Role, org: Unit, *, login: Annotated[str, typer.Option(help="用户名")] = ""
) -> None:
    """任命一名管理员（三员之一），显示其首次密码一次；管理员不得有任职，也不得兼任。"""
    env = build(load())
    given = appoint_administrator(env, CLI, role=role, organisation=org, login=login, key=_key())
    password(given)


def dismiss(login: Login) -> None:
    """免去一名管理员；其会话随之结束。"""
    dismiss_administrator(build(load()), CLI, login=login, key=_key())


def _say(slips: Iterable[Slip]) -> None:
    for slip in slips:
        typer.echo(f"{slip.login} / {slip.password} / {slip.post}")


def _key() -> str:
    return f"cli-{secrets.token_urlsafe(16)}"
