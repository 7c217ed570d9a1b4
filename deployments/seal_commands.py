"""The command line of seals between installations, and of the key that seals."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from deployments.audit_commands import read
from deployments.root import build
from deployments.settings import load, secret
from services import cosigning
from services.command import Actor
from services.errors import Invalid
from services.seal_key import SigningKey
from services.seal_outbox import write_whole
from services.seal_rotation import follow

CLI = Actor(None, "cli")
_Given = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="收到的文件")]
_Made = Annotated[Path, typer.Argument(dir_okay=False, help="写入的文件")]


def cosign(
    seal: _Given,
    file: _Made,
    *,
    anew: Annotated[
        bool, typer.Option("--anew", help="不要求与上次会签相接（换算法、恢复后）")
    ] = False,
) -> None:
    """在上级机关：核对下级的封存与上次会签相接，签名并写出会签，交回下级。"""
    told = read(seal)
    done = cosigning.cosign(build(load()), CLI, told, key=_key(), anew=anew)
    write_whole(file, done.file)
    said = f"与第 {done.continues} 次相接" if done.continues else "没有可相接的会签，请另行核实密钥"
    typer.echo(f"已会签第 {told['number']} 次封存（安装 {done.origin}）：{said}。已写入 {file}。")


def take_in(file: _Given) -> None:
    """收存上级机关的会签；核对其签名，并核对所会签的封存与库中一致。"""
    number = cosigning.take_in(build(load()), CLI, read(file), key=_key())
    typer.echo(f"已收存对第 {number} 次封存的会签。")


def rotate_key() -> None:
    """更换封存密钥：由现用密钥签认新密钥。完成后请重新启动所有工作进程，并备份。"""
    settings = load()
    kept = settings.secrets / "seal-key"
    if not kept.is_file() or kept.read_text(encoding="utf-8").strip() != settings.seal_key.strip():
        raise Invalid("封存密钥由 FOURDUTIES_SEAL_KEY 给出，请去掉该设置并存入密钥文件后再更换。")
    fresh = kept.with_name("seal-key.next")  # made once: whatever ends this, the same again goes on
    successor = SigningKey(secret(fresh, lambda: secrets.token_hex(32)))
    name = follow(build(settings), CLI, successor=successor, key=f"seal-follow-{successor.id}")
    fresh.replace(kept)
    typer.echo(f"封存密钥已更换为 {name}。请重新启动所有工作进程，并作一次备份。")


def _key() -> str:
    return f"cli-{secrets.token_urlsafe(16)}"
