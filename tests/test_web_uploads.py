"""Large bodies are taken only from those who may send one: everybody else is answered before."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from models.account import Account
from models.base import table
from tests.evidence_scene import keeping
from tests.rectification_cast import begin
from tests.test_web_access import every_route
from tests.web_house import HERE, Browser, House, open_house
from tests.world import Clock
from web.guard import EVIDENCE, UPLOADS

PIECE, PIECES = b"x" * (1 << 16), 32


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    """The tasks of the plan are being done."""
    case = begin(engine, Clock())
    keeping(case, tmp_path / "files")
    case.plan()
    return open_house(case)


def send(browser: Browser, path: str) -> tuple[int, int]:
    """Send some files there: the answer's status, and how many bytes were taken before it."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {
        "host": HERE.partition("//")[2],
        "origin": HERE,
        "accept": "text/html",
        "cookie": cookies,
        "content-type": "multipart/form-data; boundary=b",
        "content-length": str(len(PIECE) * PIECES),
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    taken, answers = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": PIECE, "more_body": taken < PIECES}

    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start":
            answers.append((message["status"], taken * len(PIECE)))

    asyncio.run(browser.app(scope, receive, answer))
    return answers[0]


def test_nobody_sends_a_file_without_a_session(house: House) -> None:
    slot, stranger = house.slot("do-task", "office_clerk"), house.stranger()
    for path in (
        f"/steps/{slot}/evidence",
        f"/api/steps/{slot}/evidence",
        f"/steps/{slot}/tasks",
        "/import",
        "/ledgers",
        "/organisation-imports",
    ):
        assert send(stranger, path) == (401, 0), path


def test_files_are_taken_only_from_who_is_asked_while_the_step_is_open(house: House) -> None:
    slot, clerk = house.slot("do-task", "office_clerk"), house.sign_in("office_clerk")
    path = f"/steps/{slot}/evidence"
    assert send(house.sign_in("secretary"), path) == (403, 0)
    assert send(house.sign_in("outsider"), path) == (404, 0)
    assert send(clerk, f"/steps/{house.slot('do-task', 'city_head')}/evidence") == (403, 0)
    status, taken = send(clerk, path)
    assert (status, taken > 0) == (422, True)
    house.case.answer("do-task", post="office_clerk")
    assert send(clerk, path) == (409, 0)
    assert send(clerk, f"/api{path}") == (409, 0)


def test_sheets_are_taken_only_where_one_may_be_read(house: House) -> None:
    slot, clerk = house.slot("do-task", "office_clerk"), house.sign_in("office_clerk")
    assert send(clerk, f"/steps/{slot}/tasks") == (409, 0)
    for path in ("/import", "/ledgers", "/organisation-imports"):
        assert send(house.sign_in("city_head"), path) == (403, 0), path


def test_a_task_sheet_is_taken_only_from_who_makes_the_plan(engine: Engine) -> None:
    house = open_house(begin(engine, Clock()))
    house.case.answer("assign-roles")
    path = f"/steps/{house.slot('draft-plan')}/tasks"
    assert send(house.sign_in("secretary"), path) == (403, 0)
    assert send(house.sign_in("outsider"), path) == (404, 0)
    assert send(house.sign_in("outsider"), "/steps/987654/tasks") == (404, 0)
    status, taken = send(house.sign_in("clerk"), path)
    assert (status, taken > 0) == (422, True)
    house.case.answer("draft-plan")
    assert send(house.sign_in("clerk"), path) == (409, 0)


def test_who_must_change_the_password_sends_nothing_before(house: House) -> None:
    slot, clerk = house.slot("do-task", "office_clerk"), house.sign_in("office_clerk")
    accounts = table(Account)
    with house.case.env.engine.begin() as db:
        db.execute(update(accounts).values(must_change=True))
    assert send(clerk, f"/steps/{slot}/evidence") == (403, 0)


def test_every_route_that_takes_files_is_asked_at_the_door_and_may_carry_them() -> None:
    takes = {r.path: r for r in every_route() if "ask.file" in inspect.getsource(r.endpoint)}
    assert len(takes) >= 4
    for path, route in takes.items():
        real = path.replace("{slot_id}", "1")
        assert UPLOADS.fullmatch(real) or EVIDENCE.fullmatch(real), path
        assert route.dependencies, path
