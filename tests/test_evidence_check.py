"""Rows of evidence that are not as the audit tells them are found (INV-6, INV-20)."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.evidence_scene import give, keeping
from tests.rectification_cast import Rectification, begin
from tests.test_evidence import REPORT, doing, faults
from tests.world import Clock


@pytest.fixture
def case(engine: Engine, tmp_path: Path) -> Rectification:
    """The tasks of the plan are being done."""
    begun = begin(engine, Clock())
    keeping(begun, tmp_path / "files")
    begun.plan()
    return begun


def test_a_row_that_was_changed_or_put_in_is_found(case: Rectification) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    planted = (
        "INSERT INTO evidence (case_id, problem_id) SELECT case_id, problem_id FROM evidence",
        "INSERT INTO evidence_file (sha256, size, kind, kept_at)"
        " SELECT 'f' || sha256, size, kind, kept_at FROM evidence_file",
        "INSERT INTO evidence_version (evidence_id, number, file_id, name, note, slot_id,"
        " person_id, post_id, at) SELECT evidence_id, 2, file_id, name, note, slot_id, person_id,"
        " post_id, at FROM evidence_version",
    )
    said = []
    for statement in planted:
        with case.env.engine.begin() as db:
            db.execute(text(statement))
        said.append({one.partition("（")[0] for one in faults(case)})
    assert "INV-6 佐证没有任何版本" in said[0]
    assert "INV-20 文件的记录没有佐证使用" in said[1]
    assert "INV-6 佐证与审计记录不符" in said[2]


@pytest.mark.parametrize(("column", "value"), [("size", "size + 1"), ("sha256", "'f' || sha256")])
def test_a_content_that_the_audit_tells_of_otherwise_is_found(
    case: Rectification, column: str, value: str
) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    with case.env.engine.begin() as db:
        db.execute(text(f"UPDATE evidence_file SET {column} = {value}"))
    (fault,) = (one for one in faults(case) if one.startswith("INV-6"))
    assert fault.startswith("INV-6 佐证与审计记录不符")
    told = hashlib.sha256(REPORT).hexdigest()[:12]
    assert f"told_sha256={told}, told_size={len(REPORT)}" in fault
