"""The chaos harness itself: who is killed how often, what counts as unknown, what is clean."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chaos.__main__ import LONG, SHORT, as_asked, figures
from chaos.checks.promises import requests
from chaos.clients import Clerk, Decision
from chaos.deeds import Errand
from chaos.house import DATABASE, FORGOTTEN, PREFECT, WEB, WORKER
from chaos.journal import TERMINATE, Journal, read
from chaos.killer import order
from chaos.mutants import MUTANTS
from chaos.people import People
from chaos.pulse import Pulse
from chaos.record import Record
from chaos.settling import run_faults
from chaos.trial import clean
from chaos.worklist import Waiting

WAITING = Waiting(7, 3, "review-plan", "script", ("agree", "return"), "somebody")
TOLD: dict[str, Any] = {
    "database": "sqlite",
    "kills": {WEB: 2, WORKER: 1},
    "recovery": {WEB: [0.5, 1.5], WORKER: [4.0], PREFECT: [20.0]},
    "without_prefect": [0.02, 0.3],
    "refused_without_prefect": 0,
    "in_flight": 3,
    "in_effect": 1,
    "decisions": 100,
    "lost": 0,
    "doubled": 0,
    "violations": 0,
    "unknown_settled": 5,
    "unknown_left": 0,
    "left": [],
    "not_back": [],
}


@pytest.mark.parametrize("size", [SHORT, LONG], ids=["short", "long"])
def test_each_kind_is_killed_as_often_as_wanted_and_all_of_them_at_once_as_well(size: Any) -> None:
    for kills in size.kills.values():
        strikes = order(kills, Random(1))
        assert Counter(kind for strike in strikes for kind in strike) == kills
        assert any(set(strike) == kills.keys() - {FORGOTTEN} for strike in strikes)
        assert (FORGOTTEN,) in strikes[: len(strikes) // 2]
        assert (FORGOTTEN,) not in strikes[len(strikes) // 2 :]
        assert order(kills, Random(1)) == strikes
        assert order(kills, Random(2)) != strikes


def test_both_forms_are_as_large_as_they_are_said_to_be() -> None:
    for size, kills, decisions, mutants in ((SHORT, 60, 3000, 6), (LONG, 2000, 100_000, 12)):
        by_kind: Counter[str] = Counter()
        for of_database in size.kills.values():
            by_kind.update({kind: n * size.legs for kind, n in of_database.items()})
        assert sum(by_kind.values()) >= kills
        assert min(by_kind[kind] for kind in (WEB, WORKER, PREFECT, DATABASE)) >= 10
        assert size.decisions * len(size.kills) * size.legs >= decisions
        assert len(size.mutants) == mutants
    assert len(MUTANTS) == len({mutant.name for mutant in MUTANTS})


@contextmanager
def serving(answers: list[int]) -> Iterator[tuple[int, list[str]]]:
    """A web process that gives these answers, one after the other; 0 hangs up instead."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/login":
                self._answer(303, b"")
                return
            keys.append(self.headers["Idempotency-Key"])
            status = answers.pop(0)
            if status:
                self._answer(status, b'{"decision_id": 1}')
            else:
                self.connection.close()

        def do_GET(self) -> None:
            self._answer(200, b'{"csrf": "token"}')

        def log_message(self, *given: Any) -> None:
            return

        def _answer(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Set-Cookie", "session=1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *given: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1], keys
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("answers", "decided", "unknown"),
    [
        ([200], 1, 0),
        ([0, 200], 1, 1),
        ([503, 0, 0, 200], 1, 1),
        ([401, 200], 1, 0),
        ([0, 409], 0, 1),
    ],
)
def test_a_decision_is_repeated_under_its_key_until_it_is_answered(
    answers: list[int], decided: int, unknown: int, tmp_path: Path
) -> None:
    pulse, path, tries = Pulse(), tmp_path / "journal.jsonl", len(answers)
    book = Journal(path)
    with serving(answers) as (port, keys):
        clerk = Clerk(1, port, People({"somebody": "secret"}), pulse, book)
        clerk.do(Decision(WAITING, "agree", "chaos-1-0000001"))
    book.close()
    assert keys == ["chaos-1-0000001"] * tries
    assert (pulse.decided, pulse.unknown, pulse.under_way) == (decided, unknown, 0)
    lines = list(read([path]))
    assert [line.tries for line in lines] == [n for n in range(1, tries + 1) for _ in range(2)]
    (request,) = requests(lines)
    assert (request.unknown, request.settled) == (bool(unknown), bool(unknown))


def test_what_is_no_decision_is_repeated_and_told_apart_from_one(tmp_path: Path) -> None:
    pulse, path = Pulse(), tmp_path / "journal.jsonl"
    book, ending = Journal(path), Errand(TERMINATE, "somebody", "errand-1", "/cases/3", 3)
    with serving([0, 303]) as (port, _):
        Clerk(1, port, People({"somebody": "secret"}), pulse, book).do(ending)
    book.close()
    (request,) = requests(read([path]))
    assert (request.kind, request.about, len(request.acknowledged)) == (TERMINATE, 3, 1)
    assert (pulse.decided, pulse.unknown, request.settled) == (0, 1, True)


def test_a_return_says_where_to_unless_the_step_handles_it() -> None:
    own = json.loads(Decision(WAITING, "return", "key").text(None))  # type: ignore[arg-type]
    assert (own["back_to"], bool(own["reason"])) == (None, True)
    signs = Waiting(7, 3, "sign", "script", ("agree",), "somebody")
    chosen = json.loads(Decision(signs, "return", "key").text(None))  # type: ignore[arg-type]
    assert chosen["back_to"] == "apply-closing"


def test_only_an_answer_to_what_was_asked_after_the_kill_ends_the_outage() -> None:
    pulse = Pulse()
    pulse.answered(10.0, 200)
    pulse.answered(21.0, 503)
    assert pulse.first_after(20.0) is None
    pulse.answered(22.0, 409)
    assert pulse.first_after(20.0) is not None


def test_a_case_has_one_run_that_shows_what_it_is() -> None:
    def run(number: str, id: str, state: str) -> dict[str, Any]:
        return {"parameters": {"number": number}, "id": id, "state_type": state}

    cases = {"1": ("a", "open"), "2": ("b", "ended")}
    right = [run("1", "a", "PAUSED"), run("2", "b", "COMPLETED")]
    assert run_faults(cases, right) == []
    assert run_faults(cases, right[:1])
    assert run_faults(cases, right[:1], forgotten=True) == []
    assert run_faults(cases, right[1:], forgotten=True)
    assert run_faults(cases, [*right, run("1", "c", "PAUSED")])
    assert run_faults(cases, [*right, run("9", "c", "PAUSED")])
    assert run_faults(cases, [run("1", "a", "RUNNING"), right[1]])


def test_the_figures_are_those_of_both_databases() -> None:
    line = figures([TOLD, TOLD], {"one": True, "other": False})
    assert line["kills"] == {WEB: 4, WORKER: 2}
    assert (line["decisions"], line["unknown_settled"]) == (200, 10)
    assert (line["mutants_caught"], line["mutants"], line["not_caught"]) == (1, 2, ["other"])
    assert (line["recovery_p50_s"], line["recovery_max_s"]) == (1.5, 4.0)
    assert line["recovery"][PREFECT] == {"n": 2, "p50_s": 20.0, "max_s": 20.0}
    assert line["slowest_without_prefect_s"] == 0.3


@pytest.mark.parametrize(
    "fault",
    [
        {"violations": 1},
        {"left": ["1 effects"]},
        {"not_back": ["web"]},
        {"unknown_left": 1},
        {"refused_without_prefect": 1},
    ],
)
def test_nothing_is_clean_that_has_a_fault(fault: dict[str, Any]) -> None:
    assert clean(TOLD)
    assert not clean(TOLD | fault)


@pytest.mark.parametrize("short", [{"kills": {WEB: 2}}, {"in_flight": 1}, {"decisions": 99}])
def test_less_than_was_asked_for_is_not_taken_for_it(short: dict[str, Any]) -> None:
    assert as_asked(TOLD, {WEB: 2, WORKER: 1}, 100)
    assert not as_asked(TOLD | short, {WEB: 2, WORKER: 1}, 100)


def test_what_a_long_run_has_done_is_not_done_again(tmp_path: Path) -> None:
    done: list[str] = []

    def leg(name: str) -> dict[str, str]:
        done.append(name)
        return {"found": name}

    file = tmp_path / "legs.jsonl"
    for names in (("sqlite 0",), ("sqlite 0", "sqlite 1")):
        record = Record(file)
        assert [record.once(name, partial(leg, name)) for name in names] == [
            {"found": name} for name in names
        ]
    assert done == ["sqlite 0", "sqlite 1"]
    assert len(record.commits) == 1
    file.write_text("something else\n", encoding="utf-8")
    with pytest.raises(ValueError, match="legs.jsonl"):
        Record(file)
