"""Evidence that is given again, as a next version: what the page offers is what is taken."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.errors import NotFound
from services.evidence import TooManyVersions
from services.step_page import StepPage, step_page
from tests.evidence_scene import give, keeping, pdf, png, slot
from tests.rectification_cast import Rectification, begin
from tests.test_evidence import doing, who
from tests.world import Clock

REPORT, PHOTO = pdf(b"BT (done) Tj ET"), png()


@pytest.fixture
def case(engine: Engine, tmp_path: Path) -> Rectification:
    """The tasks of the plan are being done."""
    begun = begin(engine, Clock())
    keeping(begun, tmp_path / "files")
    begun.plan()
    return begun


def page(case: Rectification, slot_id: int, post: str) -> StepPage:
    """The step as who holds the post reads it."""
    with case.env.engine.connect() as db:
        return step_page(db, who(case, post), slot_id, case.env.clock())


def applying(case: Rectification) -> tuple[int, str]:
    """Who applies for a problem to be closed, and the slot."""
    found = slot(case, "apply-closing")
    return found, next(post for one, _, post in case.world.open_slots() if one == found)


def test_only_what_the_step_may_give_again_is_offered(case: Rectification) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    assert [one.newest.name for one in page(case, doing(case), "office_clerk").continues] == [
        "清单.pdf"
    ]
    case.do_tasks()
    asked, post = applying(case)
    assert page(case, asked, post).continues == ()
    give(case, asked, post, {"照片.png": PHOTO})
    shown = page(case, asked, post)
    assert len(shown.evidence) == 2
    for n, piece in enumerate(shown.evidence):
        files = {f"{n}.png": png(shade=n + 1)}
        if piece in shown.continues:
            assert piece.newest.name == "照片.png"
            give(case, asked, post, files, evidence_id=piece.id)
        else:
            with pytest.raises(NotFound):
                give(case, asked, post, files, evidence_id=piece.id)


def test_a_piece_without_room_is_not_offered(
    case: Rectification, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    monkeypatch.setattr("policy.evidence.MOST_VERSIONS", 1)
    assert page(case, doing(case), "office_clerk").continues == ()
    with pytest.raises(TooManyVersions):
        give(case, doing(case), "office_clerk", {"图.png": PHOTO}, evidence_id=mine.evidence[0])


def test_who_may_only_look_is_offered_nothing(case: Rectification) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    shown = page(case, doing(case), "office_head")
    assert len(shown.evidence) == 1
    assert shown.continues == ()
