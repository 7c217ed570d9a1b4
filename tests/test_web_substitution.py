"""Pages and API of 离岗委托, and 代某某 wherever the substitute's work is shown."""

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from models.base import table
from models.casework import Decision
from models.substitution import Substitution
from tests.rectification_cast import begin
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock

NEW = "/substitutions/new"
STARTS, UNTIL = date(2026, 3, 2), date(2026, 3, 6)
BEHALF = "代梧桐路街道党工委书记"


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary."""
    return open_house(begin(engine, Clock()))


def given(house: House, post: str = "secretary", by: str = "deputy") -> dict[str, Any]:
    posts = house.world.posts
    days = {"starts": STARTS.isoformat(), "until": UNTIL.isoformat()}
    return {"post": str(posts[post]), "to": str(posts[by]), **days}


def arrange(house: House, browser: Browser, **more: Any) -> int:
    form = given(house) | {"reason": "外出学习", "key": "k" * 20} | more
    answer = browser.post("/substitutions", form)
    assert answer.status_code == 303, answer.text
    return newest(house)


def newest(house: House) -> int:
    with house.case.env.engine.connect() as db:
        return int(db.execute(select(func.max(table(Substitution).c.id))).scalar() or 0)


def decided(house: House) -> int:
    with house.case.env.engine.connect() as db:
        return int(db.execute(select(func.count()).select_from(table(Decision))).scalar_one())


def test_the_form_says_what_it_covers_before_anything_is_made(house: House) -> None:
    secretary = house.sign_in("secretary")
    blank = secretary.get(NEW).text
    assert "梧桐路街道党工委副书记" in blank
    assert "系统运维员" not in blank
    query = "&".join(f"{name}={value}" for name, value in given(house).items())
    page = secretary.get(f"{NEW}?{query}").text
    assert "现有待办 1 项" in page
    assert 'name="reason"' in page
    backwards = secretary.get(f"{NEW}?{query}".replace("03-06", "03-01")).text
    assert "最后一天不能早于第一天" in backwards
    assert 'name="reason"' not in backwards
    wrong = secretary.get(f"{NEW}?{query}".replace("2026-03-06", "soon"))
    assert (wrong.status_code, "请填写日期" in wrong.text) == (422, True)
    assert newest(house) == 0


def test_what_is_made_stands_in_both_lists_and_either_revokes_it(house: House) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    for browser in (secretary, deputy):
        id_ = arrange(house, secretary, key=f"key-of-{browser.csrf[:9]}")
        for one in (secretary, deputy):
            assert "生效中" in one.get("/substitutions").text
        answer = browser.post(f"/substitutions/{id_}/revocation", {"key": f"r{id_}" * 9})
        assert answer.status_code == 303
        assert "生效中" not in deputy.get("/substitutions").text


def test_a_step_is_decided_in_anothers_place_and_every_page_says_so(house: House) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    slot = house.slot("assign-roles")
    assert deputy.post(f"/steps/{slot}", {"answer": "done", "key": "x" * 9}).status_code == 403
    arrange(house, secretary)
    assert BEHALF in deputy.get("/").text
    assert "代他人 <b>1</b>" in deputy.get("/?behalf=1").text
    assert "代他人" not in secretary.get("/").text
    page = deputy.get(f"/steps/{slot}").text
    assert BEHALF in page
    assert "您受委托代" in page
    assert "您已委托梧桐路街道党工委副书记代办" in secretary.get(f"/steps/{slot}").text
    case = f"/cases/{house.case.case_id}"
    assert "由梧桐路街道党工委副书记代办，至" in house.sign_in("clerk").get(case).text
    answer = deputy.post(f"/steps/{slot}", {"answer": "done", "key": "y" * 9})
    assert answer.status_code == 303
    done = f"梧桐路街道党工委副书记{BEHALF}"
    for browser, path in (
        (deputy, "/done"),
        (secretary, f"/steps/{slot}"),
        (secretary, case),
    ):
        assert done in browser.get(path).text, path
    assert "已代办：" in secretary.get("/messages").text
    late = secretary.post(f"/steps/{slot}", {"answer": "done", "key": "z" * 9})
    assert (late.status_code, done in late.text) == (409, True)


def test_what_was_written_is_not_lost_when_the_substitution_ended_meanwhile(
    house: House,
) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    id_ = arrange(house, secretary)
    slot = house.slot("assign-roles")
    form = {"answer": "done", "key": "y" * 9, "reason": "四项责任均已落实到岗"}
    secretary.post(f"/substitutions/{id_}/revocation", {"key": "r" * 9})
    answer = deputy.post(f"/steps/{slot}", form)
    assert answer.status_code == 403
    assert "委托已被撤销" in answer.text
    assert "四项责任均已落实到岗" in answer.text
    assert decided(house) == 0


def test_what_is_wrong_is_shown_where_it_is_and_nothing_is_kept(house: House) -> None:
    secretary = house.sign_in("secretary")
    for changed, said in (
        ({"reason": ""}, "请写明委托的原因"),
        ({"to": ""}, "请选择代办人"),
        ({"post": "x"}, "请选择委托的职务"),
        ({"until": "2027-12-31"}, "一次委托最长"),
        ({"to": str(house.world.posts["operator"])}, "请从所列的职务中选择代办人"),
        ({"mechanism": "nothing"}, "请从所列的事项中选择"),
    ):
        form = given(house) | {"reason": "休假", "key": "k" * 20} | changed
        answer = secretary.post("/substitutions", form)
        assert (answer.status_code, said in answer.text) == (422, True), changed
    assert newest(house) == 0


def test_a_post_that_is_not_theirs_answers_like_one_that_is_not_there(house: House) -> None:
    outsider = house.sign_in("outsider")
    id_ = arrange(house, house.sign_in("secretary"))
    for post in (house.world.posts["secretary"], 987_654):
        form = given(house) | {"post": str(post), "reason": "休假", "key": f"k{post}" * 9}
        assert outsider.post("/substitutions", form).status_code == 404
        assert "<option" not in outsider.get(f"{NEW}?post={post}").text.split("代办人")[-1]
    texts = [
        outsider.post(f"/substitutions/{one}/revocation", {"key": f"r{one}" * 9})
        for one in (id_, 987_654)
    ]
    assert [answer.status_code for answer in texts] == [404, 404]
    assert len({re.sub(r"[0-9a-f]{12}|\d+", "", answer.text) for answer in texts}) == 1
    assert "没有离岗委托" in outsider.get("/substitutions").text
    assert outsider.get("/substitutions/below").headers["Location"] == "/substitutions"


def test_an_operator_sees_and_makes_those_of_the_organisation(house: House) -> None:
    operator = house.sign_in("operator")
    form = given(house, "district_member", "district_secretary")
    made = operator.post("/substitutions", form | {"reason": "住院", "key": "o" * 20})
    assert made.status_code == 303
    below = operator.get("/substitutions/below").text
    assert "滨河区委书记代滨河区委分管副书记" in below
    assert "由滨河区委系统运维员设立" in below
    ended = {"key": "p" * 20, "below": "1"}
    answer = operator.post(f"/substitutions/{newest(house)}/revocation", ended)
    assert answer.headers["Location"] == "/substitutions/below"


def test_the_api_makes_lists_and_revokes(house: House) -> None:
    secretary, deputy = house.sign_in("secretary"), house.sign_in("deputy")
    body = {
        "post_id": house.world.posts["secretary"],
        "substitute_post_id": house.world.posts["deputy"],
        "starts_on": STARTS.isoformat(),
        "until_on": UNTIL.isoformat(),
        "reason": "外出学习",
    }
    seen = secretary.api("/api/substitutions/preview", body).json()
    assert (seen["count"], seen["barred"], seen["hindrance"]) == (1, 0, "")
    made = secretary.api("/api/substitutions", body)
    id_ = made.json()["substitution_id"]
    assert secretary.api("/api/substitutions", body).json() == made.json()
    twice = secretary.api("/api/substitutions", body, key="another-key")
    assert (twice.status_code, twice.json()["error"]) == (422, "cannot_stand_in")
    listed = deputy.get("/api/substitutions").json()
    assert (listed["count"], listed["items"][0]["id"]) == (1, id_)
    inbox = deputy.get("/api/inbox?behalf=1").json()
    assert (inbox["count"], inbox["items"][0]["behalf"]) == (1, BEHALF)
    step = deputy.get(f"/api/steps/{house.slot('assign-roles')}").json()
    assert (step["answerable"], step["item"]["behalf"]) == (True, BEHALF)
    assert deputy.get("/api/substitutions?below=1").status_code == 404
    extra = secretary.api("/api/substitutions", body | {"made_by": 1}, key="extra-field")
    assert extra.status_code == 422
    path = f"/api/substitutions/{id_}/revocation"
    assert house.sign_in("clerk").api(path, {}).status_code == 404
    assert deputy.api(path, {}).status_code == 200
    over = secretary.api(path, {}, key="once-more-now")
    assert (over.status_code, over.json()["error"]) == (409, "substitution_over")


def test_nothing_answers_well_when_the_commit_fails(house: House) -> None:
    secretary = house.sign_in("secretary")
    form = given(house) | {"reason": "休假", "key": "k" * 20}
    with failing_commits(house.case.env.engine):
        assert secretary.post("/substitutions", form).status_code == 503
    assert newest(house) == 0
    id_ = arrange(house, secretary)
    with failing_commits(house.case.env.engine):
        answer = secretary.post(f"/substitutions/{id_}/revocation", {"key": "r" * 9})
        assert answer.status_code == 503
        api = secretary.api(f"/api/substitutions/{id_}/revocation", {})
        assert api.status_code == 503
    assert "生效中" in secretary.get("/substitutions").text
