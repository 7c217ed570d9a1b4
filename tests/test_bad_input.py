"""Whatever is sent, nothing breaks, nothing is half done, and the answer says what is wrong.

5,000 requests of every role and 500 damaged files; ``make bench BENCH=bad_input`` sends more.
"""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.fuzz_house import Trial

REQUESTS, FILES, EXAMPLES = 5_000, 500, 20
ON_THE_OTHER = 10
"""On PostgreSQL one in so many."""
GROWTH_MB = 100


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_that_nobody_means_breaks_anything(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    share = 1 if kind == "sqlite" else ON_THE_OTHER
    report = Trial(engine, tmp_path, seed=11).run(REQUESTS // share, FILES // share, EXAMPLES)
    assert report.faults == []
    assert report.requests >= REQUESTS // share
    assert report.files >= FILES // share
    assert report.grown_mb < GROWTH_MB
    assert {200, 303, 401, 403, 404, 409, 422} <= set(report.statuses), (
        "it comes far and is refused"
    )
