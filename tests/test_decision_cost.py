"""What a decision asks of the database stays the same however much was decided before."""

from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests import world
from tests.rectification_cast import Rectification, begin

MOST_STATEMENTS = 18
"""One more costs a round trip to PostgreSQL in every decision of the house."""
Statement = tuple[str, Any]


@pytest.fixture
def case(sqlite_engine: Engine) -> Rectification:
    """A rectification whose tasks wait."""
    made = begin(sqlite_engine, world.Clock())
    made.plan()
    return made


def reported(case: Rectification) -> list[Statement]:
    """The statements of: a task is done. It is judged, and returned, afterwards."""
    said = heard(case, "do-task", "done", "office_clerk")
    returned(case)
    return said


def returned(case: Rectification) -> list[Statement]:
    """The statements of: the task that was reported is returned, after a look by four eyes."""
    return heard(case, "confirm-task", "return", "office_head")


def heard(case: Rectification, key: str, answer: str, post: str) -> list[Statement]:
    """The statements of a decision, with what was bound."""
    said: list[Statement] = []

    def hear(db: Any, cursor: Any, statement: str, bound: Any, *rest: Any) -> None:
        said.append((statement, bound))

    engine = case.env.engine
    event.listen(engine, "before_cursor_execute", hear)
    case.world.answer(key, answer, post, reason="请补充完成标准")
    event.remove(engine, "before_cursor_execute", hear)
    begins = [place for place, (text, _) in enumerate(said) if text == "BEGIN IMMEDIATE"]
    return said[begins[-1] :]


def test_no_decision_reads_a_table_from_end_to_end(case: Rectification) -> None:
    said = heard(case, "do-task", "done", "office_clerk") + returned(case)
    asked = [one for one in said if one[0].split()[0] in ("SELECT", "UPDATE", "INSERT")]
    with case.env.engine.connect() as db:
        plans = {
            (row[3], statement)
            for statement, bound in asked
            for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
        }
    assert len(asked) > 30
    read_whole = [plan for plan in plans if plan[0].startswith("SCAN ")]
    assert [plan for plan in read_whole if plan[0] != "SCAN CONSTANT ROW"] == []


def test_a_decision_asks_as_much_the_tenth_time_as_the_first(case: Rectification) -> None:
    counts = {len(reported(case)) for _ in range(10)}
    assert len(counts) == 1
    assert counts.pop() <= MOST_STATEMENTS
