"""``fourduties status``: every process of this installation, and whether it is ready."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import isfinite
from pathlib import Path

from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from deployments.attending import ops_folder
from deployments.clock import now
from deployments.health import prefect_status, readiness
from deployments.ops import notes
from deployments.root import database
from deployments.settings import Settings
from deployments.supervisor import dying
from services.alarms import WATCH_LATE
from services.database import reading
from services.errors import DutiesError
from services.gauges import gauges

NEEDED = ("web", "worker")
"""What has to run, at least once each; beside the Prefect server."""
_REASONS = {
    "no_answer": "没有应答",
    "not_running": "没有运行",
    "database_away": "数据库没有应答",
    "prefect_away": "Prefect 服务没有应答",
    "watch_late": "三分钟内没有巡检",
    "watch_new": "还没有巡检过，刚启动时请过两分钟再看",
    "dying": "反复退出，重新启动的间隔已放长，请查看日志",
    "wrong_password": "不接受本系统的口令",
}


@dataclass(frozen=True, slots=True)
class State:
    """A process: ``pid`` is 0 for one elsewhere or not running. No ``reasons``: it is ready."""

    process: str
    pid: int
    port: int
    reasons: tuple[str, ...]

    @property
    def why(self) -> str:
        """Why it is not ready, for people."""
        return "；".join(_said(reason) for reason in self.reasons)


def states(settings: Settings) -> list[State]:
    """The Prefect server, our processes by name and number, and the watch (a flow of Prefect)."""
    found = [_prefect(settings), *_ours(settings), State("watch", 0, 0, tuple(_watch(settings)))]
    keep_dying = dying(settings.data / "run")
    return [
        replace(state, reasons=(*state.reasons, "dying")) if state.process in keep_dying else state
        for state in found
    ]


def _prefect(settings: Settings) -> State:
    found = prefect_status(settings.prefect_api_url, settings.prefect_auth)
    reason = "no_answer" if found is None else "wrong_password"
    reasons = () if found == HTTPStatus.OK else (reason,)
    return State("prefect", 0, settings.prefect_port, reasons)


def _ours(settings: Settings) -> Iterator[State]:
    found = notes(ops_folder(settings))
    for note in found:
        why = readiness(note.port)
        reasons = ("no_answer",) if why is None else tuple(why)
        yield State(note.process, note.pid, note.port, reasons)
    for name in NEEDED:
        if name not in {note.process for note in found}:
            yield State(name, 0, 0, ("not_running",))


def _watch(settings: Settings) -> Iterator[str]:
    """Why the watch counts as not running: by the clock of the database's only row about it."""
    url = make_url(settings.database_url)
    if url.drivername.startswith("sqlite") and not Path(url.database or "").exists():
        yield "not_running"  # to ask would make the file
        return
    engine = database(settings)
    try:
        with reading(engine) as db:
            age = gauges(db, now())["watch_age_seconds"]
        if age > WATCH_LATE.total_seconds():
            yield "watch_late" if isfinite(age) else "watch_new"
    except (SQLAlchemyError, DutiesError):
        yield "database_away"
    finally:
        engine.dispose()


def _said(reason: str) -> str:
    code, _, loop = reason.partition(":")
    return f"循环 {loop} 停滞" if code == "late" else _REASONS.get(code, code)


def as_table(found: list[State]) -> Table:
    """One row each."""
    table = Table("进程", "编号", "端口", "状态", "原因")
    for state in found:
        numbers = [str(number) if number else "" for number in (state.pid, state.port)]
        table.add_row(state.process, *numbers, "未就绪" if state.reasons else "就绪", state.why)
    return table
