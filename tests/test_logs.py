"""What processes log: lines of JSON that say which request, command and case, and no text (19)."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from structlog.contextvars import clear_contextvars

from deployments.logs import JsonLines, configure, raw_line
from models.base import table
from models.casework import Branch
from services.casework.branch import lock_branch
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from tests.rectification_cast import begin
from tests.two_step_world import town
from tests.web_house import open_house
from tests.world import Clock

CANARY = "举报张三丰收受贿赂"


@contextmanager
def heard() -> Iterator[list[dict[str, Any]]]:
    """What a process with our log would have written meanwhile."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines("web"))
    logging.getLogger().addHandler(handler)
    lines: list[dict[str, Any]] = []
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)
        lines += [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_says_when_what_and_where_and_no_text_of_an_error() -> None:
    with heard() as lines:
        try:
            try:
                raise KeyError(CANARY)
            except KeyError as error:
                raise ValueError(f"because of {CANARY}") from error
        except ValueError:
            logging.getLogger("services.x").exception("branch %s failed", 7)
    (line,) = lines
    assert (line["level"], line["logger"]) == ("error", "services.x")
    assert (line["message"], line["process"]) == ("branch 7 failed", "web")
    assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert [error["class"] for error in line["errors"]] == ["ValueError", "KeyError"]
    assert "test_a_line_says_when" in line["errors"][0]["where"][-1]
    assert CANARY not in json.dumps(lines, ensure_ascii=False)


def test_of_what_other_libraries_say_only_the_first_line_is_kept() -> None:
    with heard() as lines:
        logging.getLogger("asyncio").error("Task exception\nfuture: ValueError('%s')", CANARY)
        logging.getLogger("web.guard").error("two\nlines")
    assert [line["message"] for line in lines] == ["Task exception", "two\nlines"]


def test_an_error_of_the_database_is_told_by_its_code(env: Env) -> None:
    with heard() as lines:
        try:
            with env.engine.begin() as db:
                db.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": CANARY})
        except Exception:
            logging.getLogger("services.x").exception("failed")
    codes = {error.get("code") for error in lines[0]["errors"]}
    assert codes & {"42P01", "SQLITE_ERROR"}
    assert CANARY not in json.dumps(lines, ensure_ascii=False)


def test_what_a_command_logs_says_which_command_whose_and_about_which_case(env: Env) -> None:
    here = town(env)
    case_id, env = here.open(), here.env
    with reading(env.engine) as db:
        branch_id = db.execute(select(table(Branch).c.id)).scalar_one()

    def act(work: Work) -> dict[str, Any]:
        lock_branch(work, branch_id)
        logging.getLogger("services.x").warning("inside")
        return {"id": work.command_id}

    clear_contextvars()  # of tests that lock a branch outside a command
    with heard() as lines:
        done = execute(env, Actor(None, "test"), "a.command", "key-1", {"text": CANARY}, act)
        logging.getLogger("services.x").warning("after")
    inside, after = lines
    assert (inside["command"], inside["command_id"]) == ("a.command", done["id"])
    assert (inside["case_id"], inside["branch"]) == (case_id, branch_id)
    assert not {"command", "command_id", "actor", "case_id", "branch"} & set(after)


def test_a_request_that_breaks_is_found_by_the_number_that_was_shown(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = open_house(begin(engine, Clock()))
    secretary = house.sign_in("secretary")

    def broken(*given: Any) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("web.routes.cases.Cases", broken)
    with heard() as lines:
        page = secretary.get("/cases")
    assert page.status_code == 500
    number = page.headers["X-Request-Id"]
    assert number in page.text
    (line,) = [line for line in lines if line["level"] == "error"]
    assert line["request"] == number
    assert CANARY not in page.text + json.dumps(lines, ensure_ascii=False)


def test_what_a_process_prints_beside_its_log_becomes_a_line_of_its_own() -> None:
    at = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
    made = json.loads(raw_line("Starting…", at=at, process="prefect", pid=4))
    assert made["time"] == "2026-11-30T01:00:00.000+00:00"
    assert (made["process"], made["pid"], made["message"]) == ("prefect", 4, "Starting…")
    assert raw_line('{"time": 1}', at=at, process="web", pid=5) == '{"time": 1}'


def test_what_nobody_caught_is_logged_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    kept, level, hook = root.handlers[:], root.level, sys.excepthook
    root.handlers.clear()
    monkeypatch.setattr("threading.excepthook", None)
    try:
        configure("worker")
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            sys.excepthook(ValueError, error, error.__traceback__)
    finally:
        root.handlers[:], sys.excepthook = kept, hook
        root.setLevel(level)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["process"]) == ("critical", "worker")
    assert line["errors"][0]["class"] == "ValueError"
    assert CANARY not in json.dumps(line, ensure_ascii=False)
