"""The doctor names what is missing and how to mend it, and changes nothing."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from socket import socket

import pytest
from sqlalchemy import Engine, bindparam, text
from typer.testing import CliRunner

from deployments import doctor
from deployments.cli import app
from deployments.clock import now
from deployments.doctor import Finding, Level, contents, durable, examine, invariants
from deployments.preparing import upgrade
from deployments.settings import Settings, load
from models.base import Instant
from services.casework import open_case
from services.env import Env
from tests import parts, world


def free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A new installation on ports that nobody uses."""
    prefect = f"http://127.0.0.1:{free_port()}/api"
    return load(None, data=tmp_path / "data", port=free_port(), prefect_api_url=prefect)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))


def problems(findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is Level.PROBLEM]


def test_a_new_installation_on_this_machine_has_no_problem_and_no_database_yet(
    settings: Settings,
) -> None:
    found = list(examine(settings, deep=True))
    assert problems(iter(found)) == []
    assert any("数据库尚未建立" in finding.what for finding in found)
    assert not (settings.data / "fourduties.db").exists()


def test_every_problem_says_how_to_mend_it(settings: Settings, nothing_installed: None) -> None:
    found = list(examine(settings))
    assert [f for f in found if f.level is not Level.FINE and not f.mend] == []


@pytest.mark.usefixtures("nothing_installed")
def test_missing_chinese_fonts_are_a_problem_and_a_missing_browser_a_hint(
    settings: Settings,
) -> None:
    assert [(f.level, f.mend) for f in doctor.fonts(settings)] == [
        (Level.PROBLEM, "apt-get install fontconfig fonts-noto-cjk")
    ]
    assert [f.level for f in doctor.browser(settings)] == [Level.HINT]


def test_a_port_that_another_program_holds_is_named(settings: Settings) -> None:
    with closing(socket()) as taken:
        taken.bind((settings.host, settings.port))
        taken.listen()
        found = problems(doctor.ports(settings))
    assert [finding.what for finding in found] == [
        f"网页 端口 127.0.0.1:{settings.port} 被其他程序占用"
    ]
    assert "FOURDUTIES_PORT" in found[0].mend


def test_a_library_newer_than_the_prefect_server_takes_is_a_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problems(doctor.pins(settings)) == []
    monkeypatch.setattr(doctor, "PINS", {"sqlalchemy": (1, 4)})
    assert "高于 1.4" in problems(doctor.pins(settings))[0].what


def test_a_secret_that_others_may_read_is_a_problem(settings: Settings) -> None:
    assert problems(doctor.data_folder(settings)) == []
    kept = settings.secrets / "prefect-auth"
    kept.chmod(0o644)
    assert problems(doctor.data_folder(settings))[0].mend == f"chmod 600 {kept}"


def test_a_prefect_server_elsewhere_that_does_not_answer_is_a_problem(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.2:{free_port()}/api"
    settings = load(None, data=tmp_path, prefect_api_url=nowhere)
    assert "没有应答" in problems(doctor.prefect_server(settings))[0].what


def test_a_database_of_an_older_schema_is_a_problem(settings: Settings) -> None:
    (settings.data / "fourduties.db").touch()
    assert [f.mend for f in problems(examine(settings))] == ["fourduties migrate"]


def test_a_database_that_does_not_answer_is_a_problem(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    settings = load(None, data=tmp_path, database_url=url, port=free_port())
    assert any("数据库不能使用" in f.what for f in problems(examine(settings)))


def test_our_own_database_keeps_what_was_answered(sqlite_engine: Engine) -> None:
    assert problems(durable(sqlite_engine)) == []


def test_a_server_that_may_lose_what_was_answered_is_a_problem(postgresql_engine: Engine) -> None:
    with postgresql_engine.connect() as db:
        asked = db.exec_driver_sql("SHOW fsync").scalar()
    said = [f.what for f in problems(durable(postgresql_engine)) if "fsync" in f.what]
    assert said == ([] if asked == "on" else ["SHOW fsync 是 off，应为 on"])


def test_a_migrated_database_has_a_calendar_and_nothing_wrong(engine: Engine) -> None:
    upgrade(engine)
    found = [*contents(engine), *invariants(engine)]
    assert problems(iter(found)) == []
    assert any("工作日历到" in finding.what for finding in found)


def test_an_open_case_whose_edition_is_missing_is_named(
    engine: Engine, clock: Callable[[], object]
) -> None:
    env = Env(engine, world.Clock(), mechanisms=parts.EDITION)
    cast = world.build(env)
    parts.OUTSIDE.posts = cast.posts
    town = cast.organisations["town"]
    cast.do(
        lambda work: {
            "case": open_case(work, mechanism=parts.NAME, organisation_id=town, number="试1")
        }
    )
    with engine.begin() as db:
        db.execute(text('UPDATE "case" SET edition = 7'))
    found = problems(contents(engine))
    assert [f.what for f in found] == [f"1 件未结事项所用的流程版本不在程序中：{parts.NAME} 第7版"]


def test_a_clock_behind_what_was_recorded_is_a_problem(engine: Engine) -> None:
    upgrade(engine)
    assert problems(contents(engine)) == []
    later = text("UPDATE command SET at = :at").bindparams(bindparam("at", type_=Instant))
    with engine.begin() as db:
        db.execute(later, {"at": now() + timedelta(days=1)})
    assert [f.what for f in problems(contents(engine))] == ["系统时钟早于已有记录"]


def test_the_command_fails_only_when_there_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOURDUTIES_PORT", str(free_port()))
    monkeypatch.setenv("FOURDUTIES_PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    fine = CliRunner().invoke(app, ["doctor", "--deep"])
    assert fine.exit_code == 0, fine.output
    monkeypatch.setenv("PATH", str(tmp_path))
    ill = CliRunner().invoke(app, ["doctor"])
    assert ill.exit_code == 1
    assert "[问题] 没有中文字体 → apt-get install" in ill.output
    assert shutil.which("fc-list") is None
