"""Deciding on pages and through the API: once, with a reason, and never over somebody else."""

import re
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import Engine, update

from models.base import table
from models.casework import Case, Decision, Effect
from models.message import Message
from services.casework import claim_effect, fail_effect, ready_effects
from services.command import SHANGHAI, Work
from services.sealing import Sealer
from tests.rectification_cast import begin
from tests.web_house import House, open_house
from tests.world import Clock, appoint

CANARY = '<img src=x onerror="alert(1)">{{7*7}}'


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary."""
    return open_house(begin(engine, Clock()))


def filled(page: str) -> dict[str, str]:
    """The form of a step as a browser would send it back."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    fields = {name: unescape(value) for name, value in hidden}
    for name, options in re.findall(
        r'<select class="input" name="([^"]+)".*?>(.*?)</select>', page
    ):
        chosen = re.search(r'value="(\d+)" selected', options)
        if chosen:
            fields[name] = chosen[1]
    return fields


def stored(house: House, *columns: str) -> list[tuple[object, ...]]:
    """These columns of all decisions."""
    return house.case.rows(Decision, *columns)


def at_review(house: House) -> None:
    """Three posts are asked to review the plan."""
    house.case.answer("assign-roles")
    house.case.answer("draft-plan")


def test_a_step_says_why_on_whom_by_which_rule_and_what_comes_next(house: House) -> None:
    page = house.sign_in("secretary").get(f"/steps/{house.slot('assign-roles')}").text
    for said in (
        "为什么在等",
        "您一人",
        "沪委发〔2019〕23号 四(五)",
        "落实点题、领题等责任 5 个工作日",
        "本系统建议值，无上位依据",
        "放假安排已公布至",
        "余 5 个工作日",
        "不办不等于同意",
    ):
        assert said in page, said


def test_a_decision_leads_to_the_next_thing_and_says_what_was_done(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    answer = secretary.post(f"/steps/{slot}", filled(secretary.get(f"/steps/{slot}").text))
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/?done={slot}"
    assert "已办理：点题领题，明确整改责任，办结" in secretary.get(f"/?done={slot}").text
    assert stored(house, "answer", "late") == [("done", False)]
    assert "已办理" not in house.sign_in("clerk").get(f"/?done={slot}").text


def test_the_same_form_sent_twice_is_one_decision_with_one_answer(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    form = filled(secretary.get(f"/steps/{slot}").text)
    first, second = (secretary.post(f"/steps/{slot}", form) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(stored(house, "id")) == 1


def test_the_same_key_with_other_content_is_refused(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    form = filled(secretary.get(f"/steps/{slot}").text)
    secretary.post(f"/steps/{slot}", form)
    assert secretary.post(f"/steps/{slot}", form | {"reason": "又改了"}).status_code == 422
    assert len(stored(house, "id")) == 1


def test_one_persons_key_means_nothing_to_another(house: House) -> None:
    at_review(house)
    for post in ("discipline_secretary", "personnel_head"):
        reviewer, slot = house.sign_in(post), house.slot("review-plan", post)
        answer = reviewer.api(f"/api/steps/{slot}/decision", {"answer": "agree"}, "same-key-1")
        assert answer.status_code == 200


def test_what_was_decided_already_says_by_whom_and_when_and_keeps_the_text(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    form = filled(secretary.get(f"/steps/{slot}").text)
    other_tab = filled(secretary.get(f"/steps/{slot}").text)
    secretary.post(f"/steps/{slot}", form)
    late = secretary.post(f"/steps/{slot}", other_tab | {"reason": "我的意见"})
    assert late.status_code == 409
    assert "由梧桐路街道党工委书记于2026年3月2日 09:00办理" in late.text
    assert "我的意见" in late.text
    assert f'href="/steps/{slot}"' in late.text
    assert secretary.get(f"/steps/{slot}").status_code == 200
    said = secretary.api(f"/api/steps/{slot}/decision", {"answer": "done"}, "other-key-1").json()
    assert said["error"] == "already_decided"
    assert said["details"]["by"] == "梧桐路街道党工委书记"


def test_what_was_written_is_not_lost_when_the_session_ended_meanwhile(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    form = filled(secretary.get(f"/steps/{slot}").text) | {"reason": "写了很久的意见"}
    secretary.post("/logout")
    answer = secretary.post(f"/steps/{slot}", form)
    assert answer.status_code == 401
    assert "写了很久的意见" in answer.text
    assert f'href="/login?next=/steps/{slot}"' in answer.text
    assert stored(house, "id") == []


def test_a_choice_has_no_default_and_a_return_needs_a_reason(house: House) -> None:
    at_review(house)
    reviewer = house.sign_in("discipline_secretary")
    slot = house.slot("review-plan", "discipline_secretary")
    page = reviewer.get(f"/steps/{slot}").text
    assert len(re.findall(r'type="radio" name="answer"', page)) == 2
    assert " checked" not in page
    form = filled(page) | {"reason": "  "}
    nothing = reviewer.post(f"/steps/{slot}", form)
    assert nothing.status_code == 422
    assert "请选择这一项所列的意见" in nothing.text
    unsaid = reviewer.post(f"/steps/{slot}", form | {"answer": "return"})
    assert unsaid.status_code == 422
    assert "请写明原因" in unsaid.text
    assert 'value="return" required checked' in unsaid.text
    assert stored(house, "answer")[2:] == []
    said = reviewer.post(f"/steps/{slot}", form | {"answer": "return", "reason": "标准不具体"})
    assert said.status_code == 303
    assert ("revise-plan", "clerk") in house.world.waiting()


def test_what_was_filled_in_is_there_again_when_something_is_wrong(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    form = filled(secretary.get(f"/steps/{slot}").text)
    role = f"role.{house.case.problems[1]}.supervisor"
    wrong = form | {role: form[f"role.{house.case.problems[1]}.sets_topic"], "reason": CANARY}
    page = secretary.post(f"/steps/{slot}", wrong)
    assert page.status_code == 422
    assert "没有提交，您填的内容没有丢" in page.text
    assert "第 1 号问题" in page.text
    assert "&lt;img src=x" in page.text


def test_a_return_goes_to_the_step_that_was_chosen(house: House) -> None:
    at_review(house)
    house.case.review()
    leader, slot = house.sign_in("district_member"), house.slot("approve-plan")
    page = leader.get(f"/steps/{slot}").text
    assert "退回到哪一环节" in page
    form = filled(page) | {"answer": "return", "reason": "责任不清"}
    assert leader.post(f"/steps/{slot}", form).status_code == 422
    chosen = form | {"back_to": "assign-roles"}
    assert leader.post(f"/steps/{slot}", chosen).status_code == 303
    assert house.world.waiting() == [("assign-roles", "secretary")]
    case = leader.get(f"/cases/{house.case.case_id}").text
    assert "退回 至“点题领题，明确整改责任”" in case
    assert "已因退回作废" in case


def test_whoever_did_an_earlier_step_reads_why_they_may_not_judge(house: House) -> None:
    at_review(house)
    posts, people = house.world.posts, house.world.people
    house.world.do(lambda work: {"id": appoint(work, posts["inspection_head"], people["clerk"])})
    clerk = house.sign_in("clerk")
    slot = house.slot("review-plan", "inspection_head")
    page = clerk.get(f"/steps/{slot}").text
    assert "您办理过“报送整改方案和任务清单”" in page
    assert 'aria-disabled="true"' in page
    assert clerk.post(f"/steps/{slot}", {"answer": "agree", "key": "k" * 20}).status_code == 403


def test_texts_people_write_stay_texts(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    form = filled(secretary.get(f"/steps/{slot}").text) | {"reason": CANARY}
    secretary.post(f"/steps/{slot}", form)
    for path in (f"/steps/{slot}", f"/cases/{house.case.case_id}", "/done"):
        page = secretary.get(path).text
        assert "&lt;img src=x" in page
        assert "<img" not in page
        assert "{{7*7}}" in page


def test_who_decided_reads_up_to_when_the_record_is_sealed(house: House) -> None:
    secretary = house.sign_in("secretary")
    assert "已封存至" not in secretary.get("/done").text
    Sealer(replace(house.case.env, seal_key="11" * 32)).once()
    at = house.case.env.clock().astimezone(SHANGHAI)
    assert re.search(f"已封存至 <time[^>]*>[^<]*{at:%H:%M}</time>", secretary.get("/done").text)


def test_the_badge_the_list_and_the_api_count_alike(house: House) -> None:
    house.case.plan()
    for post in house.world.people:
        person = house.sign_in(post)
        said = person.get("/api/inbox").json()
        rows = person.get("/").text.count("<tr data-row>")
        assert said["count"] == len(said["items"]) == rows
        assert person.get("/api/session").json()["waiting"] == rows
        assert f"待办 <b>{rows}</b>" in person.get("/done").text


def test_the_inbox_goes_on_where_the_last_page_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("services.inbox", "web.routes.inbox", "web.routes.api"):
        monkeypatch.setattr(f"{module}.PAGE", 2)
    house.case.plan()
    clerk = house.sign_in("office_clerk")
    seen, address = [], "/api/inbox"
    while address:
        page = clerk.get(address).json()
        seen += [item["slot_id"] for item in page["items"]]
        address = page["next"] and "/api/inbox?after=" + page["next"].replace("+", "%2B")
    assert len(seen) == len(set(seen)) == page["count"] == 3
    assert "后面的" in clerk.get("/").text


def test_reading_messages_is_a_post_and_only_of_ones_own(house: House) -> None:
    secretary, clerk = house.sign_in("secretary"), house.sign_in("clerk")
    house.case.answer("assign-roles")
    told = house.case.rows(Message, "id", "person_id")
    theirs = [id_ for id_, person in told if person == house.world.people["clerk"]]
    secretary.post("/messages/read", {"key": "k" * 20, "id": theirs})
    assert clerk.get("/api/session").status_code == 200
    page = clerk.get("/messages").text
    assert "本页标为已读" in page
    form = filled(page)
    clerk.post("/messages/read", form | {"id": re.findall(r'name="id" value="(\d+)"', page)})
    assert "本页标为已读" not in clerk.get("/messages").text


def test_the_api_reads_and_decides_with_the_same_checks(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    step = secretary.get(f"/api/steps/{slot}").json()
    assert step["answerable"] is True
    assert [choice["value"] for choice in step["choices"]] == ["done"]
    path = f"/api/steps/{slot}/decision"
    extra = secretary.api(path, {"answer": "done", "verdict": "x"}).json()
    assert (extra["error"], extra["details"]) == ("invalid", {"field": "verdict"})
    assert extra["message"] == "没有 verdict 这一项。"
    assert secretary.api(path, {"answer": "done"}, key="").status_code == 422
    assert secretary.api(path, {"answer": "agree"}).json()["details"] == {"field": "answer"}
    first, second = (secretary.api(path, {"answer": "done"}) for _ in range(2))
    assert first.json() == second.json()
    assert first.json()["case_id"] == house.case.case_id
    assert secretary.api(path, {"answer": "done", "reason": "x"}).json()["error"] == "key_reused"
    case = secretary.get(f"/api/cases/{house.case.case_id}").json()
    assert case["figures"]["decisions"] == 1
    assert stored(house, "person_id") == [(house.world.people["secretary"],)]


def test_a_step_is_found_from_the_message_that_named_it(house: House) -> None:
    secretary = house.sign_in("secretary")
    link = re.search(r'href="(/asked/\d+)"', secretary.get("/messages").text)
    assert link is not None
    slot = house.slot("assign-roles")
    assert secretary.get(link[1]).headers["Location"] == f"/steps/{slot}"


def test_operators_are_asked_about_what_failed_and_find_the_run(engine: Engine) -> None:
    house = open_house(begin(engine, Clock()), prefect_ui_url="http://prefect.test/")
    at_review(house)
    house.case.review()
    house.world.answer("approve-plan", "agree")
    with engine.connect() as db:
        (effect,) = ready_effects(db, house.case.case_id)
    claim_effect(house.case.env, effect.id)
    fail_effect(house.case.env, effect.id, "TimeoutError")
    house.world.do(lambda work: _with_run(work))
    operator, slot = house.sign_in("operator"), house.slot(f"operator:{effect.id}")
    page = operator.get(f"/steps/{slot}").text
    assert "下发任务清单" in page
    assert "TimeoutError" in page
    link = "http://prefect.test/runs/flow-run/run-7"
    path = f"/cases/{house.case.case_id}"
    assert link in operator.get(path).text
    secretary = house.sign_in("secretary")
    assert link not in secretary.get(path).text
    runs = [browser.get(f"/api{path}").json()["run_id"] for browser in (operator, secretary)]
    assert runs == ["run-7", None]
    form = filled(page) | {"answer": "enter", "result": '{"units": 2}', "reason": ""}
    assert operator.post(f"/steps/{slot}", form).status_code == 303
    assert house.case.rows(Effect, "result") == [({"units": 2},)]


def _with_run(work: Work) -> dict[str, object]:
    return {"cases": work.db.execute(update(table(Case)).values(run_id="run-7")).rowcount}
