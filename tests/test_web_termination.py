"""终止 on the pages and through the API; 运行已停 where people look."""

import re
import sqlite3
from typing import Any

import pytest
from sqlalchemy import Engine, update

from models.base import table
from models.casework import Case, Slot
from services.runs import STOPPED
from tests.rectification_cast import begin
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock

WHY = "机构改革，整改任务并入新单位"
CANARY = '<img src=x onerror="alert(1)">{{7*7}}'


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary; the leader in charge is district_member."""
    return open_house(begin(engine, Clock()))


def path(house: House) -> str:
    return f"/cases/{house.case.case_id}/termination"


def form(browser: Browser, house: House, reason: str = WHY) -> dict[str, str]:
    """The form as a browser sends it back."""
    page = browser.get(path(house)).text
    return {**dict(re.findall(r'name="(key)" value="([^"]+)"', page)), "reason": reason}


def state(house: House) -> str:
    return str(house.case.rows(Case, "state")[0][0])


def test_the_case_offers_it_quietly_to_who_may(house: House) -> None:
    case = f"/cases/{house.case.case_id}"
    for post, offered in (("district_member", True), ("secretary", False), ("clerk", False)):
        page = house.sign_in(post).get(case).text
        assert (f'href="{case}/termination"' in page) is offered, post


def test_the_page_says_what_will_be_closed_and_the_case_says_who_when_and_why(
    house: House,
) -> None:
    leader = house.sign_in("district_member")
    page = leader.get(path(house)).text
    for said in ("1 项待办关闭，所涉 1 个职务", "不能恢复", "滨河区委分管副书记", "必填"):
        assert said in page, said
    answer = leader.post(path(house), form(leader, house))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/cases/{house.case.case_id}")
    for post in ("district_member", "secretary"):
        page = house.sign_in(post).get(f"/cases/{house.case.case_id}").text
        for said in ("已终止", "由滨河区委分管副书记终止，3月2日 09:00", WHY, "终止于此"):
            assert said in re.sub("<[^>]+>", "", page), said
        assert "/termination" not in page
    assert "已终止" in leader.get("/cases").text
    assert leader.get(path(house)).headers["Location"] == f"/cases/{house.case.case_id}"


def test_who_was_asked_is_told_and_hears_of_it_when_they_decide(house: House) -> None:
    secretary, leader = house.sign_in("secretary"), house.sign_in("district_member")
    slot = house.slot("assign-roles")
    leader.post(path(house), form(leader, house))
    assert "终止：梧桐路街道党工委" in secretary.get("/messages").text
    late = secretary.api(f"/api/steps/{slot}/decision", {"answer": "done"})
    assert late.status_code == 409
    assert "滨河区委分管副书记于2026年3月2日 09:00终止" in late.json()["message"]
    page = secretary.get(f"/steps/{slot}").text
    assert "未及办理，不再等候" in page
    assert "已办理，不再等候" not in page


@pytest.mark.parametrize("reason", ["", "转来的举报信复印件另行办理", "长" * 501])
def test_a_reason_that_will_not_do_is_shown_with_what_was_written(
    house: House, reason: str
) -> None:
    leader = house.sign_in("district_member")
    answer = leader.post(path(house), form(leader, house, reason))
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert f">{reason}</textarea>" in answer.text
    assert state(house) == "open"


def test_what_was_written_is_shown_as_text(house: House) -> None:
    leader = house.sign_in("district_member")
    assert CANARY not in leader.post(path(house), form(leader, house, "举报" + CANARY)).text
    leader.post(path(house), form(leader, house, CANARY))
    page = leader.get(f"/cases/{house.case.case_id}").text
    assert CANARY not in page
    assert "{{7*7}}" in page


def test_a_foreign_case_answers_like_one_that_is_not_there(house: House) -> None:
    given = {"reason": WHY, "key": "k" * 20}
    for post in ("outsider", "operator"):
        browser = house.sign_in(post)
        answers = [
            call(f"/cases/{case}/termination")
            for case in (house.case.case_id, 987_654)
            for call in (browser.get, lambda to, b=browser: b.post(to, given))
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({re.sub("[0-9a-f]{12}|/cases/[0-9]+", "", a.text) for a in answers[::2]}) == 1
    assert state(house) == "open"


def test_who_sees_the_case_and_may_not_end_it_is_refused(house: House) -> None:
    secretary = house.sign_in("secretary")
    refused = secretary.post(path(house), {"reason": WHY, "key": "k" * 20})
    assert refused.status_code == 403
    assert "上级" in refused.text
    assert secretary.api(f"/api{path(house)}", {"reason": WHY}).status_code == 403
    assert state(house) == "open"


def test_it_is_ended_through_the_api_once(house: House) -> None:
    leader = house.sign_in("district_member")
    api = f"/api{path(house)}"
    assert leader.api(api, {"reason": WHY, "more": 1}).status_code == 422
    first, again = (leader.api(api, {"reason": WHY}) for _ in range(2))
    assert (first.status_code, again.json()) == (200, first.json())
    other = leader.api(api, {"reason": WHY}, key="another-key")
    assert other.status_code == 409
    assert "终止" in other.json()["message"]
    shown = leader.send("GET", f"/api/cases/{house.case.case_id}").json()
    assert shown["terminated"]["reason"] == WHY


def test_nothing_is_ended_when_the_commit_fails(house: House) -> None:
    leader = house.sign_in("district_member")
    given = form(leader, house)
    with failing_commits(house.case.env.engine):
        assert leader.post(path(house), given).status_code == 503
        assert leader.api(f"/api{path(house)}", {"reason": WHY}).status_code == 503
    assert state(house) == "open"
    assert house.case.rows(Slot, "state") == [("open",)]


def test_who_cannot_be_told_whether_it_was_kept_is_not_told_that_it_was_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = house.sign_in("district_member")
    given = form(leader, house)
    dialect: Any = house.case.env.engine.dialect

    def lost(connection: Any) -> None:
        error = dialect.loaded_dbapi.OperationalError("the answer was lost")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    monkeypatch.setattr(dialect, "do_commit", lost)
    answer = leader.post(path(house), given)
    assert answer.status_code == 503
    assert answer.text.count("还不能确定是否已经办理") == 2
    assert "可能已保存，也可能没有" in answer.text
    assert WHY in answer.text
    for untrue in ("什么也没有保存", "没有办理", "没有提交"):
        assert untrue not in answer.text
    monkeypatch.undo()
    assert leader.post(path(house), given).status_code == 303


def test_a_stopped_run_is_said_with_what_it_means(house: House) -> None:
    with house.case.env.engine.begin() as db:
        db.execute(update(table(Case)).values(mirrored=STOPPED))
    leader = house.sign_in("district_member")
    for page in (f"/cases/{house.case.case_id}", "/cases"):
        assert "运行已停" in leader.get(page).text
    assert "待办、期限和升级照常" in leader.get(f"/cases/{house.case.case_id}").text
    leader.post(path(house), form(leader, house))
    assert "运行已停" not in leader.get(f"/cases/{house.case.case_id}").text


def test_what_was_not_finished_is_not_shown_as_finished(house: House) -> None:
    house.case.plan()
    leader = house.sign_in("district_member")
    leader.post(path(house), form(leader, house))
    shown = leader.send("GET", f"/api/cases/{house.case.case_id}").json()
    assert shown["figures"]["confirmed"] == shown["figures"]["closed"] == 0
    assert shown["figures"]["waiting"] == 0
    page = leader.get(f"/cases/{house.case.case_id}").text
    assert page.count("未销号，已终止") == 2
    assert "已被退回作废" not in page
    assert "data-voided" not in page
