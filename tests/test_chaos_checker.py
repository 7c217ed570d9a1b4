"""The chaos checker: quiet about a house that was lived in, and loud about all that is planted."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data, lists, sampled_from
from sqlalchemy import NullPool, create_engine, text

from chaos.checker import check, findings, under_way
from chaos.checks.findings import Findings, Kind
from chaos.checks.promises import requests
from chaos.journal import Line, read
from services.database import open_engine
from tests import chaos_plants, chaos_plants_course
from tests.chaos_history import live, seen_by
from tests.forging import disarm
from tests.house import ROOT, dotted, imports
from tests.lived_database import database
from tests.planting import Plant, Told, told
from tests.test_rectification_random import CHOICE, choose, new_case

MODULES = [
    ROOT / "chaos" / "checker.py",
    ROOT / "chaos" / "journal.py",
    *sorted((ROOT / "chaos" / "checks").glob("*.py")),
]
PLANTS: tuple[Plant, ...] = (
    *chaos_plants.PROMISES,
    *chaos_plants.STATES,
    *chaos_plants.CHAINS,
    *chaos_plants.ACTS,
    *chaos_plants_course.RUNGS,
    *chaos_plants_course.MESSAGES,
    *chaos_plants_course.EFFECTS,
    *chaos_plants_course.COURSES,
)


@dataclass
class Lived:
    """A house at rest; every test leaves its rows as they were."""

    url: str
    journal: Path
    looked_at: datetime

    def found(self, plant: Plant) -> Findings:
        """What the checker says once the violation was planted, by who holds the disk."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as db:
            disarm(db)
            with db.begin() as change:
                for act in plant.acts:
                    act(db) if callable(act) else db.execute(text(act))
                told = [*read([self.journal]), *(line(values) for values in plant.lines)]
                found = findings(seen_by(db), requests(told), self.looked_at)
                change.rollback()
        return found

    def ids(self, table: str, where: str) -> list[int]:
        """The rows of a table for which a condition holds."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as db:
            return list(db.execute(text(f"SELECT id FROM {table} WHERE {where}")).scalars())


def line(values: Told) -> Line:
    about: dict[str, Any] = {"t": "", "client": 2, "kind": "decide", "step": None}
    return Line(**about | values)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lived(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    """Lived in once for each kind of database."""
    folder = tmp_path_factory.mktemp("lived")
    with database(request, folder) as url:
        engine, journal = open_engine(url), folder / "journal.jsonl"
        looked_at = live(engine, journal)
        engine.dispose()
        yield Lived(url, journal, looked_at)


def test_nothing_is_found_in_a_house_that_went_through_the_services(lived: Lived) -> None:
    found = check(lived.url, [lived.journal], looked_at=lived.looked_at)
    assert [str(violation) for violation in found.violations] == []
    assert (found.decisions, found.unknown_settled, found.unknown_left) == (54, 1, 0)
    assert under_way(lived.url) == 1  # the effect of the second case


@pytest.mark.parametrize("plant", PLANTS, ids=[f"{p.kind}-{p.what}" for p in PLANTS])
def test_what_is_planted_is_found_and_named(lived: Lived, plant: Plant) -> None:
    found = lived.found(plant)
    assert (plant.kind, plant.what) in {(v.kind, v.what) for v in found.violations}
    assert not found.clean


def test_no_step_is_voided_or_stands_unseen(lived: Lived) -> None:
    """Each: also a list that was closed, and what was done in a case that was terminated."""
    assert len(lived.ids("step", "id > 0")) > 40
    assert unseen(lived, "step") == []


@pytest.mark.parametrize(("table", "voided"), [("fact", 5), ("effect", 1), ("fanout", 1)])
def test_no_other_row_is_voided_or_stands_unseen(lived: Lived, table: str, voided: int) -> None:
    """Each: of a branch that runs, has ended or was returned. The sample is drawn anew there."""
    assert len(lived.ids(table, "voided")) == voided
    assert lived.ids(table, "NOT voided")
    assert unseen(lived, table) == []


def unseen(lived: Lived, table: str) -> list[int]:
    """The rows whose mark can be turned and the checker does not name its table for it."""
    what = f"a {table} is not voided as was audited"
    return [
        row
        for row in lived.ids(table, "id > 0")
        if what not in {one.what for one in lived.found(turned(table, row)).violations}
    ]


def turned(table: str, row: int) -> Plant:
    return Plant(Kind.STATE, "", (f"UPDATE {table} SET voided = NOT voided WHERE id = {row}",))


LOSABLE = {
    "decision": "id > 0",
    "slot": "id > 0",
    "step": "id > 0",
    "audit": "id > 0",
    "effect": "id > 0",
    "fact": "id > 0",
    "fanout": "id > 0",
    "branch": "id > 0",
    "rung": "note <> 'overtaken'",
    "command": "name = 'step.decide' OR key LIKE 'effect-_'",
    "message": "template IN ('opened', 'returned', 'raised', 'deliberate', 'remind', 'due')",
}
"""Rows none of which can be taken away unseen."""
CHANGEABLE = (
    ("decision", "answer", "'other'"),
    ("decision", "reason", "'other'"),
    ("decision", "person_id", "person_id + 1"),
    ("decision", "late", "NOT late"),
    ("decision", "key", "key || 'x'"),
    ("slot", "state", "CASE WHEN state = 'open' THEN 'voided' ELSE 'open' END"),
    ("step", "state", "CASE WHEN state = 'open' THEN 'closed' ELSE 'open' END"),
    ("step", "voided", "NOT voided"),
    ("fact", "voided", "NOT voided"),
    ("effect", "voided", "NOT voided"),
    ("fanout", "voided", "NOT voided"),
    ("effect", "state", "CASE WHEN state = 'done' THEN 'claimed' ELSE 'done' END"),
    ("branch", "state", "CASE WHEN state = 'open' THEN 'ended' ELSE 'open' END"),
    ("branch", "audit_n", "audit_n + 1"),
    ("audit", "body", "body || ' '"),
    ("audit", "hash", "prev"),
    ("audit", "n", "n + 1000"),
    ("audit", "command_id", "command_id + 1000"),
    ("rung", "deadline_version", "deadline_version + 1"),
    ("message", "withdrawn_at", "CASE WHEN withdrawn_at IS NULL THEN created_at END"),
)
"""Columns none of which can be changed unseen, whichever the row."""


@settings(max_examples=40)
@given(data())
def test_a_row_that_is_taken_away_or_changed_at_random_is_missed(
    lived: Lived, drawn: DataObject
) -> None:
    table = drawn.draw(sampled_from(sorted(LOSABLE)))
    where = f"WHERE id = {drawn.draw(sampled_from(lived.ids(table, LOSABLE[table])))}"
    act = drawn.draw(sampled_from([f"DELETE FROM {table} {where}", *changes(table, where)]))
    assert not lived.found(Plant(Kind.STATE, "", (act,))).clean


def changes(table: str, where: str) -> list[str]:
    return [
        f"UPDATE {table} SET {column} = {value} {where}"
        for name, column, value in CHANGEABLE
        if name == table
    ]


@settings(max_examples=10, derandomize=True)
@given(lists(CHOICE, min_size=20, max_size=60))
def test_the_checker_stays_quiet_whatever_people_answer(picks: list[tuple[int, int]]) -> None:
    engine = open_engine("sqlite://")
    case = new_case(engine)
    for which, how in picks:
        waiting = case.world.open_slots()
        if waiting:
            choose(case, waiting[which % len(waiting)], how)
    with engine.connect() as db:
        found = findings(seen_by(db), [], None)
    engine.dispose()
    assert [str(violation) for violation in found.violations] == []


def test_everything_the_checker_can_say_has_been_planted() -> None:
    said = {what for module in MODULES for what in sayings(ast.parse(module.read_text()))}
    planted = [plant.what for plant in PLANTS]
    assert len(said) > 60
    assert [what for what in sorted(said) if not any(re.fullmatch(what, p) for p in planted)] == []


def sayings(tree: ast.Module) -> Iterator[str]:
    """The texts of findings, as patterns: what is filled in may be anything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "Violation":
                yield from pattern(node.args[1])
        elif isinstance(node, ast.Assign) and dotted(node.targets[0]) == "what":
            yield from pattern(node.value)


def pattern(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+"
            for part in node.values
        )


def test_the_checker_shares_no_code_with_the_house() -> None:
    allowed = sys.stdlib_module_names | {"psycopg", "chaos"}
    for module in MODULES:
        for _, name in imports(ast.parse(module.read_text())):
            assert name.split(".")[0] in allowed, f"{module.name}: {name}"
            if name.startswith("chaos."):
                assert name.startswith(("chaos.checks.", "chaos.journal.")), name


NOBODY_KNOWS = [
    ({"event": "unknown"}, True),
    ({"event": "answered", "status": 500}, True),
    ({"event": "answered", "status": 503, "body": {"error": "unsettled"}}, True),
    ({"event": "answered", "status": 503, "body": {"error": "busy"}}, False),
    ({"event": "answered", "status": 409}, False),
]


@pytest.mark.parametrize(("failure", "unknown"), NOBODY_KNOWS)
def test_an_unknown_outcome_is_settled_by_the_same_key(failure: Told, unknown: bool) -> None:
    about = told("sent")
    lines = [line(about), line({**about, **failure})]
    (left,) = requests(lines)
    assert (left.unknown, left.settled) == (unknown, False)
    (settled,) = requests([*lines, line({**about, "event": "answered", "status": 200})])
    assert (settled.unknown, settled.settled) == (unknown, unknown)


SENT: Told = {"event": "sent"}
DONE: Told = {"event": "answered", "status": 200}
NO: Told = {"event": "answered", "status": 403}
ORDERS = [
    ([SENT, NO, SENT, DONE], False),  # they stand in for somebody again
    ([SENT, SENT, DONE, NO], False),  # two hands: the refusal may be the older one
    ([SENT, DONE, SENT, NO], True),
    ([SENT, {"event": "unknown"}, SENT, DONE, SENT, NO], True),
    ([SENT, NO, SENT, DONE, SENT, SENT, DONE, NO], True),
    ([SENT, {**NO, "status": 409}, SENT, DONE], True),  # its key is asked for before its step
]


@pytest.mark.parametrize(("order", "at_odds"), ORDERS)
def test_a_refusal_is_held_against_an_acknowledgement_that_was_read_before_it(
    order: list[Told], at_odds: bool
) -> None:
    (request,) = requests([line({**told("sent"), **said}) for said in order])
    assert request.at_odds is at_odds


@pytest.mark.parametrize(("kind", "at_odds"), [("make", False), ("revoke", True), ("decide", True)])
def test_what_hindered_a_substitution_may_be_gone_a_moment_later(kind: str, at_odds: bool) -> None:
    """Two hands, one key: one comes before the end of the other substitution, one after it."""
    about = told("sent") | {"kind": kind}
    said = [SENT, SENT, {"event": "answered", "status": 422}, DONE]
    (request,) = requests([line({**about, **one}) for one in said])
    assert request.at_odds is at_odds
    (again,) = requests([line({**about, **one}) for one in [SENT, DONE, *said[1:3]]])
    assert again.at_odds


def test_counts_tell_how_much_was_lost_and_doubled(lived: Lived) -> None:
    lost = next(plant for plant in PLANTS if plant.what == "who is asked was not told")
    assert lived.found(lost).lost == 1
    doubled = next(plant for plant in PLANTS if plant.what == "an effect told a post twice")
    assert lived.found(doubled).doubled == 1
