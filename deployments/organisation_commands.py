"""The command line of organisations: bringing a file in, and taking an import back."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from deployments.clock import now
from deployments.root import build
from deployments.settings import load
from documents.tree import is_tree
from policy.calendar import local_day
from services.batches.page import Head, batch_head, batch_lines
from services.batches.staging import confirm, drop, stage
from services.batches.undoing import undo
from services.catalogue import translated
from services.command import Actor
from services.database import reading
from services.env import Env
from services.organisation import import_csv, preview_csv

CLI = Actor(None, "cli")
TOLD = 20
"""How many gaps are said; the rest is counted."""
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="要导入的文件")]
Number = Annotated[int, typer.Argument(help="回执号")]


def bring_in(
    file: File,
    *,
    only_preview: Annotated[bool, typer.Option("--preview", help="只看会有哪些变动")] = False,
) -> None:
    """导入组织：五张表的工作簿（见 org template），或四列 CSV（只增不改，不能撤销）。"""
    env, data = build(load()), file.read_bytes()
    if is_tree(data):
        _tree(env, data, only_preview=only_preview)
        return
    batch_id = stage(env, CLI, data=data, filename=file.name, key=_key())
    with reading(env.engine) as db:
        head = batch_head(db, None, batch_id)
    _say_counts(head)
    if only_preview:
        _say_lines(env, batch_id)
        drop(env, CLI, batch_id=batch_id, key=_key())
        return
    confirm(env, CLI, batch_id=batch_id, fingerprint=head.fingerprint, key=_key())
    with reading(env.engine) as db:
        _say_gaps(batch_head(db, None, batch_id))
    typer.echo(f"已导入，回执号 {batch_id}")


def take_back(number: Number) -> None:
    """撤销一次组织导入：全部恢复为导入之前的情况；已被使用的说明原因，不撤销。"""
    undo(build(load()), CLI, batch_id=number, key=_key())
    typer.echo(f"已撤销：回执号 {number}")


def _tree(env: Env, data: bytes, *, only_preview: bool) -> None:
    """Adds only: the new rows are the whole difference."""
    if only_preview:
        found = preview_csv(env, data)
        for row in found.new:
            above = f"，上级 {row.parent_code}" if row.parent_code else ""
            typer.echo(f"第 {row.number} 行 新增：{row.name}（{row.code}），{row.level}{above}")
        typer.echo(f"将新增 {len(found.new)} 行，已有 {found.kept} 行不变；现在没有保存")
        for code in found.renamed:
            typer.echo(f"代码 {code} 已有，名称与文件不同，不会改动")
        return
    report = import_csv(env, CLI, data, key=_key(), on=local_day(now()))
    typer.echo(
        f"新增 {report.added} 行（单位 {report.organisations} 个、职务 {report.posts} 个），"
        f"已有 {report.kept} 行"
    )
    for code in report.renamed:
        typer.echo(f"代码 {code} 已有，名称与文件不同，未改动")


def _say_counts(head: Head) -> None:
    for sheet, counts in head.counts.items():
        said = "、".join(f"{translated(f'batch.act.{act}')} {n}" for act, n in counts.items())
        typer.echo(f"{sheet}：{said}")
    for change in head.said["changes"]:
        typer.echo(change)


def _say_lines(env: Env, batch_id: int) -> None:
    after = 0
    with reading(env.engine) as db:
        while lines := batch_lines(db, None, batch_id, after=after):
            for line in lines:
                fields = "，".join(f"{name} {a or '—'} → {b or '—'}" for name, a, b in line.fields)
                act = translated(f"batch.act.{line.act}")
                typer.echo(f"{line.sheet} 第 {line.row} 行 {act}：{line.what}　{fields}")
            after = lines[-1].n


def _say_gaps(head: Head) -> None:
    if head.said["gap_count"]:
        typer.echo(f"导入后的缺位 {head.said['gap_count']} 处：")
    for gap in head.said["gaps"][:TOLD]:
        typer.echo(f"  {gap}")


def _key() -> str:
    return f"cli-{secrets.token_urlsafe(16)}"
