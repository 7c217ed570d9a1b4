"""Acts beside deciding on the pages and the API: offered to who may, kept where they are wrong."""

import re
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from models.act import ActRecord
from models.base import table
from policy.acts import Act
from tests.rectification_cast import begin
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock

_acts = table(ActRecord)


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary of the town."""
    return open_house(begin(engine, Clock()))


def acts(house: House) -> int:
    with house.case.env.engine.connect() as db:
        return int(db.execute(select(func.count()).select_from(_acts)).scalar_one())


def path(house: House, act: Act) -> str:
    return f"/steps/{house.slot('assign-roles')}/acts/{act}"


def post(browser: Browser, to: str, **given: str) -> Any:
    return browser.post(to, {"key": "k" * 20, **given})


def test_the_step_offers_what_the_person_may_do(house: House) -> None:
    step = f"/steps/{house.slot('assign-roles')}"
    mine = house.sign_in("secretary").get(step).text
    assert ("转办" in mine, "接办" in mine, "催办" in mine) == (True, False, False)
    above = house.sign_in("district_secretary").get(step).text
    assert ("转办" in above, "接办" in above, "催办" in above) == (False, True, True)
    beside = house.sign_in("town_discipline_secretary").get(step).text
    assert "其他办理方式" not in beside


def test_who_is_asked_passes_it_on_and_the_step_tells_it(house: House) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    to, seat = path(house, Act.TRANSFER), str(house.case.world.posts["deputy"])
    page = secretary.get(to).text
    assert "梧桐路街道党工委副书记" in page
    assert "滨河区委书记" not in page
    done = post(secretary, to, post=seat, reason="外出学习")
    assert done.status_code == 303
    step = deputy.get(f"/steps/{house.slot('assign-roles')}").text
    for said in ("转办", "外出学习", "梧桐路街道党工委书记"):
        assert said in step
    assert acts(house) == 1


def test_what_is_wrong_stays_on_the_form(house: House) -> None:
    secretary, to = house.sign_in("secretary"), path(house, Act.TRANSFER)
    answer = post(secretary, to, post="", reason="外出学习")
    assert answer.status_code == 422
    assert 'value="外出学习"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert acts(house) == 0


def test_who_may_not_is_led_back_and_told_no(house: House) -> None:
    clerk, to = house.sign_in("clerk"), path(house, Act.TAKE_OVER)
    assert clerk.get(to).headers["Location"] == f"/steps/{house.slot('assign-roles')}"
    assert post(clerk, to, reason="工作安排").status_code == 403
    outsider = house.sign_in("outsider")
    missing = to.replace(str(house.slot("assign-roles")), "99999")
    assert outsider.get(to).status_code == outsider.get(missing).status_code == 404
    said = [re.sub("编号 [0-9a-f]+", "", outsider.get(at).text) for at in (to, missing)]
    assert said[0] == said[1]
    assert clerk.get(to.replace("take_over", "punish")).status_code in (404, 422)


def test_the_api_does_the_same(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    seat = str(house.case.world.posts["deputy"])
    told = {"reason": "外出学习", "given": {"post": seat}}
    refused = secretary.api(f"/api/steps/{slot}/acts/transfer", {**told, "person": 1})
    assert refused.status_code == 422
    done = secretary.api(f"/api/steps/{slot}/acts/transfer", told)
    assert (done.status_code, done.json()["act"]) == (200, "transfer")
    assert acts(house) == 1


def test_who_is_asked_adds_one_who_answers_first_and_takes_them_away_again(house: House) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    own, to = house.slot("assign-roles"), path(house, Act.ADD_APPROVER)
    seat = str(house.case.world.posts["deputy"])
    page = secretary.get(to).text
    for said in ("前加签", "并签", "后加签", "梧桐路街道党工委副书记"):
        assert said in page
    done = post(secretary, to, post=seat, place="before", reason="请先核对分工")
    assert done.headers["Location"] == f"/steps/{own}"
    step = secretary.get(f"/steps/{own}").text
    for said in ("待加签人先办", "加签：", "（梧桐路街道党工委副书记）", "请先核对分工"):
        assert said in step
    added = deputy.get(f"/steps/{house.slot('assign-roles')}").text
    assert "加签" in added
    assert 'value="return"' in added
    away = {"reason": "已当面核对", "given": {"post": seat}}
    refused = deputy.api(f"/api/steps/{own}/acts/remove_approver", away)
    assert refused.status_code == 403
    assert secretary.api(f"/api/steps/{own}/acts/remove_approver", away).status_code == 200
    assert house.slot("assign-roles") == own
    assert "减签" in secretary.get(f"/steps/{own}").text


def test_who_is_asked_lets_another_answer_once_and_the_page_says_for_whom(house: House) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    own, seat = f"/steps/{house.slot('assign-roles')}", str(house.case.world.posts["deputy"])
    done = post(secretary, path(house, Act.DELEGATE), post=seat, reason="下村调研")
    assert done.headers["Location"] == own
    assert "梧桐路街道党工委副书记" in secretary.get(own).text
    theirs = deputy.get(own).text
    assert "代梧桐路街道党工委书记" in theirs
    assert 'name="reason"' in theirs
    back = secretary.api(f"/api{path(house, Act.END_DELEGATION)}", {"reason": "已返回"})
    assert back.status_code == 200
    assert deputy.get("/").text.count(own) == 0


@pytest.mark.parametrize("api", [False, True])
def test_nobody_is_told_it_is_done_when_it_is_not_saved(house: House, api: bool) -> None:
    above, to = house.sign_in("district_secretary"), path(house, Act.URGE)
    with failing_commits(house.case.env.engine):
        answer = above.api(f"/api{to}", {}) if api else post(above, to)
    assert answer.status_code == 503
    assert acts(house) == 0


def test_who_decided_takes_it_back_on_the_page_and_it_is_shown_as_such(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    house.case.answer("assign-roles")
    step = f"/steps/{slot}"
    assert f'href="{step}/acts/withdraw"' in secretary.get(step).text
    assert post(secretary, f"{step}/acts/withdraw", reason="分工有误").status_code == 303
    assert "已撤回" in secretary.get(step).text
    anew = secretary.get(f"/steps/{house.slot('assign-roles')}").text
    assert re.search("上次意见：办结[^<]*已撤回", anew)
    assert "分工有误" in anew
    done = secretary.get("/done").text
    assert "已撤回" in done
    assert "已因退回作废" not in done
    late = post(secretary, f"{step}/acts/withdraw", reason="分工有误", key="l" * 20)
    assert late.status_code == 409


def test_the_api_takes_back_and_says_who_came_first(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    house.case.answer("assign-roles")
    house.case.answer("draft-plan")
    refused = secretary.api(f"/api/steps/{slot}/acts/withdraw", {"reason": "有误"})
    assert refused.status_code == 409
    assert "梧桐路街道党工委" in refused.json()["message"]


def test_a_correction_stands_beside_what_was_decided(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    house.case.answer("assign-roles")
    house.case.answer("draft-plan")
    step = f"/steps/{slot}"
    assert f'href="{step}/acts/correct"' in secretary.get(step).text
    wrong = post(secretary, f"{step}/acts/correct", reason="笔误", text="")
    assert wrong.status_code == 422
    right = post(secretary, f"{step}/acts/correct", reason="笔误", text="另一句", key="r" * 20)
    assert right.status_code == 303
    for page in (step, "/done"):
        shown = secretary.get(page).text
        assert re.search("以下经更正（.{1,100}）：另一句　“笔误”", shown)


def test_a_later_date_is_asked_for_shown_and_answered_on_the_pages(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    step = f"/steps/{slot}"
    assert "申请延期" in secretary.get(step).text
    assert 'type="date"' in secretary.get(f"{step}/acts/extend").text
    wrong = post(secretary, f"{step}/acts/extend", until="2026-03-02", reason="专班尚未组成")
    assert (wrong.status_code, 'value="2026-03-02"' in wrong.text) == (422, True)
    done = post(secretary, f"{step}/acts/extend", until="2026-04-01", reason="专班尚未组成")
    assert done.status_code == 303
    assert "待审批" in secretary.get(step).text
    key, above = next(one for one in house.case.world.waiting() if one[0].startswith("extension:"))
    superior, at = house.sign_in(above), f"/steps/{house.slot(key)}"
    page = superior.get(at).text
    for said in ("审批延期申请", "专班尚未组成", "原定期限", "4月1日", "同意至另一日期"):
        assert said in page
    given = {"answer": "agree_other", "reason": "抓紧", "form": "extension"}
    refused = post(superior, at, **given, until="2026-05-01")
    assert (refused.status_code, 'value="2026-05-01"' in refused.text) == (422, True)
    assert post(superior, at, **given, until="2026-03-25").status_code == 303
    shown = secretary.get(step).text
    for said in ("3月25日", "同意至另一日期", "抓紧"):
        assert said in shown
    told = secretary.get("/messages").text
    assert "延期申请已同意" in told
