"""三态完成 on the pages: said in the form, seen by who judges it, shown on problem and case."""

from sqlalchemy import Engine

from tests.rectification_cast import CLAIM, begin
from tests.web_house import open_house
from tests.world import Clock


def test_what_is_claimed_on_the_page_is_judged_and_shown(sqlite_engine: Engine) -> None:
    case = begin(sqlite_engine, Clock())
    case.plan()
    case.do_tasks()
    house = open_house(case)
    head, slot = house.sign_in("office_head"), house.slot("apply-closing")
    page = head.get(f"/steps/{slot}").text
    assert 'type="radio" name="completion" value="basic" required' in page
    assert 'max="2026-09-02"' in page
    form = {"answer": "done", "form": "completion", "key": "claim-closing", **CLAIM}
    refused = head.post(f"/steps/{slot}", form | {"remains": ""})
    assert refused.status_code == 422
    assert "请写明还有哪些没有完成，或者哪些要长期坚持。" in refused.text
    assert CLAIM["measures"] in refused.text
    assert head.post(f"/steps/{slot}", form).status_code == 303
    deputy, slot = house.sign_in("deputy"), house.slot("sign")
    shown = deputy.get(f"/steps/{slot}").text
    for said in ("申请的完成情况", "长期坚持", CLAIM["remains"], "8月31日"):
        assert said in shown
    case.answer("sign", "agree")
    case.answer("verify", "agree")
    problem = deputy.get(f"/problems/{case.problems[1]}").text
    assert CLAIM["remains"] in problem
    whole = deputy.get(f"/cases/{case.case_id}").text
    assert "8月31日</time>复查" in whole
    assert 'data-place="ahead"><b>长期坚持</b>' in whole
    case.answer("apply-closing")
    case.answer("sign", "agree")
    case.answer("verify", "agree")
    case.sample()
    case.answer("draft-report")
    case.answer("approve-report", "agree")
    case.forward(190)
    slot = house.slot("say-standing")
    page = house.sign_in("office_head").get(f"/steps/{slot}").text
    for said in ("继续坚持", "申请销号", CLAIM["measures"]):
        assert said in page
