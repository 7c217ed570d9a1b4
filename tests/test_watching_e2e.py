"""Prefect's automations against a real server: each is caused, and the operator is told of it.

The server itself sends, so most of it works while our worker is dead. A small HTTP server takes
what it sends.
"""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from deployments.attending import ops_folder
from deployments.automations import watched
from deployments.clock import now
from deployments.health import readiness
from deployments.ops import notes
from models.base import table
from models.casework import RunWake
from models.operating import RunEvent
from services.alarms import Alarm, Outside, look
from tests.prefect_house import AUTH, House
from tests.two_step_flows import LATE, LEFT

LATE_SECONDS = 100
"""Longer than the minute between two runs of the watch."""
LEFT_SECONDS = 45
"""Longer than the half minute after which the worker takes a crashed run up again."""


CHANGED = ("name", "tags", "trigger", "actions", "actions_on_trigger", "actions_on_resolve")
"""What Prefect's page sends when somebody changes an automation, beside what a test changes."""


class Inbox:
    """What the operator was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *given: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where Apprise's json plugin posts to."""
        return f"json://127.0.0.1:{self._server.server_address[1]}/"

    def has(self, title: str) -> list[str]:
        """The texts that came under this title."""
        return [one["message"] for one in self.told if title in one["title"]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, inbox: Inbox
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    shutil.copyfile(sqlite_template, folder / "fourduties.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOURDUTIES_OPERATOR_URL", inbox.url)
        patch.setenv("FOURDUTIES_OPS_PORT", "0")
        patch.setenv(LATE, str(LATE_SECONDS))
        patch.setenv(LEFT, str(LEFT_SECONDS))
        made = House(folder, f"sqlite:///{folder / 'fourduties.db'}")
        try:
            made.start_server()
            made.start_worker()
            made.until(lambda: len(automations(made)) == len(watched()), 60)
            yield made
        finally:
            made.stop()


def automations(house: House) -> dict[str, dict[str, Any]]:
    """All that the server has, by name."""
    answer = house.http.post("/automations/filter", json={})
    return {one["name"]: one for one in answer.json()} if answer.is_success else {}


def send(house: House, method: str, url: str, body: Any = None) -> None:
    """What somebody does in Prefect's pages, again while it is too busy (503 on SQLite)."""
    house.until(lambda: house.http.request(method, url, json=body).is_success)


def ready(house: House) -> list[str] | None:
    """Why the worker is not ready; None while it does not answer."""
    ports = [note.port for note in notes(ops_folder(house.settings))]
    return readiness(ports[0]) if ports else None


def test_the_worker_says_that_it_is_ready_and_why_it_is_not(house: House) -> None:
    house.until(lambda: ready(house) == [], 90)
    house.kill("server")
    house.until(lambda: "prefect_away" in (ready(house) or []))
    house.start_server()
    house.until(lambda: ready(house) == [], 120)


def test_the_address_is_shown_to_nobody_who_opens_the_block(house: House, inbox: Inbox) -> None:
    blocks = house.http.post("/block_documents/filter", json={}).json()
    (block,) = [one for one in blocks if one["name"] == "fourduties-operator"]
    assert inbox.url not in json.dumps(blocks)
    assert set(block["data"]["url"]) == {"*"}


def test_a_run_that_crashes_again_and_again_is_told(house: House, inbox: Inbox) -> None:
    with crashing(house) as number:
        house.until(lambda: inbox.has("运行反复中断"), 150)
        assert not inbox.has("运行意外中断"), "each time it was taken up again"
    house.until(lambda: house.effects(number)[0].state == "done", 60)


@contextmanager
def crashing(house: House) -> Iterator[str]:
    """A case whose run crashes whenever it does its effect."""
    (house.out / "exit").touch()
    try:
        number = house.open()
        house.answer(number, "draft")
        yield number
    finally:
        (house.out / "exit").unlink()


def crashed(house: House, number: str) -> int:
    """How often the run of a case has crashed; 0 while it does something else."""
    run = house.run(number)
    return int(run["run_count"]) if (run.get("state") or {}).get("type") == "CRASHED" else 0


def test_an_effect_that_fails_for_good_is_told_without_its_text(house: House, inbox: Inbox) -> None:
    (house.out / "fail").touch()
    number = house.open()
    house.answer(number, "draft")
    (said,) = house.until(lambda: inbox.has("自动事项失败"), 120)
    (house.out / "fail").unlink()
    assert "张三" not in json.dumps(inbox.told, ensure_ascii=False)
    assert number not in said


def test_an_outbox_that_grows_while_the_worker_is_dead_is_told_once_it_is_back(
    house: House, inbox: Inbox
) -> None:
    number = house.open()
    house.until(lambda: house.state(number) == ("PAUSED", "待办"))
    since = now()
    house.kill("worker")
    owed = {"case_id": house.case(number).id, "try_at": now() - timedelta(minutes=6), "attempts": 0}
    with house.env.engine.begin() as db:
        db.execute(insert(table(RunWake)), owed)
    assert Alarm.OUTBOX_GROWING in look(house.env, Outside(since))
    assert not inbox.has("待发事项积压")
    house.start_worker()
    house.until(lambda: inbox.has("待发事项积压"), 60)
    house.until(lambda: not events(house), 60)


def events(house: House) -> list[Any]:
    with house.env.engine.connect() as db:
        return list(db.execute(select(table(RunEvent))))


def test_the_logs_of_worker_and_server_are_lines_of_json_without_the_text_of_an_error(
    house: House,
) -> None:
    (house.out / "fail").touch()
    number = house.open()
    house.answer(number, "draft")
    house.until(lambda: "ValueError" in house.log("worker"), 90)
    (house.out / "fail").unlink()
    house.until(lambda: house.effects(number)[0].state == "done", 90)
    found = [json.loads(line) for line in house.log("worker").splitlines()]
    failed = [one for one in found if one["message"] == "a flow failed"]
    assert {error["class"] for one in failed for error in one["errors"]} >= {"ValueError"}
    assert all(one["process"] == "worker" and one["case"] for one in failed)
    printed = house.log("server").splitlines()
    logged = [json.loads(line) for line in printed if line.startswith("{")]
    assert {one["process"] for one in logged} <= {"prefect"}
    assert not [line for line in printed if "Traceback" in line]
    assert "张三" not in house.log("worker") + house.log("server")
    assert AUTH not in house.log("worker") + house.log("server")


def test_what_an_operator_disables_or_changes_stays(house: House, inbox: Inbox) -> None:
    before = automations(house)
    crashed = next(one for name, one in before.items() if "运行反复中断" in name)
    url = f"/automations/{crashed['id']}"
    send(house, "PATCH", url, {"enabled": False})
    given = {name: value for name, value in crashed.items() if name in CHANGED}
    changed = {**given, "enabled": False, "description": "夜间不通知"}
    send(house, "PUT", url, changed)
    growing = next(one for name, one in before.items() if "积压" in name)
    send(house, "DELETE", f"/automations/{growing['id']}")
    house.kill("worker")
    house.start_worker()
    house.until(lambda: growing["name"] in automations(house), 60)  # what was deleted is made again
    kept = automations(house)[crashed["name"]]
    assert (kept["enabled"], kept["description"]) == (False, "夜间不通知")


def test_what_nobody_takes_up_and_a_watch_that_stops_are_told_by_the_server_alone(
    house: House, inbox: Inbox
) -> None:
    ran = len(house.runs_of("watch", "COMPLETED"))
    house.until(lambda: len(house.runs_of("watch", "COMPLETED")) > ran, 120)
    before = len(inbox.has("巡检停止"))  # other tests killed servers, which may have held it up
    with crashing(house) as number:
        house.until(lambda: crashed(house, number) > 1, 90)  # the first one was taken up
        house.kill("worker")
        house.until(lambda: inbox.has("运行意外中断"), LEFT_SECONDS + 60)
        house.until(lambda: len(inbox.has("巡检停止")) > before, LATE_SECONDS + 60)
