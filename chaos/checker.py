"""The independent checker: raw SQL and the clients' journals, against each other and themselves.

It shares no line with the house: standard library, psycopg and sqlite3 only, the rules written
anew, so that a mistake in a service is not made here a second time.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from chaos.checks.acts import wrong_acts
from chaos.checks.course import wrong_courses
from chaos.checks.effects import wrong_effects
from chaos.checks.findings import Findings
from chaos.checks.promises import Request, broken_promises, requests
from chaos.checks.record import Record
from chaos.checks.references import dangling
from chaos.checks.rungs import wrong_rungs
from chaos.checks.states import wrong_states
from chaos.checks.tables import Tables, tables
from chaos.checks.tellings import wrong_messages
from chaos.checks.trail import read_trail, unlike_the_trail
from chaos.checks.voids import wrong_voids
from chaos.journal import read


def check(
    database_url: str, journals: Sequence[Path], *, looked_at: datetime | None = None
) -> Findings:
    """Everything that does not hold, of a house in which nothing moves any more.

    ``looked_at``: an instant by which the watch has seen everything; without it rungs that were
    due and did not fire are not asked for.
    """
    with tables(database_url) as found:
        return findings(found, requests(read(journals)), looked_at)


def findings(found: Tables, asked: list[Request], looked_at: datetime | None) -> Findings:
    """:func:`check` of tables that are open already."""
    record = Record(found)
    gone = list(dangling(record))
    trail = read_trail(found, record)
    violations = (
        *gone,
        *broken_promises(record, asked),
        *wrong_acts(record, trail, asked),
        *wrong_states(record, trail),
        *wrong_rungs(record, trail, looked_at),
        *wrong_messages(record, trail),
        *wrong_effects(record, trail),
        *wrong_courses(record),
        *trail.found,
        *unlike_the_trail(record, trail),
        *wrong_voids(record, trail),
    )
    return Findings(
        decisions=len(record.decisions),
        unknown_settled=sum(request.unknown and request.settled for request in asked),
        unknown_left=sum(request.unknown and not request.settled for request in asked),
        violations=violations,
    )


def under_way(database_url: str) -> int:
    """How much still moves by itself: wakes, and effects that are to be run."""
    with tables(database_url) as found:
        moving = found.all(
            "SELECT (SELECT count(*) FROM wake) + (SELECT count(*) FROM effect"
            " WHERE state IN ('queued', 'claimed')) AS moving"
        )
    return int(moving[0]["moving"])
