"""``fourduties doctor``: what is missing on this machine or in this installation, and the remedy.

Each check looks and yields findings; none changes anything. A hint is worth knowing, a problem
makes the command fail.
"""

import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from deployments.attending import ops_folder
from deployments.clock import now
from deployments.health import (
    free,
    host_of,
    prefect_status,
    prefect_works,
    readiness,
    status,
)
from deployments.ops import notes
from deployments.root import SCRIPTS, database, files_of
from deployments.settings import Settings
from models.base import Instant
from policy.calendar import local_day
from services.calendar import latest
from services.casework import mechanisms
from services.database import reading
from services.editions import missing_editions
from services.file_store import FileStore
from services.invariants import violations
from services.migration import newest, revision
from services.poison import unreadable, unsendable

NODE = 20
"""The major version the front-end packages are installed with."""
PINS = {"prefect": (3, 8), "fastapi": (0, 150), "sqlalchemy": (2, 0)}
"""The newest series that the Prefect server works with: see
``docs/decisions/prefect-and-its-libraries.md``."""
_AHEAD = timedelta(minutes=5)
_VERSION = re.compile(r"\d+")


class Level(StrEnum):
    """How much a finding weighs."""

    FINE = "正常"
    HINT = "提示"
    PROBLEM = "问题"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and what to do about it (empty when all is well)."""

    level: Level
    what: str
    mend: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings, *, deep: bool = False) -> Iterator[Finding]:
    """Every finding, in the order in which things need each other."""
    checks: tuple[Check, ...] = (
        versions,
        pins,
        fonts,
        browser,
        time_zone,
        data_folder,
        ports,
        prefect_server,
        processes,
    )
    for check in checks:
        yield from check(settings)
    yield from _of_database(settings, deep)


def versions(settings: Settings) -> Iterator[Finding]:
    """Python, and Node for the front-end packages."""
    found = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info[:2] == (3, 11):
        yield Finding(Level.FINE, found)
    else:
        yield Finding(Level.PROBLEM, found, "请用 Python 3.11：make setup PYTHON=python3.11")
    node = _major(_output("node", "--version"))
    if node == NODE:
        yield Finding(Level.FINE, f"Node {node}")
    else:
        seen = f"Node {node}" if node else "没有 Node"
        yield Finding(Level.HINT, seen, f"前端组件用 Node {NODE} 安装；装好后运行 make setup")


def pins(settings: Settings) -> Iterator[Finding]:
    """Libraries newer than these let the Prefect server start, and then fail in silence."""
    for name, newest_series in PINS.items():
        version = metadata.version(name)
        series = tuple(int(part) for part in _VERSION.findall(version)[:2])
        if series <= newest_series:
            yield Finding(Level.FINE, f"{name} {version}")
        else:
            limit = ".".join(str(part) for part in newest_series)
            yield Finding(
                Level.PROBLEM,
                f"{name} {version} 高于 {limit}",
                "请按锁定的版本重新安装：make setup",
            )


def fonts(settings: Settings) -> Iterator[Finding]:
    """A server without a Chinese face prints boxes."""
    if _output("fc-list", ":lang=zh", "family"):
        yield Finding(Level.FINE, "中文字体")
    else:
        yield Finding(Level.PROBLEM, "没有中文字体", "apt-get install fontconfig fonts-noto-cjk")


def browser(settings: Settings) -> Iterator[Finding]:
    """Chromium is for the tests only."""
    if shutil.which("chromium"):
        yield Finding(Level.FINE, "chromium（测试用）")
    else:
        yield Finding(Level.HINT, "没有 chromium（只有测试需要）", "apt-get install chromium")


def time_zone(settings: Settings) -> Iterator[Finding]:
    """Deadlines are counted in Shanghai's days."""
    try:
        ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        yield Finding(Level.PROBLEM, "没有 Asia/Shanghai 的时区数据", "请重新安装：make setup")
    else:
        yield Finding(Level.FINE, "时区数据 Asia/Shanghai")


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Writable, with room, and secrets for their owner's eyes only."""
    room = shutil.disk_usage(settings.data).free // 2**20
    if room < 200:
        yield Finding(Level.PROBLEM, f"{settings.data} 只剩 {room} MB", "请清理磁盘")
    else:
        yield Finding(Level.FINE, f"数据目录 {settings.data}")
    for path in sorted(settings.secrets.glob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Finding(Level.PROBLEM, f"{path} 可被他人读取（{mode:o}）", f"chmod 600 {path}")


def ports(settings: Settings) -> Iterator[Finding]:
    """Free, or answered by our own servers."""
    url = f"{settings.local_url}/health"
    yield _port(settings.host, settings.port, "网页", "FOURDUTIES_PORT", status(url) == 200)
    if settings.own_prefect:
        ours = prefect_status(settings.prefect_api_url, settings.prefect_auth) == 200
        host = host_of(settings.prefect_api_url)
        yield _port(host, settings.prefect_port, "Prefect", "FOURDUTIES_PREFECT_API_URL", ours)


def _port(host: str, port: int, what: str, setting: str, ours: bool) -> Finding:
    if ours:
        return Finding(Level.FINE, f"{what} 正在 {host}:{port} 运行")
    if free(host, port):
        return Finding(Level.FINE, f"{what} 端口 {host}:{port} 空闲")
    return Finding(
        Level.PROBLEM,
        f"{what} 端口 {host}:{port} 被其他程序占用",
        f"停止占用它的程序，或用 {setting} 另设",
    )


def prefect_server(settings: Settings) -> Iterator[Finding]:
    """Reachable and ours. One of our own that was not started is no problem."""
    url, auth = settings.prefect_api_url, settings.prefect_auth
    found = prefect_status(url, auth)
    if found == 200 and not prefect_works(url, auth):
        what = "Prefect 服务在运行，但不能查询部署（库版本不合）"
        yield Finding(Level.PROBLEM, what, "请按锁定的版本重新安装：make setup")
    elif found == 200:
        yield Finding(Level.FINE, f"Prefect 服务 {url}")
    elif found is not None:
        yield Finding(
            Level.PROBLEM,
            f"{url} 不接受本系统的口令（{found}）",
            "那里是另一个 Prefect 服务：请核对 FOURDUTIES_PREFECT_API_URL、FOURDUTIES_PREFECT_AUTH",
        )
    elif settings.own_prefect:
        yield Finding(Level.HINT, "Prefect 服务没有运行", "用 make up 启动")
    else:
        yield Finding(
            Level.PROBLEM,
            f"{url} 没有应答",
            "请启动那里的 Prefect 服务，或核对 FOURDUTIES_PREFECT_API_URL",
        )


def processes(settings: Settings) -> Iterator[Finding]:
    """Ours that run, and whether they are ready; that none was started is no problem."""
    for note in notes(ops_folder(settings)):
        why = readiness(note.port)
        named = f"{note.process}（{note.pid}，端口 {note.port}）"
        if why == []:
            yield Finding(Level.FINE, f"{named}就绪")
        else:
            mend = "用 fourduties status 查看各进程，日志在数据目录的 logs 中"
            said = "没有应答" if why is None else "、".join(why)
            yield Finding(Level.PROBLEM, f"{named}未就绪：{said}", mend)


def _of_database(settings: Settings, deep: bool) -> Iterator[Finding]:
    url = make_url(settings.database_url)
    if url.drivername.startswith("sqlite") and not Path(url.database or "").exists():
        yield Finding(Level.HINT, "数据库尚未建立", "用 make up 或 fourduties migrate 建立")
        return
    engine = database(settings)
    try:
        yield from durable(engine)
        if revision(engine) != newest():
            yield Finding(Level.PROBLEM, "数据库结构不是当前版本", "fourduties migrate")
            return
        yield from contents(engine)
        if deep:
            yield from invariants(engine, files_of(settings))
    except SQLAlchemyError as error:
        yield Finding(
            Level.PROBLEM,
            f"数据库不能使用（{type(error).__name__}）",
            "请核对 FOURDUTIES_DATABASE_URL，并确认数据库服务已启动",
        )
    finally:
        engine.dispose()


def durable(engine: Engine) -> Iterator[Finding]:
    """What was answered must be on the disk (reliability §1)."""
    asked = _SQLITE_NEEDS if engine.dialect.name == "sqlite" else _POSTGRESQL_NEEDS
    with reading(engine) as db:
        for statement, wanted, mend in asked:
            found = str(db.exec_driver_sql(statement).scalar())
            if found != wanted:
                yield Finding(Level.PROBLEM, f"{statement} 是 {found}，应为 {wanted}", mend)
    yield Finding(Level.FINE, f"数据库 {engine.dialect.name}")


_OPENED = "请只用本系统打开数据库；重新启动后再查"
_SQLITE_NEEDS = (
    ("PRAGMA journal_mode", "wal", _OPENED),
    ("PRAGMA synchronous", "2", _OPENED),
    ("PRAGMA foreign_keys", "1", _OPENED),
)
_POSTGRESQL_NEEDS = (
    ("SHOW fsync", "on", "在 postgresql.conf 中设 fsync = on"),
    ("SHOW synchronous_commit", "on", "在 postgresql.conf 中设 synchronous_commit = on"),
    ("SHOW server_encoding", "UTF8", "请用 UTF8 编码重建数据库"),
)


def contents(engine: Engine) -> Iterator[Finding]:
    """Editions of open cases, the calendar's end, and a clock that went back."""
    with reading(engine) as db:
        missing = missing_editions(db, mechanisms())
        last = db.execute(_LAST_COMMAND).scalar()
        horizon = db.execute(_HORIZON).scalar()
    for edition in missing:
        named = f"{edition.mechanism} 第{edition.edition}版"
        what = f"{edition.cases} 件未结事项所用的流程版本不在程序中：{named}"
        yield Finding(Level.PROBLEM, what, "请安装含有这一版本的程序；在此之前程序不会启动")
    if not missing:
        yield Finding(Level.FINE, f"流程版本（程序中有 {len(SCRIPTS)} 个流程）")
    if last is not None and last > now() + _AHEAD:
        yield Finding(Level.PROBLEM, "系统时钟早于已有记录", "请校准时钟（timedatectl）后再启动")
    yield from _parked(engine)
    if horizon is not None:  # without a calendar nothing is sent
        yield from _poison(engine)
    yield from _calendar(horizon, local_day(now()))


def _parked(engine: Engine) -> Iterator[Finding]:
    """What failed three times or more and is tried again with growing pauses."""
    with reading(engine) as db:
        for what, query in _PARKED:
            if ids := list(db.execute(text(query)).scalars()):
                seen = f"{len(ids)} 个{what}多次失败，已放缓重试（{_named(ids)}）"
                yield Finding(Level.PROBLEM, seen, "请查看日志中的出错位置；排除后自动继续")


def _poison(engine: Engine) -> Iterator[Finding]:
    """Messages that nobody can be shown or sent as they are."""
    with reading(engine) as db:
        unread, unsent = unreadable(db), unsendable(db, now(), latest(db))
    if unread:
        what = f"{len(unread)} 条消息无法显示（{_named(unread)}）"
        yield Finding(
            Level.PROBLEM, what, "请安装认识这些消息模板的程序版本，并查看日志中的出错位置"
        )
    if unsent:
        what = f"{len(unsent)} 条消息一直没有发出（{_named(unsent)}）"
        yield Finding(
            Level.PROBLEM, what, "请查看日志中的出错位置和收件人的消息渠道；页面上仍可阅读"
        )


def _named(ids: Sequence[int]) -> str:
    return f"编号 {'、'.join(str(id_) for id_ in ids[:5])}"


_PARKED = (
    (
        "流程分支",
        "SELECT DISTINCT branch_id FROM wake WHERE attempts >= 3 ORDER BY branch_id",
    ),
    (
        "批量发起的单位",
        "SELECT id FROM launch_target WHERE case_id IS NULL AND attempts >= 3 ORDER BY id",
    ),
)
_LAST_COMMAND = text("SELECT max(at) AS at FROM command").columns(at=Instant)
_HORIZON = text("SELECT max(horizon) AS horizon FROM calendar_version")


def _calendar(horizon: object, today: date) -> Iterator[Finding]:
    if horizon is None:
        yield Finding(Level.HINT, "没有工作日历", "用 fourduties demo set-up 或导入组织时建立")
    elif date.fromisoformat(str(horizon)) < today:
        what = f"工作日历只到 {horizon}，其后的期限都是暂定"
        yield Finding(Level.HINT, what, "请发布下一年度的工作日历")
    else:
        yield Finding(Level.FINE, f"工作日历到 {horizon}")


def invariants(engine: Engine, files: FileStore | None = None) -> Iterator[Finding]:
    """What must always hold (reliability §2), each violation with its ids."""
    found = 0
    for violation in violations(engine, local_day(now()), files):
        found += 1
        yield Finding(
            Level.PROBLEM, str(violation), "数据与规则不符：请停止办理，保留现场并联系维护人员"
        )
    if not found:
        yield Finding(Level.FINE, "不变式 INV-2、3、4、5、6、8、10、12、17、20、23")


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _major(version: str) -> int | None:
    found = _VERSION.search(version)
    return int(found.group()) if found else None
