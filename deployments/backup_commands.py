"""The command line of backups: save, bring back, and let messages go again."""

from pathlib import Path
from typing import Annotated

import typer

from deployments.backup import Part, back_up
from deployments.clock import now
from deployments.preparing import RUNNER
from deployments.restore import Report, restore
from deployments.root import build
from deployments.settings import load
from services.installation import release

SHOWN = 50
"""How many of the waiting messages are listed."""
Parts = Annotated[
    list[Part] | None, typer.Option("--only", help="只处理这一部分（可多次）；默认全部")
]


def backup(
    *,
    to: Annotated[
        Path | None, typer.Option(help="放在哪个文件夹；默认为数据文件夹的 backups")
    ] = None,
    only: Parts = None,
) -> None:
    """备份数据库、Prefect 的数据库和文件；运行中即可进行，结果是一个新文件夹。"""
    settings = load()
    typer.echo(back_up(settings, to or settings.data / "backups", now(), only or list(Part)))


def bring_back(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="备份的文件夹")],
    *,
    only: Parts = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问")] = False,
) -> None:
    """用备份替换现有数据（须先停止全部进程）。此后消息暂停外发，直到运行 release。"""
    if not yes:
        typer.confirm("现有数据将被备份替换。继续？", abort=True)
    for line in _told(restore(load(), folder, only or list(Part))):
        typer.echo(line)


def let_go(
    *,
    send: Annotated[
        bool, typer.Option("--send/--drop", help="发出暂停的消息，或不再外发（页面中仍在）")
    ],
) -> None:
    """恢复备份之后：核对完毕，继续外发消息。"""
    env = build(load())
    count = release(env, RUNNER, key=f"release-{now():%Y%m%dT%H%M%S%f}", send=send)
    typer.echo(f"{'发出' if send else '不再外发'} {count} 条，此后照常外发。")


def _told(report: Report) -> list[str]:
    made = report.manifest
    if report.standing is None:
        return [f"已恢复 {made.taken_at} 的备份。"]
    held = report.held
    return [
        f"已恢复 {made.taken_at} 的备份（第 {report.standing.epoch} 代）。",
        f"备份中最后一次办理：{made.last or '无'}。此后办理、编号和已通知的内容都不在其中：",
        "请与各单位核对，需要时重新办理；此后发出的文号可能重复。所有人需要重新登录。",
        f"暂停外发的消息 {len(held)} 条，其中有的可能在备份之后已经发出："
        if held
        else "没有等待外发的消息；在您核对之前，新的消息也只在页面中。",
        *(f"  {one.created_at:%Y-%m-%d %H:%M} UTC  {one.about}  {one.to}" for one in held[:SHOWN]),
        *([f"  另有 {len(held) - SHOWN} 条"] if len(held) > SHOWN else []),
        "核对后运行 fourduties release --send 发出，或 fourduties release --drop 不再外发。",
    ]
