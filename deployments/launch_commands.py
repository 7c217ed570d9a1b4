"""The command line of launches: cases of one mechanism for many organisations at once (rule H)."""

from datetime import date, datetime
from threading import Event
from typing import Annotated

import typer

from deployments.clock import now
from deployments.root import build
from deployments.settings import load
from models.organisation import Level
from policy.calendar import SHANGHAI, local_day
from services.casework.launching import open_due
from services.command import Actor
from services.env import Env
from services.errors import Invalid, KeyReused
from services.launch import (
    Progress,
    coded,
    committees,
    key_of,
    launch,
    launch_progress,
    left_out,
    usual_name,
)
from services.launch_preview import preview
from services.turns import breath

CLI = Actor(None, "cli")
AT_ONCE = 100
"""Cases that are opened between two lines about how far it is."""
_IDLE_SECONDS, _LOOKS = 0.1, 50
"""How often it is looked whether other processes have opened the rest."""


def start(
    mechanism: Annotated[str, typer.Argument(help="机制")],
    *,
    org: Annotated[list[str] | None, typer.Option(help="组织的代码（可多次）")] = None,
    under: Annotated[str, typer.Option(help="这一代码的组织及其下级的全部党组织")] = "",
    level: Annotated[Level | None, typer.Option(help="只要这一层级的")] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="先于其他事项启动")] = False,
    at: Annotated[datetime | None, typer.Option(help="到这一时刻（北京时间）再启动")] = None,
    name: Annotated[str, typer.Option(help="名称，默认为机制加当天日期；同名再运行是接着办")] = "",
    only_preview: Annotated[
        bool, typer.Option("--preview", help="只看会有多少事项、环节和人，不启动")
    ] = False,
) -> None:
    """为许多组织各启动一件事项；中断后再运行一次即接着办，每个组织只有一件。"""
    env = build(load())
    day = local_day(at.replace(tzinfo=SHANGHAI) if at else now())
    chosen = _chosen(env, org or [], under, level, day)
    if only_preview:
        _say_preview(env, mechanism, chosen)
        return
    called = name or usual_name(env, mechanism)
    try:
        launch_id = launch(
            env,
            CLI,
            key=key_of(called),
            mechanism=mechanism,
            organisations=chosen,
            urgent=chosen if urgent else (),
            due_at=at.replace(tzinfo=SHANGHAI) if at else None,
        )
    except KeyReused as error:
        raise Invalid(f"“{called}”已是另一次启动的名称，请用 --name 另取一个。") from error
    _open(env, launch_id)


def progress() -> None:
    """尚未办完的批量启动，各到哪一步。"""
    for one in launch_progress(build(load())):
        typer.echo(_told(one))


def _chosen(env: Env, codes: list[str], under: str, level: Level | None, on: date) -> list[int]:
    """The organisations that are there on the day; which are left out is said, and why."""
    chosen = coded(env, codes) if codes else []
    if under or level is not None:
        chosen += committees(env, on=on, under=under, level=level)
        for one in left_out(env, on=on, under=under, level=level):
            typer.echo(f"不包括 {one.name}：{one.why}")
    return chosen


def _say_preview(env: Env, mechanism: str, chosen: list[int]) -> None:
    seen = preview(env, CLI, mechanism, chosen)
    typer.echo(f"将启动 {seen.cases} 件事项、{seen.steps} 个环节，由 {seen.people} 人办理")
    if seen.vacant:
        typer.echo(f"其中 {seen.vacant} 个职务无人任职")
    if seen.failing:
        typer.echo(f"有 {len(seen.failing)} 个组织不能启动，编号 {seen.failing[:10]}")


def _open(env: Env, launch_id: int) -> None:
    """Until all is opened, or what is left is parked or at the hands of other processes."""
    never, said, idle = Event(), -AT_ONCE, 0
    while True:
        opened = open_due(env)
        one = launch_progress(env, launch_id)[0]
        ended = one.done or one.due_at > now() or one.opened + one.parked == one.cases
        idle = 0 if opened else idle + 1
        if ended or idle == _LOOKS or one.opened >= said + AT_ONCE:
            typer.echo(_told(one))
            said = one.opened
        if ended or idle == _LOOKS:
            return
        never.wait(breath(env.engine) if opened else _IDLE_SECONDS)


def _told(one: Progress) -> str:
    begins = one.due_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    parked = f"，{one.parked} 件未能启动，会自动再试" if one.parked else ""
    return f"{one.id}　{one.mechanism}　{begins}　已启动 {one.opened}／{one.cases} 件{parked}"
