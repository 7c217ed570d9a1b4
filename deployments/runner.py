"""``fourduties up`` (``make up``): brings everything up, keeps it up, and ends it again."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from types import FrameType
from typing import Any

from deployments.attending import ops_folder
from deployments.demo import TOWN, DemoLogin
from deployments.health import free, host_of, prefect_status, readiness, status
from deployments.ops import notes
from deployments.prefect_commands import (
    Command,
    server_command,
    stock_worker_command,
    worker_command,
)
from deployments.preparing import prepare
from deployments.settings import Settings
from deployments.supervisor import AlreadyRunning, Program, Supervisor, only_one
from services.errors import DutiesError

Say = Callable[[str], None]
_WITH_SPARE = frozenset({"deployments.serving", "deployments.worker_process"})
"""Modules of ours whose next process has imported everything already when it is needed."""
FIRST_ASKED = f"{TOWN}.secretary"
"""Who is asked first once a feedback was imported."""


class PortTaken(DutiesError):
    """端口已被其他程序占用。"""

    status = 503
    code = "port_taken"


class UpAlready(DutiesError):
    """这个数据目录已有 fourduties up 在运行：请先停止它，或用 FOURDUTIES_DATA 另设目录。"""

    status = 503
    code = "up_already"


def up(settings: Settings, say: Say) -> None:
    """Run Prefect server, worker (with the watch) and web until Ctrl-C or SIGTERM.

    The first time it also makes database, demo and log-ins; later it finds them. Errors:
    :class:`PortTaken`, :class:`UpAlready`, and what :func:`deployments.root.build` refuses.
    """
    try:
        with only_one(settings.data / "run"):
            require_ports(settings)
            logins = prepare(settings, say)
            supervisor = Supervisor(
                programs(settings),
                run=settings.data / "run",
                logs=settings.logs,
                say=say,
                steady=settings.steady_seconds,
            )
            with stopped_by_signals(supervisor):
                supervisor.run(lambda: say(welcome(settings, logins)))
    except AlreadyRunning as error:
        raise UpAlready from error


def require_ports(settings: Settings) -> None:
    """:class:`PortTaken` names the port, whose it would be, and the setting that changes it."""
    wanted = [(settings.host, settings.port, "网页服务", "FOURDUTIES_PORT=其他端口")]
    if settings.own_prefect:
        host, port = host_of(settings.prefect_api_url), settings.prefect_port
        setting = f"FOURDUTIES_PREFECT_API_URL=http://{host}:其他端口/api"
        wanted.append((host, port, "Prefect 服务", setting))
    for host, port, what, setting in wanted:
        if not free(host, port):
            raise PortTaken(
                f"端口 {port}（{what}，{host}）已被其他程序占用。请停止那个程序，或设置 {setting}。"
                f" | Port {port} is taken: stop what uses it, or set {setting.split('=')[0]}."
            )


def programs(settings: Settings) -> list[Program]:
    """What is kept running. A Prefect server elsewhere is used, not started."""
    own = settings.own_prefect
    web = Command((sys.executable, "-m", "deployments.serving"), {})
    found = [
        _program(settings, "web", web, lambda pid: _ready(settings, pid) and _serves(settings)),
        _program(
            settings,
            "worker",
            worker_command(settings),
            lambda pid: _ready(settings, pid),
            after="prefect" if own else "",  # else it finds nobody there and tries ever more rarely
        ),
    ]
    if settings.worker == "process":
        stock = stock_worker_command(settings)
        found.append(_program(settings, "stock-worker", stock, lambda pid: True, after="worker"))
    if own:
        server = server_command(settings)
        found.insert(0, _program(settings, "prefect", server, lambda pid: _schedules(settings)))
    return found


def _serves(settings: Settings) -> bool:
    return status(f"{settings.local_url}/health") == HTTPStatus.OK


def _ready(settings: Settings, pid: int) -> bool:
    """Whether the process that noted its port under this number says that it is ready."""
    ports = [note.port for note in notes(ops_folder(settings)) if note.pid == pid]
    return any(readiness(port) == [] for port in ports)


def _schedules(settings: Settings) -> bool:
    return prefect_status(settings.prefect_api_url, settings.prefect_auth) == HTTPStatus.OK


def _program(
    settings: Settings,
    name: str,
    command: Command,
    ready: Callable[[int], bool],
    *,
    after: str = "",
) -> Program:
    env = {**settings.exported(), **command.env}
    spare = command.argv[-1] in _WITH_SPARE
    argv = (*command.argv[:-1], "deployments.spare", command.argv[-1]) if spare else command.argv
    return Program(name, argv, env, ready, after, spare)


@contextmanager
def stopped_by_signals(supervisor: Supervisor) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal stop the supervisor; a second one does not wait."""

    def stop(number: int, frame: FrameType | None) -> None:
        supervisor.stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before: list[Any] = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def welcome(settings: Settings, logins: list[DemoLogin]) -> str:
    """Addresses, log-ins by post, and what to do first; Chinese, then English."""
    user, _, password = settings.prefect_auth.partition(":")
    lines = [
        "",
        "四责协同已启动 | fourduties is up",
        f"  网页 web          {settings.base_url}",
        f"  流程 Prefect UI   {settings.prefect_ui_url}    {user}:{password}",
        f"  日志 logs         {settings.logs}",
        *_log_ins(logins),
        f"停止 | stop: Ctrl-C（数据保留在 | data stay in {settings.data}）",
    ]
    return "\n".join(lines)


def _log_ins(logins: list[DemoLogin]) -> Iterator[str]:
    if not logins:
        return
    yield "演示登录（用户名、密码、职务）| demo log-ins (user, password, post)"
    widest = max(len(login.login) for login in logins)
    for login in logins:
        yield f"  {login.login:{widest}}  {login.password}  {login.post}"
    first, second = logins[0], next(login for login in logins if login.login == FIRST_ASKED)
    yield (
        f"先做什么：1. 用 {first.login} 登录，点“导入”，选梧桐路街道，上传"
        f" deployments/demo/feedback.xlsx。2. 用 {second.login}（{second.post}）登录，在“待办”中"
        "点题领题。3. 此后每一步都有下一个职务的待办；在 Prefect 页面看它在等谁。"
    )
    yield (
        f"First: 1. log in as {first.login}, open 导入 (import), choose 梧桐路街道, upload"
        f" deployments/demo/feedback.xlsx. 2. log in as {second.login}, decide what waits in 待办"
        " (my work). 3. every decision opens the next step; the Prefect UI shows who is asked."
    )
