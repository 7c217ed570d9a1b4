"""What an operator sees of the processes: the command, the doctor, and the head of their pages."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine, update
from typer.testing import CliRunner

from deployments.attending import ops_folder
from deployments.cli import app
from deployments.clock import now
from deployments.doctor import Level, processes
from deployments.ops import Ops
from deployments.settings import Settings, load
from deployments.status import as_table, states
from models.base import table
from models.operating import Installation
from services.alarms import Alarm
from services.catalogue import translated
from services.database import open_engine
from services.env import Env
from tests.conftest import SettableClock
from tests.rectification_cast import begin
from tests.test_attending import prefect
from tests.web_house import Browser, open_house
from tests.world import Clock
from web.app import create_app


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation of which nothing runs."""
    monkeypatch.chdir(tmp_path)
    given = {
        "FOURDUTIES_DATA": str(tmp_path / "data"),
        "FOURDUTIES_PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return load()


@contextmanager
def running(settings: Settings, process: str, *reasons: str) -> Iterator[None]:
    """A process that says so of itself."""
    ops = Ops(process, ops_folder(settings), 0, lambda: list(reasons))
    ops.start()
    try:
        yield
    finally:
        ops.stop()


def test_where_nothing_runs_that_is_said_and_the_exit_code_is_1(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 1
    assert done.output.count("没有运行") == 3
    assert not (settings.data / "fourduties.db").exists()
    assert done.output.count("没有应答") == 1


def test_all_processes_are_listed_with_what_keeps_them_from_being_ready(
    settings: Settings,
) -> None:
    with prefect(200) as (api, _):
        up = settings.model_copy(update={"prefect_api_url": api})
        with running(up, "web"), running(up, "worker", "database_away", "late:mirror"):
            found = states(up)
            assert [(s.process, s.reasons) for s in found] == [
                ("prefect", ()),
                ("web", ()),
                ("worker", ("database_away", "late:mirror")),
                ("watch", ("not_running",)),
            ]
            assert found[1].pid == os.getpid()
            console = Console(width=120, record=True)
            console.print(as_table(found))
            assert "数据库没有应答；循环 mirror 停滞" in console.export_text()
            levels = [(f.level, "late:mirror" in f.what) for f in processes(up)]
            assert levels == [(Level.FINE, False), (Level.PROBLEM, True)]
    assert list(processes(settings)) == []


@pytest.mark.parametrize(
    ("ago", "why"), [(None, ("watch_new",)), (170, ()), (190, ("watch_late",))]
)
def test_the_watch_runs_if_it_has_looked_within_three_minutes(
    settings: Settings, database_url: str, ago: int | None, why: tuple[str, ...]
) -> None:
    engine = open_engine(database_url)
    seen = now() - timedelta(seconds=ago) if ago is not None else None
    with engine.begin() as db:
        db.execute(update(table(Installation)).values(looked_at=seen))
    engine.dispose()
    found = states(settings.model_copy(update={"database_url": database_url}))
    assert (found[-1].process, found[-1].reasons) == ("watch", why)


def test_a_prefect_server_of_somebody_else_is_not_ours(settings: Settings) -> None:
    with prefect(401) as (api, _):
        found = states(settings.model_copy(update={"prefect_api_url": api}))
    assert found[0].reasons == ("wrong_password",)


def test_operators_see_what_is_wrong_on_every_page_and_nobody_else_does(engine: Engine) -> None:
    wrong = {Alarm.WATCH_LATE, Alarm.PREFECT_AWAY}
    case = begin(engine, Clock())
    house = open_house(case, alarms=lambda: wrong)
    operator, secretary = house.sign_in("operator"), house.sign_in("secretary")
    for page in ("/", "/messages", "/cases"):
        shown = operator.get(page).text
        assert translated("alarm.watch_late") in shown
        assert translated("alarm.prefect_away") in shown
        assert translated("house alarms") not in secretary.get(page).text
    assert translated("house alarms") not in house.stranger().get("/login").text
    wrong.clear()
    assert translated("house alarms") not in operator.get("/").text


def test_whoever_is_named_as_operator_sees_it_too(engine: Engine) -> None:
    case = begin(engine, Clock())
    case.world.env = replace(case.world.env, operator=case.world.people["secretary"])
    house = open_house(case, alarms=lambda: {Alarm.RUN_CRASHED})
    assert translated("alarm.run_crashed") in house.sign_in("secretary").get("/").text


def test_the_public_readiness_tells_a_code_and_no_more(
    env: Env, clock: SettableClock, tmp_path: Path
) -> None:
    answer = Browser(create_app(env)).get("/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["no_calendar"])
    away = open_engine(f"sqlite:///{tmp_path / 'no' / 'folder' / 'x.db'}")
    answer = Browser(create_app(Env(away, clock))).get("/ready")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "reasons": ["database_away"]},
    )
