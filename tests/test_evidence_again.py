"""Evidence given again, as a next version, and evidence taken back (撤回)."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text, update

from models.base import table
from models.casework import Slot, SlotState, Step
from models.evidence import EvidenceWithdrawal
from services.errors import Invalid, NotAuthorised, NotFound
from services.evidence import TooManyVersions
from services.evidence_reading import Way, open_version, reads_of
from services.evidence_withdrawal import GivenByAnother, NotWithdrawn, withdraw_evidence
from services.rerouting import reroute_slot
from services.scope import standing
from services.step_page import StepPage, step_page
from tests.account_scene import bare, hold, leave
from tests.arranging import arrange, told
from tests.evidence_scene import give, keeping, pdf, png, slot
from tests.rectification_cast import Rectification, begin
from tests.test_evidence import doing, faults, newest, seen_by, who
from tests.world import Clock

REPORT, PHOTO = pdf(b"BT (done) Tj ET"), png()
WHY = "传错了文件"


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


def take_back(case: Rectification, version: int, post: str, key: str = "", why: str = WHY) -> None:
    """The holder of a post takes a version back."""
    by, key = case.world.actor(post), key or case.world.key()
    withdraw_evidence(case.env, by, version_id=version, reason=why, key=key)


def test_a_version_taken_back_counts_no_more_and_stays(case: Rectification) -> None:
    first = give(case, doing(case), "office_clerk", {"错的.pdf": REPORT})
    take_back(case, first.versions[0], "office_clerk")
    (shown,) = seen_by(case, "office_head")
    withdrawn = shown.versions[0].withdrawn
    assert withdrawn is not None
    assert (withdrawn.post, withdrawn.reason) == ("党建办联络员", WHY)
    assert not shown.counts
    opened = open_version(
        case.env, case.world.actor("office_head"), first.versions[0], Way.DOWNLOADED
    )
    assert opened.path.read_bytes() == REPORT
    give(case, doing(case), "office_clerk", {"对的.pdf": REPORT}, evidence_id=first.evidence[0])
    (shown,) = seen_by(case, "office_head")
    assert shown.counts
    assert [(one.number, one.withdrawn is None) for one in shown.versions] == [
        (2, True),
        (1, False),
    ]
    assert faults(case) == []


def test_the_version_before_counts_again(case: Rectification) -> None:
    first = give(case, doing(case), "office_clerk", {"一.pdf": REPORT})
    piece = first.evidence[0]
    second = give(case, doing(case), "office_clerk", {"二.png": PHOTO}, evidence_id=piece)
    take_back(case, second.versions[0], "office_clerk")
    (shown,) = seen_by(case, "office_head")
    assert (shown.counts, shown.newest.name) == (True, "一.pdf")


def test_the_same_file_elsewhere_is_no_hint_once_it_was_taken_back(case: Rectification) -> None:
    given = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    give(case, newest(case), "office_clerk", {"清单.pdf": REPORT})
    assert seen_by(case, "office_head", 2)[0].newest.also_for
    take_back(case, given.versions[0], "office_clerk")
    assert seen_by(case, "office_head", 2)[0].newest.also_for == ()
    assert seen_by(case, "office_head")[0].newest.also_for == ()


def test_only_who_is_asked_takes_back_while_the_step_is_open_and_once(
    case: Rectification,
) -> None:
    asked = doing(case)
    given = give(case, asked, "office_clerk", {"一.pdf": REPORT, "二.png": PHOTO})
    one, other = given.versions
    for post, error in (("clerk", NotAuthorised), ("outsider", NotFound)):
        with pytest.raises(error):
            take_back(case, one, post)
    with pytest.raises(NotFound):
        take_back(case, 987_654, "office_clerk")
    assert [may_take_back(case, post) for post in ("office_clerk", "office_head")] == [2, 0]
    take_back(case, one, "office_clerk", key="once")
    take_back(case, one, "office_clerk", key="once")
    with pytest.raises(NotWithdrawn):
        take_back(case, one, "office_clerk")
    assert may_take_back(case, "office_clerk") == 1
    case.answer("do-task", post="office_clerk")
    assert may_take_back(case, "office_clerk") == 0
    with pytest.raises(NotWithdrawn):
        take_back(case, other, "office_clerk")
    assert len(case.rows(EvidenceWithdrawal, "id")) == 1
    assert faults(case) == []


def may_take_back(case: Rectification, post: str) -> int:
    """How many versions the page offers to take back."""
    return sum(one.may_withdraw for piece in seen_by(case, post) for one in piece.versions)


def reroute(case: Rectification, slot_id: int, to: str) -> None:
    """A superior gives the slot to another post."""
    of: Any = {"slot_id": slot_id, "post_id": case.world.posts[to], "reason": "人手调整"}
    reroute_slot(case.env, case.world.actor("secretary"), **of, key=case.world.key())


def replace_clerk(case: Rectification) -> None:
    """The office's clerk is somebody else from today on."""
    leave(case.world, "office_clerk")
    bare(case.world, "successor", "office")
    hold(case.world, "office_clerk", "successor")


@pytest.mark.parametrize("how", ["rerouted", "changed"])
def test_who_holds_the_step_by_then_takes_it_back_and_who_gave_it_is_told(
    case: Rectification, how: str
) -> None:
    asked = doing(case)
    version, other = give(case, asked, "office_clerk", {"一.pdf": REPORT, "二.png": PHOTO}).versions
    if how == "rerouted":
        reroute(case, asked, "office_head")
        holder = "office_head"
    else:
        replace_clerk(case)
        holder = "successor"
    with pytest.raises((NotAuthorised, NotFound)):
        take_back(case, version, "office_clerk")
    assert [may_take_back(case, post) for post in ("office_clerk", holder)] == [0, 2]
    before = told(case.world, "office_clerk")
    take_back(case, version, holder)
    (said,) = set(told(case.world, "office_clerk")) - set(before)
    assert said.startswith("您提交的佐证已被撤回：")
    assert all("撤回" not in title for title in told(case.world, holder))
    if how == "rerouted":
        reroute(case, asked, "office_clerk")
    else:
        hold(case.world, "office_clerk", "office_clerk")
    before = told(case.world, "office_clerk")
    take_back(case, other, "office_clerk")
    assert told(case.world, "office_clerk") == before
    assert faults(case) == []


def test_what_nobody_answered_for_is_taken_back_by_who_gave_it_while_the_matter_runs(
    case: Rectification,
) -> None:
    asked = doing(case)
    one, two = give(case, asked, "office_clerk", {"一.pdf": REPORT, "二.png": PHOTO}).versions
    steps, slots = table(Step), table(Slot)
    (step,) = (row[1] for row in case.rows(Slot, "id", "step_id") if row[0] == asked)
    seat = {"step_id": step, "post_id": case.world.posts["clerk"], "state": SlotState.OPEN}
    with case.env.engine.begin() as db:  # a second seat: whoever answers first settles it
        branch = db.execute(select(slots.c.branch_id).where(slots.c.id == asked)).scalar_one()
        db.execute(insert(slots).values(seat | {"branch_id": branch, "position": 2}))
        db.execute(update(steps).where(steps.c.id == step).values(mode="any"))
    case.answer("do-task", post="clerk")
    assert (SlotState.UNREACHED,) in case.rows(Slot, "state")
    hold(case.world, "office_clerk", "clerk")
    assert [may_take_back(case, post) for post in ("office_clerk", "clerk")] == [2, 0]
    with pytest.raises(GivenByAnother):
        take_back(case, one, "clerk")
    take_back(case, one, "office_clerk")
    case.answer("confirm-task", "agree", post="office_head")
    assert may_take_back(case, "office_clerk") == 0
    with pytest.raises(NotWithdrawn):
        take_back(case, two, "office_clerk")


def test_a_step_asked_once_more_does_not_take_back_what_was_given_before(
    case: Rectification,
) -> None:
    given = give(case, doing(case), "office_clerk", {"一.pdf": REPORT})
    case.answer("do-task", post="office_clerk")
    case.answer("confirm-task", "return", reason="请补充印发范围")
    assert may_take_back(case, "office_clerk") == 0
    with pytest.raises(NotWithdrawn):
        take_back(case, given.versions[0], "office_clerk")


@pytest.mark.parametrize("why", ["", "  ", "字" * 201, "机密★"])
def test_why_it_is_taken_back_must_be_said(case: Rectification, why: str) -> None:
    given = give(case, doing(case), "office_clerk", {"一.pdf": REPORT})
    with pytest.raises(Invalid):
        take_back(case, given.versions[0], "office_clerk", why=why)
    assert case.rows(EvidenceWithdrawal, "id") == []


def test_who_stands_in_takes_back_in_the_place_of_the_holder(case: Rectification) -> None:
    arrange(case.world, "office_clerk", "clerk")
    given = give(case, doing(case), "office_clerk", {"一.pdf": REPORT})
    take_back(case, given.versions[0], "clerk")
    withdrawn = seen_by(case, "office_head")[0].versions[0].withdrawn
    assert withdrawn is not None
    assert withdrawn.post == "梧桐路街道党工委联络员代党建办联络员"
    assert told(case.world, "office_clerk")[0].startswith("您提交的佐证已被撤回：")
    assert faults(case) == []


def test_a_withdrawal_that_the_audit_does_not_tell_of_is_found(case: Rectification) -> None:
    given = give(case, doing(case), "office_clerk", {"一.pdf": REPORT})
    with case.env.engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO evidence_withdrawal (version_id, reason, person_id, post_id, at)"
                " SELECT id, '', person_id, post_id, at FROM evidence_version"
            )
        )
    assert len(given.versions) == 1
    assert [one.partition("（")[0] for one in faults(case)] == ["INV-6 佐证的撤回与审计记录不符"]


def test_a_look_is_recorded_of_the_post_that_the_reader_acted_as(case: Rectification) -> None:
    given = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    hold(case.world, "clerk", "office_head")
    reader, posts = case.world.actor("office_head"), case.world.posts
    elsewhere = posts["outsider"]  # which they do not hold: their first it is
    for post in (posts["office_head"], posts["clerk"], elsewhere):
        open_version(case.env, reader, given.versions[0], Way.SEEN, post_id=post)
    with case.env.engine.connect() as db:
        read = [one.post for one in reads_of(db, given.evidence[0])]
        mine = standing(db, reader.person_id or 0, case.env.clock().date()).posts
        named = {post.id: f"{post.organisation}{post.title}" for post in mine}
    assert len(named) == 2
    assert read == [named[posts["clerk"]], named[posts["office_head"]]]
