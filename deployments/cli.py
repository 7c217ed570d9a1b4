"""The command line, ``fourduties``: each command hands over to a service or becomes a process.

Errors that a person can mend are said in their words, with exit code 1 and no traceback. Nothing
here imports Prefect: its processes are started with their own environment.
"""

import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup

from deployments import (
    account_commands,
    audit_commands,
    backup_commands,
    generate_commands,
    launch_commands,
    ledger_commands,
    organisation_commands,
    prefect_commands,
    seal_commands,
    template_commands,
)
from deployments import doctor as examination
from deployments.clock import now
from deployments.demo import set_up_demo
from deployments.demo_run import demo_run
from deployments.doctor import Level
from deployments.ledger_commands import SURE
from deployments.preparing import log_ins, upgrade
from deployments.root import build, database
from deployments.runner import up as run_everything
from deployments.settings import load
from deployments.status import as_table, states
from policy.calendar import local_day
from services.command import Actor
from services.errors import DutiesError
from services.faulty import Faulty
from services.migration import newest
from services.problem_import import import_feedback

CLI = Actor(None, "cli")
"""Whoever may run commands on the server acts as the system; the audit says by which way."""


class Polite(TyperGroup):
    """Says errors of services as a person reads them."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Faulty as error:
            for fault in error.faults:
                typer.echo(str(fault), err=True)
            said = "请核对；可以保存的，加 --confirmed 再导入" if error.asks else "文件有误"
            _fail(f"{said}，共 {len(error.faults)} 处，没有保存任何内容。", error)
        except DutiesError as error:
            _fail(error.message, error)
        except OperationalError as error:
            _fail("数据库不能使用，请用 fourduties doctor 查看原因。", error)
        except OSError as error:
            if error.filename is None:  # not about a file: nothing a setting would mend
                raise
            said = f"不能读写 {error.filename}（{error.strerror}）。"
            _fail(f"{said}数据文件夹可用 FOURDUTIES_DATA 另行指定。", error)


def _fail(message: str, error: Exception) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1) from error


def _group(help_: str) -> typer.Typer:
    return typer.Typer(
        cls=Polite,
        help=help_,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


app = _group("四责协同：全面从严治党责任的周期、待办与升级。")
organisations = _group("组织架构。")
problems = _group("问题与整改任务。")
ledgers = _group("存量整改台账。")
accounts = _group("账号。")
audit = _group("审计记录：核对、封存。")
demo = _group("演示：滨河区（虚构）。")
app.add_typer(organisations, name="org")
app.add_typer(problems, name="problem")
app.add_typer(ledgers, name="ledger")
app.add_typer(accounts, name="account")
app.add_typer(demo, name="demo")
app.add_typer(audit, name="audit")
app.command("backup")(backup_commands.backup)
app.command("restore")(backup_commands.bring_back)
app.command("release")(backup_commands.let_go)
app.command("launch")(launch_commands.start)
app.command("launches")(launch_commands.progress)
organisations.command("template")(template_commands.organisations)
organisations.command("generate")(generate_commands.organisations)
organisations.command("import")(organisation_commands.bring_in)
organisations.command("undo")(organisation_commands.take_back)
problems.command("template")(template_commands.problems)
ledgers.command("import")(ledger_commands.bring_in)
ledgers.command("template")(template_commands.ledgers)
accounts.command("password")(account_commands.password)
accounts.command("make")(account_commands.make)
accounts.command("appoint")(account_commands.appoint)
accounts.command("dismiss")(account_commands.dismiss)
audit.command("verify")(audit_commands.verify)
audit.command("export")(audit_commands.export)
audit.command("seal-out")(audit_commands.seal_out)
audit.command("cosign")(seal_commands.cosign)
audit.command("take-in")(seal_commands.take_in)
audit.command("rotate-key")(seal_commands.rotate_key)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="要导入的文件")]


@app.command()
def up() -> None:
    """启动全部：数据库、演示、Prefect 服务、工作进程（含巡检）、网页。Ctrl-C 停止。"""
    run_everything(load(), typer.echo)


@app.command()
def web() -> None:
    """只启动网页进程。"""
    _become("deployments.serving")


@app.command()
def worker() -> None:
    """只启动工作进程（需要已有 Prefect 服务）。"""
    prefect_commands.run_worker(load())


@app.command()
def stock_worker() -> None:
    """只启动 Prefect 自带的进程式工作进程（FOURDUTIES_WORKER=process 时，与 worker 一起运行）。"""
    prefect_commands.run_stock_worker(load())


@app.command()
def register() -> None:
    """在 Prefect 中登记工作池、部署和时间表。"""
    prefect_commands.register(load())


@app.command()
def migrate() -> None:
    """把数据库升级到当前程序的结构。"""
    upgrade(database(load()))
    typer.echo(f"数据库结构：{newest()}")


@app.command()
def doctor(
    *, deep: Annotated[bool, typer.Option("--deep", help="并核对全部数据的不变式")] = False
) -> None:
    """查看缺什么（端口、数据库、字体、Prefect……），以及怎么补。有问题时退出码为 1。"""
    problems_found = 0
    for finding in examination.examine(load(), deep=deep):
        problems_found += finding.level is Level.PROBLEM
        mend = f" → {finding.mend}" if finding.mend else ""
        typer.echo(f"[{finding.level}] {finding.what}{mend}")
    if problems_found:
        raise typer.Exit(1)


@app.command()
def status() -> None:
    """列出各进程（Prefect 服务、网页、工作进程）是否就绪、为什么。有未就绪的时退出码为 1。"""
    found = states(load())
    Console().print(as_table(found))
    if any(state.reasons for state in found):
        raise typer.Exit(1)


@problems.command("import")
def import_problems(
    file: File,
    *,
    org: Annotated[str, typer.Option(help="被巡察单位的代码")],
    batch: Annotated[str, typer.Option(help="批次，默认为当年")] = "",
    confirmed: Annotated[bool, typer.Option("--confirmed", help=SURE)] = False,
) -> None:
    """导入巡察反馈：问题、具体表现、整改任务，并启动整改。全部成功，或全部不做。"""
    made = import_feedback(
        build(load()),
        replace(CLI, confirmed=confirmed),
        organisation=org,
        data=file.read_bytes(),
        filename=file.name,
        key=_key(),
        batch=batch,
    )
    typer.echo(
        f"{made.number}：问题 {made.problems} 个、具体表现 {made.manifestations} 条、"
        f"整改任务 {made.tasks} 项"
    )


@demo.command("set-up")
def demo_set_up() -> None:
    """建立演示区 滨河区，并为演示账号生成密码（已有的保持不变）。"""
    settings = load()
    upgrade(database(settings))
    env = build(settings)
    report = set_up_demo(env, CLI, local_day(now()))
    typer.echo(f"{report.district}：新增单位 {report.imported.organisations} 个")
    for login in log_ins(settings, env):
        typer.echo(f"{login.login}  {login.password}  {login.post}")


@demo.command("run")
def demo_play(*, seed: Annotated[int, typer.Option(help="同一个数字，同样的输出")] = 1) -> None:
    """在虚拟时钟上演一遍整改：每个事件一行，末尾合计；有问题没有了结时退出码为 1。"""
    raise typer.Exit(demo_run(seed, sys.stdout))


def _key() -> str:
    return f"cli-{secrets.token_urlsafe(16)}"


def _become(module: str) -> None:
    os.execve(sys.executable, (sys.executable, "-m", module), dict(os.environ))
