"""A database as plain rows, loaded once, and the look-ups that every check makes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from chaos.checks.tables import Row, Tables

SHANGHAI = ZoneInfo("Asia/Shanghai")
_QUERIES = {
    "cases": 'SELECT * FROM "case"',
    "branches": "SELECT * FROM branch",
    "steps": "SELECT * FROM step",
    "slots": "SELECT * FROM slot",
    "decisions": "SELECT * FROM decision",
    "facts": "SELECT * FROM fact",
    "effects": "SELECT * FROM effect",
    "fanouts": "SELECT * FROM fanout",
    "wakes": "SELECT * FROM wake",
    "run_wakes": "SELECT * FROM run_wake",
    "rungs": "SELECT * FROM rung",
    "members": "SELECT * FROM duty_member",
    "messages": 'SELECT id, "key", post_id, person_id, template, context, case_id, step_id,'
    " created_at, read_at, withdrawn_at, substitution_id FROM message",
    "commands": 'SELECT id, "key", name, person_id, result FROM command',
    "appointments": "SELECT * FROM appointment",
    "accounts": "SELECT login, person_id FROM account",
    "policies": "SELECT id, body AS policy FROM policy_version",
    "calendars": "SELECT id, horizon, published_at FROM calendar_version",
    "days": "SELECT version_id, day, working FROM calendar_day",
    "problems": "SELECT id, case_id, state FROM problem",
    "tasks": "SELECT id, problem_id, state, long_term, lead_unit_id FROM task",
    "supports": "SELECT id, task_id, unit_id FROM task_support",
    "posts": "SELECT id, organisation_id FROM post WHERE rank = 0 AND successor_id IS NULL",
    "substitutions": "SELECT id, made_by, ended_by, ended_how, ended_at FROM substitution"
    " WHERE slot_id IS NULL",
    "vacancies": "SELECT id, post_id, case_id, ended_at FROM vacancy",
}


class Record:
    """Everything but the audit entries, which are read a row at a time."""

    cases: list[Row]
    branches: list[Row]
    steps: list[Row]
    slots: list[Row]
    decisions: list[Row]
    facts: list[Row]
    effects: list[Row]
    fanouts: list[Row]
    wakes: list[Row]
    run_wakes: list[Row]
    rungs: list[Row]
    members: list[Row]
    messages: list[Row]
    commands: list[Row]
    appointments: list[Row]
    accounts: list[Row]
    policies: list[Row]
    calendars: list[Row]
    days: list[Row]
    problems: list[Row]
    tasks: list[Row]
    supports: list[Row]
    posts: list[Row]
    substitutions: list[Row]
    vacancies: list[Row]

    def __init__(self, tables: Tables) -> None:
        for name, sql in _QUERIES.items():
            setattr(self, name, sorted(tables.all(sql), key=lambda row: row.get("id", 0)))

    @cached_property
    def case(self) -> Mapping[int, Row]:
        """Cases by id."""
        return {row["id"]: row for row in self.cases}

    @cached_property
    def branch(self) -> Mapping[int, Row]:
        """Branches by id."""
        return {row["id"]: row for row in self.branches}

    @cached_property
    def step(self) -> Mapping[int, Row]:
        """Steps by id."""
        return {row["id"]: row for row in self.steps}

    @cached_property
    def slot(self) -> Mapping[int, Row]:
        """Slots by id."""
        return {row["id"]: row for row in self.slots}

    @cached_property
    def rung(self) -> Mapping[int, Row]:
        """Rungs by id."""
        return {row["id"]: row for row in self.rungs}

    @cached_property
    def command(self) -> Mapping[int, Row]:
        """Commands by id."""
        return {row["id"]: row for row in self.commands}

    @cached_property
    def commanded(self) -> Mapping[str, Row]:
        """Commands by key."""
        return {row["key"]: row for row in self.commands}

    @cached_property
    def vacated(self) -> frozenset[int]:
        """Posts that a vacancy was noted of."""
        return frozenset(row["post_id"] for row in self.vacancies)

    @cached_property
    def substitution_over(self) -> Mapping[int | None, datetime]:
        """When substitutions that are over have ended."""
        return {row["id"]: row["ended_at"] for row in self.substitutions if row["ended_at"]}

    @cached_property
    def slots_of(self) -> Mapping[int, list[Row]]:
        """Slots by step."""
        return grouped(self.slots, "step_id")

    @cached_property
    def decisions_of(self) -> Mapping[int, list[Row]]:
        """Decisions by slot."""
        return grouped(self.decisions, "slot_id")

    @cached_property
    def messages_of(self) -> Mapping[int, list[Row]]:
        """Messages by step."""
        return grouped(self.messages, "step_id")

    @cached_property
    def woken(self) -> Mapping[int, list[Row]]:
        """Wakes by branch."""
        return grouped(self.wakes, "branch_id")

    @cached_property
    def _held(self) -> Mapping[int, list[Row]]:
        return grouped(self.appointments, "post_id")

    def holders(self, post_id: int, on: date) -> list[int]:
        """Who holds a post on a day."""
        return [
            row["person_id"]
            for row in self._held.get(post_id, ())
            if row["starts_on"] <= on and (row["ends_on"] is None or on < row["ends_on"])
        ]

    def is_open(self, case_id: int) -> bool:
        """Whether a case is still carried on."""
        return bool(self.case[case_id]["state"] == "open")


def grouped(rows: Iterable[Row], column: str) -> dict[int, list[Row]]:
    """Rows by a column."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found


def day_of(at: datetime) -> date:
    """The day in Shanghai."""
    return at.astimezone(SHANGHAI).date()
