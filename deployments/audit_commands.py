"""The command line of the audit: whether it is what was sealed, and the seal that leaves the house.

Reading alone: it works beside everything that runs.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.root import database
from deployments.settings import load
from services.audit_trail import broken_chains
from services.cosigning import newest_cosignature, unlike_the_cosigned
from services.errors import Invalid, NotFound
from services.invariants import snapshot
from services.seal_check import against as compare
from services.seal_check import newest, unlike_the_seals
from services.seal_export import exported
from services.seal_key import SigningKey
from services.seal_outbox import leaving, write_whole
from services.violation import Violation

Receipt = Annotated[
    Path | None,
    typer.Option("--against", exists=True, dir_okay=False, help="以前送出的封存（seal-out）"),
]

Since = Annotated[
    Path | None,
    typer.Option(
        "--since", exists=True, dir_okay=False, help="以前的封存或办理凭证：附上与它相接的证明"
    ),
]


def verify(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="输出一行 JSON")] = False,
    against: Receipt = None,
) -> None:
    """核对每条审计记录、链头、封存的叶和签名，逐条指出不符之处；有不符时退出码为 1。"""
    settings = load()
    public = SigningKey(settings.seal_key).public
    told = read(against) if against else None
    with snapshot(database(settings)) as db:
        last, signed = newest(db), newest_cosignature(db)
        found = list(_checked(db, public, told))
    if as_json:
        said = [{"what": one.what, **one.ids} for one in found]
        typer.echo(
            json.dumps({"sealed": last, "cosigned": signed, "found": said}, ensure_ascii=False)
        )
    else:
        for one in found:
            typer.echo(str(one), err=True)
        upto = f"已封存至 {last['at']}（第 {last['number']} 次）" if last else "尚未封存"
        also = f"；上级会签至第 {signed['number']} 次（{signed['at']}）" if signed else ""
        typer.echo(f"{upto}{also}；不符 {len(found)} 处。")
    if found:
        raise typer.Exit(1)


def export(file: Annotated[Path, typer.Argument(dir_okay=False, help="写入的文件")]) -> None:
    """写出全部审计记录、链头和封存，供不依赖本系统的核对程序（tools/audit_verifier.py）使用。"""
    written = 0
    with snapshot(database(load())) as db, file.open("w", encoding="utf-8") as out:
        for line in exported(db):
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            written += 1
    typer.echo(f"已写入 {written} 行：{file}")


def seal_out(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="写入的文件")], *, since: Since = None
) -> None:
    """写出最近一次封存（含签名），交审计管理员或上级机关保存，供以后核对。"""
    earlier = _number(read(since)) if since else 0
    with snapshot(database(load())) as db:
        last = leaving(db, earlier)
    if last is None:
        raise NotFound("尚未封存，没有可送出的内容。")
    write_whole(file, last)
    typer.echo(f"第 {last['number']} 次封存（{last['at']}）已写入 {file}。")


def _checked(db: Any, public: str, told: dict[str, Any] | None) -> Iterator[Violation]:
    yield from broken_chains(db)
    yield from unlike_the_seals(db, public)
    yield from unlike_the_cosigned(db)
    if told is not None:
        yield from compare(db, told)


def _number(told: dict[str, Any]) -> int:
    """Which seal a file is, or which one a receipt stands under."""
    sealed = told.get("sealed")
    number = (sealed["seal"] if isinstance(sealed, dict) else told).get("number")
    if not isinstance(number, int):
        raise Invalid("文件不是封存回执，也不是已封存的办理凭证。")
    return number


def read(file: Path) -> dict[str, Any]:
    """What a file of ours outside the house holds; Invalid for any other."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Invalid("文件不是封存回执。") from error
    if not isinstance(told, dict):
        raise Invalid("文件不是封存回执。")
    return told
