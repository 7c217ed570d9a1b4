"""谁看过我的记录: whom it concerns reads who looked, when and as what; nobody waits for it."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.command import Actor
from services.evidence_reading import Way, open_version
from tests.account_scene import house
from tests.evidence_scene import give, keeping, pdf, slot
from tests.web_house import House, failing_commits

PAGE = "/account/reads"


@pytest.fixture
def at(engine: Engine) -> House:
    """The district's three administrators, and a rectification of the town."""
    return house(engine)


def test_whose_lines_an_audit_administrator_read_sees_it_and_once_a_minute(at: House) -> None:
    secretary, clerk = at.sign_in("secretary"), at.sign_in("clerk")
    assert "还没有他人看过" in secretary.get(PAGE).text
    audit = at.sign_in("audit")
    for _ in range(2):
        assert audit.get("/record?q=secretary").status_code == 200
    page = secretary.get(PAGE).text
    assert (page.count("审计管理员</span>"), page.count("滨河区")) == (1, 1)
    assert "审计管理员</span>" not in clerk.get(PAGE).text
    assert "/account/reads" in secretary.get("/account").text
    at.case.env.clock.forward(minutes=2)  # type: ignore[attr-defined]
    audit.get("/record")
    assert secretary.get(PAGE).text.count("审计管理员</span>") == 2
    assert clerk.get(PAGE).text.count("审计管理员</span>") == 1
    assert "审计管理员</span>" not in audit.get(PAGE).text  # one's own look at oneself is none


def test_what_cannot_be_recorded_is_logged_and_read_nevertheless(
    at: House, caplog: pytest.LogCaptureFixture
) -> None:
    audit, secretary = at.sign_in("audit"), at.sign_in("secretary")
    with failing_commits(at.case.env.engine):
        assert "secretary" in audit.get("/record?q=secretary").text
    assert "a read was not recorded" in caplog.text
    assert "还没有他人看过" in secretary.get(PAGE).text


def test_who_gave_evidence_sees_who_opened_it(at: House, tmp_path: Path) -> None:
    case = at.case
    keeping(case, tmp_path / "files")
    case.plan()
    clerk = slot(case, "do-task", "office_clerk")
    given = give(case, clerk, "office_clerk", {"完成情况.pdf": pdf()})
    for post in ("office_clerk", "secretary"):
        open_version(case.env, Actor(case.world.people[post]), given.versions[0], Way.SEEN)
    page = at.sign_in("office_clerk").get(PAGE).text
    assert page.count("您提供的佐证</span>") == 1
    assert "梧桐路街道党工委书记" in page
    assert "完成情况.pdf" in page
    assert "完成情况.pdf" not in at.sign_in("secretary").get(PAGE).text
