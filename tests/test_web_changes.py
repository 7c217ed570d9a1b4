"""组织变动 on the pages: a look at what moves, the confirmation, the list that is handed over."""

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.organisation import Appointment, FormerOrganisation, Organisation, Post
from services.casework import drain, mechanisms
from tests.rectification_cast import begin
from tests.vacancy_scene import MECHANISM
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock

_held, _organisations, _posts = table(Appointment), table(Organisation), table(Post)


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary of the town; vacancies are cases."""
    case = begin(engine, Clock())
    more = {key: made for key, made in mechanisms().items() if key[0] == MECHANISM}
    case.world.env = replace(case.env, mechanisms={**case.env.mechanisms, **more})
    return open_house(case)


def seen(browser: Browser, path: str, **given: str) -> dict[str, str]:
    """The confirmation of a change as a browser sends it back."""
    query = "&".join(f"{name}={value}" for name, value in given.items())
    page = browser.get(f"{path}?{query}").text
    form = page[page.index('method="post" action="/changes') :]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


def values(house: House, query: Any) -> list[Any]:
    with house.case.env.engine.connect() as db:
        return list(db.execute(query).scalars())


def term(house: House, post: str) -> int:
    mine = _held.c.post_id == house.case.world.posts[post], _held.c.ends_on.is_(None)
    return int(values(house, select(_held.c.id).where(*mine))[0])


def test_the_operator_finds_the_unit_and_its_posts(house: House) -> None:
    operator, town = house.sign_in("operator"), house.case.world.organisations["town"]
    assert "组织变动" in operator.get("/").text
    page = operator.get("/changes?q=梧桐").text
    assert f'href="/changes/units/{town}"' in page
    assert "临江" not in page
    page = operator.get(f"/changes/units/{town}").text
    for said in ("梧桐路街道党工委", "书记", "更名", "离任", "拆分", "隶属滨河区委"):
        assert said in page, said


def test_who_keeps_no_records_finds_no_page(house: House) -> None:
    town = house.case.world.organisations["town"]
    for post in ("secretary", "outsider", "district_secretary"):
        browser = house.sign_in(post)
        assert 'href="/changes"' not in browser.get("/").text
        for path in ("/changes", f"/changes/units/{town}", f"/changes/rename/{town}"):
            assert browser.get(path).status_code == 404
        given = {"name": "某某", "short_name": "某某", "seen": "", "key": "k" * 20}
        assert browser.post(f"/changes/rename/{town}", given).status_code == 404
    assert house.sign_in("operator").get(f"/changes/burn/{town}").status_code == 404


def test_the_organisation_department_changes_posts_and_no_units(house: House) -> None:
    department, town = house.sign_in("personnel_head"), house.case.world.organisations["town"]
    page = department.get(f"/changes/units/{town}").text
    assert "离任" in page
    assert "/changes/rename/" not in page
    assert department.get(f"/changes/rename/{town}").status_code == 404


def test_a_leaving_says_what_stays_and_a_vacancy_follows(house: House) -> None:
    operator, town = house.sign_in("operator"), house.case.world.organisations["town"]
    path = f"/changes/leave/{term(house, 'secretary')}"
    page = operator.get(f"{path}?on=2026-03-02").text
    for said in ("随之变动", "点题领题，明确整改责任", "确认"):
        assert said in page, said
    answer = operator.post(path, seen(operator, path, on="2026-03-02"))
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/changes/units/{town}?done=leave",
    )
    page = operator.get(answer.headers["Location"]).text
    assert "已办理：离任。" in page
    assert "空缺" in page
    assert "有事项等候的空缺职务" in operator.get("/changes").text


def test_who_takes_over_finds_the_list_and_confirms_it(house: House) -> None:
    operator, post = house.sign_in("operator"), house.case.world.posts["secretary"]
    deputy = house.case.world.people["deputy"]
    leave = f"/changes/leave/{term(house, 'secretary')}"
    operator.post(leave, seen(operator, leave, on="2026-03-02"))
    path = f"/changes/appoint/{post}"
    given = {"person": str(deputy), "name": "", "on": "2026-03-02"}
    assert "梧桐路街道党工委副书记" in operator.get(path).text
    assert operator.post(path, seen(operator, path, **given)).status_code == 303
    browser = house.sign_in("deputy")
    assert "有 1 份交接清单待您签收" in browser.get("/").text
    listed = browser.get("/handovers").headers["Location"]
    page = browser.get(listed).text
    assert "点题领题，明确整改责任" in page
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    for other in ("outsider", "operator"):
        assert house.sign_in(other).get(listed).status_code == 404
        assert house.sign_in(other).post(listed, {"key": "k" * 20}).status_code == 404
    assert browser.post(listed, {"key": key}).status_code == 303
    assert "已于" in browser.get(listed).text
    assert "交接清单" not in browser.get("/").text
    assert browser.get("/handovers").headers["Location"] == "/"


def test_what_changed_meanwhile_is_shown_anew(house: House) -> None:
    operator = house.sign_in("operator")
    posts = house.case.world.posts
    path = f"/changes/abolish/{posts['secretary']}"
    given = seen(operator, path, successor=str(posts["deputy"]))
    old = {**given, "seen": "0" * 64}
    answer = operator.post(path, old)
    assert answer.status_code == 409
    assert "情况已有变化" in answer.text
    assert "确认" in answer.text
    assert values(house, select(_posts.c.id).where(_posts.c.successor_id.is_not(None))) == []
    assert operator.post(path, given).status_code == 303
    assert values(
        house, select(_posts.c.successor_id).where(_posts.c.id == posts["secretary"])
    ) == [posts["deputy"]]


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("rename", {"name": "梧桐街道党工委", "short_name": "梧桐街道"}),
        ("create", {"title": "宣传委员", "kind": "member", "rank": "6"}),
        ("split", {"code": "park", "name": "园区党工委", "short_name": "园区"}),
    ],
)
def test_a_unit_is_changed_by_its_form(house: House, what: str, given: dict[str, str]) -> None:
    operator, town = house.sign_in("operator"), house.case.world.organisations["town"]
    path = f"/changes/{what}/{town}"
    given = given | ({"posts": str(house.case.world.posts["deputy"])} if what == "split" else {})
    confirmed = seen(operator, path, **given)
    before = values(house, select(_posts.c.id)), values(house, select(_organisations.c.id))
    with failing_commits(house.case.env.engine):
        assert operator.post(path, confirmed).status_code == 503
    done = operator.post(path, confirmed)
    assert done.status_code == 303
    page = operator.get(done.headers["Location"]).text
    assert "已办理：" in page
    assert ('href="/changes?q=park"' in page) == (what == "split")
    names = values(house, select(_organisations.c.name)) + values(house, select(_posts.c.title))
    assert (given.get("name") or given["title"]) in names
    assert len(values(house, select(_posts.c.id))) >= len(before[0])


def test_a_form_leads_to_what_moves_and_names_posts_as_their_unit_does(house: House) -> None:
    operator, town = house.sign_in("operator"), house.case.world.organisations["town"]
    page = operator.get(f"/changes/split/{town}").text
    assert f'action="/changes/split/{town}#moves"' in page
    assert "<span>副书记</span>" in page
    assert "已办理" not in operator.get(f"/changes/units/{town}?done=nothing").text


def test_a_merger_asks_for_each_post_that_something_waits_on(house: House) -> None:
    operator, world = house.sign_in("operator"), house.case.world
    path = f"/changes/merge/{world.organisations['town']}"
    into = {"into": str(world.organisations["other"])}
    page = operator.get(f"{path}?into={into['into']}").text
    assert "书记的 1 项待办由谁承接" in page
    assert "还有待办没有指定" in page or 'name="seen"' not in page
    target = {f"target.{world.posts['secretary']}": str(world.posts["outsider"])}
    done = operator.post(path, seen(operator, path, **into, **target))
    assert "已办理：合并。" in operator.get(done.headers["Location"]).text
    assert "没有找到单位" in operator.get("/changes?q=梧桐路街道党工委").text
    former = table(FormerOrganisation)
    assert len(values(house, select(former.c.id))) >= 1


def test_a_department_is_merged_into_the_one_beside_it(house: House) -> None:
    operator, units = house.sign_in("operator"), house.case.world.organisations
    path, city = f"/changes/merge/{units['office']}", str(units["city"])
    assert f'value="{city}"' in operator.get(path).text
    assert operator.post(path, seen(operator, path, into=city)).status_code == 303
    page = operator.get(f"/organisations/{units['office']}").text
    assert "并入" in page
    assert f'href="/organisations/{city}"' in page


@pytest.mark.parametrize("value", ["", "x", "0", "99999999999999999999", "1' OR 1=1"])
def test_an_answer_that_cannot_be_is_said_where_it_is(house: House, value: str) -> None:
    operator, town = house.sign_in("operator"), house.case.world.organisations["town"]
    page = operator.get(f"/changes/move/{town}", params={"to": value})
    assert page.status_code == (200 if not value else 422)
    given = {"to": value, "seen": "", "key": "k" * 20}
    assert operator.post(f"/changes/move/{town}", given).status_code in (404, 422)
    assert values(house, select(table(FormerOrganisation).c.id)) == []


def test_a_superior_gives_a_step_to_another_post(house: House) -> None:
    leader, slot = house.sign_in("district_secretary"), house.slot("assign-roles")
    path, posts = f"/steps/{slot}/rerouting", house.case.world.posts
    assert f'href="{path}"' in leader.get(f"/steps/{slot}").text
    page = leader.get(path).text
    assert "梧桐路街道党工委副书记" in page
    given = {"post": str(posts["deputy"]), "reason": "", "key": "k" * 20}
    refused = leader.post(path, given)
    assert (refused.status_code, "请写明改派的原因" in refused.text) == (422, True)
    done = leader.post(path, {**given, "reason": "分工调整", "key": "l" * 20})
    assert (done.status_code, done.headers["Location"]) == (303, f"/steps/{slot}")
    assert house.case.world.waiting() == [("assign-roles", "deputy")]
    secretary = house.sign_in("secretary")
    assert f'href="{path}"' not in house.sign_in("clerk").get(f"/steps/{slot}").text
    assert house.sign_in("clerk").get(path).headers["Location"] == f"/steps/{slot}"
    assert house.sign_in("outsider").get(path).status_code == 404
    assert "待办" in secretary.get("/").text


def test_a_vacancy_is_answered_on_its_step(house: House) -> None:
    operator = house.sign_in("operator")
    leave = f"/changes/leave/{term(house, 'secretary')}"
    operator.post(leave, seen(operator, leave, on="2026-03-02"))
    while drain(house.case.env):
        pass
    slots = [slot for slot in house.case.world.open_slots() if slot[1] == "name-holder"]
    assert [slot[2] for slot in slots] == ["district_member"]
    leader, path = house.sign_in("district_member"), f"/steps/{slots[0][0]}"
    page = leader.get(path).text
    for said in ("书记缺位，1 项待办等候", "等候这一职务办理的事项", "接任人", "点题领题"):
        assert said in page, said
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    given = {"answer": "done", "form": "name_holder", "key": key}
    wrong = leader.post(path, {**given, "person": ""})
    assert (wrong.status_code, "从名单中选择" in wrong.text) == (422, True)
    person = str(house.case.world.people["deputy"])
    key = re.findall(r'name="key" value="([^"]+)"', wrong.text)[0]
    assert leader.post(path, {**given, "key": key, "person": person}).status_code == 303
    assert "点题领题" in house.sign_in("deputy").get("/").text
