"""The benches of the audit plant what they say, and miss nothing."""

import pytest

from bench.audit_edits import KINDS, measured
from bench.audit_verify import measured as verified
from bench.installation import POSTGRESQL, SQLITE
from bench.org_import import databases


@pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL])
def test_random_edits_below_the_last_seal_are_found_and_said_where(kind: str) -> None:
    with databases(kind) as fresh:
        line = measured(kind, fresh(), 120, 7)
    assert line["whole"]
    assert set(line["kinds"]) == {edit.__name__ for edit in KINDS}
    assert (line["found"], line["placed"], line["missed"]) == (120, 120, {})


def test_verifying_is_measured_in_a_process_of_its_own() -> None:
    with databases(SQLITE) as fresh:
        line = verified(SQLITE, fresh(), 3000)
    assert (line["entries"], line["streams"], line["seals"]) == (3000, 150, 3)
    assert float(str(line["verify_s"])) > 0
