"""A process tells whether it lives and is ready, what it counts, and where it listens."""

import json
import logging
import re
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from deployments.attending import Attendant, Attended, late, ops_folder
from deployments.health import TAKEN_UP, crashed, readiness
from deployments.ops import LOOPBACK, Ops, notes
from deployments.settings import Settings, load
from services import calendar
from services.alarms import Alarm
from services.command import SYSTEM, Work, execute
from services.database import open_engine
from services.env import Env
from services.errors import Invalid
from services.gauges import GAUGES
from services.metrics import REGISTRY, turned
from tests.conftest import SettableClock
from tests.rectification_cast import begin
from tests.web_house import open_house
from tests.world import Clock

LABELS = {"route", "method", "status", "name", "outcome", "loop", "le"}
"""What a metric may be told apart by: words of our code, and times."""
AT = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)


def calendar_of(env: Env) -> None:
    """The house has its calendar."""

    def act(work: Work) -> dict[str, Any]:
        return {"calendar": calendar.seed(work)}

    execute(env, SYSTEM, "calendar", "calendar", {}, act)


def get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://{LOOPBACK}:{port}{path}", timeout=10, trust_env=False)


@contextmanager
def prefect(
    status: int, runs: Sequence[Any] = (), events: Sequence[Any] = ()
) -> Iterator[tuple[str, list[Any]]]:
    """Something that answers as Prefect's API does; its address, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say({"version": "3"})

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.say(runs if "flow_runs" in self.path else {"events": events})

        def say(self, what: Any) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(what).encode())

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}/api", asked
    finally:
        server.shutdown()
        server.server_close()


def settings_of(folder: Path, api: str = f"http://{LOOPBACK}:9/api") -> Settings:
    return load(None, data=folder, prefect_api_url=api, prefect_auth="a:b")


@contextmanager
def attended(env: Env, settings: Settings, **given: Any) -> Iterator[int]:
    """The port of a process that is attended."""
    made = Attendant(env, settings, Attended("test", 0, **{"loops": {}, **given}))
    try:
        yield made.start()
    finally:
        made.stop()


def test_a_process_answers_and_says_where_it_listens(env: Env, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with attended(env, settings) as port:
        assert get(port, "/health").json() == {"ok": True}
        assert get(port, "/ready").json() == {"ready": True, "reasons": []}
        assert get(port, "/anything").status_code == 404
        (note,) = notes(ops_folder(settings))
        assert (note.process, note.pid, note.port) == ("test", psutil.Process().pid, port)
        assert readiness(note.port) == []
    assert notes(ops_folder(settings)) == []
    assert readiness(port) is None


def test_a_port_that_is_taken_is_no_reason_not_to_start(tmp_path: Path) -> None:
    first = Ops("one", tmp_path, 0, list)
    taken = first.start().port
    second = Ops("two", tmp_path, taken, list)
    assert second.start().port != taken
    assert [note.process for note in notes(tmp_path)] == ["one", "two"]
    first.stop()
    second.stop()


def test_who_does_not_wait_for_an_answer_leaves_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked, gone = Event(), Event()

    def slowly() -> list[str]:
        asked.set()
        gone.wait(10)
        return ["x" * 10_000_000]

    ops = Ops("one", tmp_path, 0, slowly)
    with socket.create_connection((LOOPBACK, ops.start().port)) as impatient:
        impatient.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        impatient.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
        asked.wait(10)
    gone.set()
    assert get(note_of(tmp_path), "/health").status_code == 200
    ops.stop()
    assert "Traceback" not in capfd.readouterr().err


def note_of(folder: Path) -> int:
    """The port of the only process."""
    (note,) = notes(folder)
    return note.port


def test_the_note_of_a_process_that_died_is_cleared_away(tmp_path: Path) -> None:
    """Also when another process got its number since."""
    gone = {"process": "web", "pid": psutil.Process().pid, "port": 1, "born": 1.0}
    (tmp_path / "web-1.json").write_text(json.dumps(gone))
    (tmp_path / "web-2.json").write_text("half a no")
    assert notes(tmp_path) == []
    assert not (tmp_path / "web-1.json").exists()


def test_without_its_database_a_process_lives_and_is_not_ready(
    tmp_path: Path, clock: SettableClock
) -> None:
    engine = open_engine(f"postgresql+psycopg://nobody@{LOOPBACK}:9/none")
    with attended(Env(engine, clock), settings_of(tmp_path)) as port:
        assert get(port, "/health").status_code == 200
        answer = get(port, "/ready")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["database_away"])
        assert numbers(get(port, "/metrics").text)["fourduties_database_up"] == 0


def test_who_needs_prefect_is_not_ready_without_it(env: Env, tmp_path: Path) -> None:
    with prefect(200) as (api, _), attended(env, settings_of(tmp_path, api), prefect=True) as port:
        assert get(port, "/ready").status_code == 200
    with attended(env, settings_of(tmp_path), prefect=True) as port:
        assert get(port, "/ready").json()["reasons"] == ["prefect_away"]


def test_a_loop_that_stands_still_is_named(env: Env, tmp_path: Path) -> None:
    with attended(env, settings_of(tmp_path), loops={"never": 60.0}) as port:
        assert get(port, "/ready").json()["reasons"] == ["late:never"]
    turned("of the test")
    with attended(env, settings_of(tmp_path), loops={"of the test": 60.0}) as port:
        assert get(port, "/ready").status_code == 200


@pytest.mark.parametrize(("ago", "expected"), [(59.0, []), (60.0, []), (60.5, ["mirror"])])
def test_a_loop_is_late_once_its_last_turn_is_longer_ago_than_it_may_be(
    ago: float, expected: list[str]
) -> None:
    assert late({"mirror": 60.0}, AT, lambda loop: AT.timestamp() - ago) == expected


def numbers(exposed: str) -> dict[str, float]:
    """Each sample without labels."""
    families = text_string_to_metric_families(exposed)
    return {s.name: s.value for family in families for s in family.samples if not s.labels}


def labels(exposed: str) -> set[tuple[str, str]]:
    families = text_string_to_metric_families(exposed)
    return {pair for family in families for s in family.samples for pair in s.labels.items()}


def test_metrics_tell_what_waits_and_name_no_person_unit_or_case(
    engine: Engine, tmp_path: Path
) -> None:
    case = begin(engine, Clock())
    house = open_house(case)
    secretary = house.sign_in("secretary")
    secretary.get("/")
    secretary.get(f"/cases/{case.case_id}")
    house.stranger().get("/nothing/of/that/name")
    with attended(case.env, settings_of(tmp_path)) as port:
        exposed = get(port, "/metrics").text
    found = numbers(exposed)
    assert {f"fourduties_{name}" for name in GAUGES} <= set(found)
    assert (found["fourduties_open_cases"], found["fourduties_open_steps"]) == (1, 1)
    assert found["fourduties_watch_age_seconds"] == float("inf")
    assert found["fourduties_database_up"] == 1
    said = labels(exposed)
    assert {("route", "/cases/{case_id}"), ("route", "/"), ("route", "other")} <= said
    assert {label for label, _ in said} <= LABELS
    assert not re.search("[\u4e00-\u9fff]", exposed)
    assert "/nothing" not in exposed
    assert f"/cases/{case.case_id}" not in exposed


def count(sample: str, **of: str) -> float:
    return REGISTRY.get_sample_value(sample, of) or 0.0


def test_a_command_is_counted_by_its_name_and_what_became_of_it(env: Env) -> None:
    def refuse(work: Work) -> dict[str, Any]:
        raise Invalid

    def counted() -> list[float]:
        name = "of.the.test"
        outcomes = ("done", "invalid", "error")
        return [count("fourduties_commands_total", name=name, outcome=o) for o in outcomes]

    before = counted()
    execute(env, SYSTEM, "of.the.test", "one", {}, lambda work: {})
    with pytest.raises(Invalid):
        execute(env, SYSTEM, "of.the.test", "two", {}, refuse)
    with pytest.raises(ZeroDivisionError):
        execute(env, SYSTEM, "of.the.test", "three", {}, lambda work: {"x": 1 // 0})
    assert [after - b for after, b in zip(counted(), before, strict=True)] == [1, 1, 1]


def event(run: str, flow: str) -> dict[str, Any]:
    """A run's crash, as Prefect tells of it."""
    related = [
        {"prefect.resource.role": "work-pool", "prefect.resource.name": "fourduties"},
        {"prefect.resource.role": "flow", "prefect.resource.name": flow},
    ]
    return {"resource": {"prefect.resource.id": f"prefect.flow-run.{run}"}, "related": related}


WATCH: dict[str, Any] = {"parameters": {}}
CASE: dict[str, Any] = {"parameters": {"number": "2026-1"}}


@pytest.mark.parametrize(
    ("runs", "events", "found"),
    [
        ([], [], False),
        ([WATCH], [event(run, "watch") for run in "abc"], False),
        ([], [event("a", "watch")] * 3, False),
        ([WATCH, CASE], [], True),
        ([], [event("a", "rectification")] * 2 + [event("b", "rectification")], False),
        ([], [event("a", "rectification")] * 3, True),
    ],
)
def test_a_case_whose_run_stays_crashed_or_crashes_again_and_again_is_an_alarm_and_the_watch_never(
    runs: list[Any], events: list[Any], found: bool
) -> None:
    with prefect(200, runs, events) as (api, asked):
        assert crashed(api, "a:b", "fourduties", AT) is found
    left = asked[0]
    assert left["flow_runs"]["end_time"]["before_"] == (AT - TAKEN_UP).isoformat()
    assert left["work_pools"] == {"name": {"any_": ["fourduties"]}}
    with prefect(503, runs, events) as (api, _):
        assert crashed(api, "a:b", "fourduties", AT) is False


def test_a_program_that_keeps_dying_is_an_alarm(env: Env, tmp_path: Path) -> None:
    calendar_of(env)
    made = Attendant(env, settings_of(tmp_path), Attended("test", 0, {}))
    made.look()
    assert made.alarms() == frozenset()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "dying.json").write_text('["worker"]')
    made.look()
    assert made.alarms() == {Alarm.PROCESS_DYING}


def test_after_the_clock_was_moved_or_the_machine_slept_everything_has_its_time_again(
    env: Env, clock: SettableClock, tmp_path: Path
) -> None:
    calendar_of(env)
    made = Attendant(env, settings_of(tmp_path), Attended("test", 0, {}))
    clock.forward(timedelta(days=30))
    made.look()
    assert made.alarms() == frozenset()
    clock.forward(timedelta(minutes=4))
    made.look()
    assert {Alarm.WATCH_LATE, Alarm.PREFECT_AWAY} <= made.alarms()


def test_prefect_is_away_once_it_has_not_answered_for_two_minutes(
    env: Env, clock: SettableClock, tmp_path: Path
) -> None:
    calendar_of(env)
    made = Attendant(env, settings_of(tmp_path), Attended("test", 0, {}))
    clock.forward(timedelta(seconds=120))
    made.look()
    assert Alarm.PREFECT_AWAY not in made.alarms()
    clock.forward(timedelta(seconds=1))
    made.look()
    assert Alarm.PREFECT_AWAY in made.alarms()


def test_a_look_that_fails_is_logged_and_the_next_one_tells(
    tmp_path: Path, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(f"postgresql+psycopg://nobody@{LOOPBACK}:9/none")
    made = Attendant(Env(engine, clock), settings_of(tmp_path), Attended("test", 0, {}))
    with caplog.at_level(logging.WARNING):
        made.look()
    assert "could not be looked at" in caplog.text
