"""Evidence, and the right that it rests on, at once (PostgreSQL): one is before the other."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from models.evidence import EvidenceVersion, EvidenceWithdrawal
from services.casework.authority import SubstitutionEnded
from services.evidence_withdrawal import withdraw_evidence
from services.substitution import revoke
from tests.arranging import arrange
from tests.evidence_scene import give, keeping, pdf
from tests.rectification_cast import Rectification, begin
from tests.test_change_races import Act, meet
from tests.test_evidence import doing, faults
from tests.world import Clock


@pytest.fixture
def case(postgresql_engine: Engine, tmp_path: Path) -> Rectification:
    """The tasks of the plan are being done, and the clerk stands in for the office's clerk."""
    begun = begin(postgresql_engine, Clock())
    keeping(begun, tmp_path / "files")
    begun.plan()
    return begun


def gives(case: Rectification) -> Act:
    return lambda: give(case, doing(case), "clerk", {"清单.pdf": pdf()})


def takes_back(case: Rectification) -> Act:
    version = give(case, doing(case), "office_clerk", {"清单.pdf": pdf()}).versions[0]
    of: Any = {"version_id": version, "reason": "传错了文件", "key": case.world.key()}
    return lambda: withdraw_evidence(case.env, case.world.actor("clerk"), **of)


@pytest.mark.parametrize(
    ("doing_it", "kept"),
    [(gives, EvidenceVersion), (takes_back, EvidenceWithdrawal)],
)
@pytest.mark.parametrize("first", ["the act", "its end"])
def test_a_substitution_ends_before_what_rests_on_it_or_after(
    case: Rectification,
    first: str,
    doing_it: Callable[[Rectification], Act],
    kept: type,
) -> None:
    made = arrange(case.world, "office_clerk", "clerk")
    act, holder = doing_it(case), case.world.actor("office_clerk")
    over, overtaken = threading.Event(), []

    def ends() -> None:
        revoke(case.env, holder, substitution_id=made, key="end")
        over.set()

    def acts() -> None:
        event.listen(case.env.engine, "commit", lambda db: overtaken.append(over.is_set()))
        act()

    if first == "the act":
        meet(case.world, acts, ends)
        assert over.is_set()
        assert True not in overtaken, "it had ended when the act was about to commit"
    else:
        _, refused = meet(case.world, ends, act)
        assert isinstance(refused, SubstitutionEnded)
    assert len(case.rows(kept, "id")) == (first == "the act")
    assert faults(case) == []
