"""The command line of running work that is taken over (存量台账)."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from deployments.root import build
from deployments.settings import load
from services.command import Actor
from services.database import reading
from services.ledger import confirm_ledger, drop_ledger, ledger_page, stage_ledger

CLI = Actor(None, "cli")
SURE = "已核对：提示需要核对的内容可以保存"
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="要导入的文件")]


def bring_in(
    file: File,
    *,
    org: Annotated[str, typer.Option(help="被巡察单位的代码")],
    batch: Annotated[str, typer.Option(help="批次，默认为“存量”")] = "",
    confirmed: Annotated[bool, typer.Option("--confirmed", help=SURE)] = False,
    only_preview: Annotated[bool, typer.Option("--preview", help="只看会成为什么")] = False,
) -> None:
    """导入存量整改台账，从目前的环节接着办。全部成功，或全部不做。"""
    env, actor = build(load()), replace(CLI, confirmed=confirmed)
    data, key = file.read_bytes(), _key()
    ledger_id = stage_ledger(
        env, actor, organisation=org, data=data, filename=file.name, key=key, batch=batch
    )
    with reading(env.engine) as db:
        staged = ledger_page(db, CLI, ledger_id)
    counts = staged.said["counts"]
    typer.echo(
        f"问题 {counts['problems']} 个（未启动 {counts['not_begun']}、整改中 {counts['going_on']}、"
        f"已申请销号 {counts['applied']}、已销号 {counts['closed']}）；"
        f"未完成任务 {counts['left']}/{counts['tasks']} 项，其中逾期 {counts['late']} 项"
    )
    for change in staged.said["changes"]:
        typer.echo(change)
    if only_preview:
        drop_ledger(env, CLI, ledger_id=ledger_id, key=_key())
        return
    confirm_ledger(env, CLI, ledger_id=ledger_id, fingerprint=staged.fingerprint, key=_key())
    with reading(env.engine) as db:
        typer.echo(f"已导入：{ledger_page(db, CLI, ledger_id).number}")


def _key() -> str:
    return f"cli-{secrets.token_hex(16)}"
