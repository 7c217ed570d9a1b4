"""暂停、恢复 on the pages and through the API, and where people read that something stands."""

import re

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.casework import Branch
from models.pause import Pause
from services.mirror import mirror
from services.watch import sweep
from tests.parts_case import values
from tests.rectification_cast import begin
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock

WHY = "机构改革，人员转隶尚未完成"
REVIEW = "2026-04-01"
_branches, _pauses = table(Branch), table(Pause)


@pytest.fixture
def house(engine: Engine) -> House:
    """The plan is published, tasks wait; the leader in charge is district_member."""
    case = begin(engine, Clock())
    case.plan()
    return open_house(case)


def root(house: House) -> int:
    of = _branches.c.case_id == house.case.case_id, _branches.c.parent_id.is_(None)
    return int(values(house.world, select(_branches.c.id).where(*of))[0])


def of_problem(house: House, number: int) -> int:
    mine = _branches.c.row_kind == "problem", _branches.c.row_id == house.case.problems[number]
    return int(values(house.world, select(_branches.c.id).where(*mine))[0])


def form(browser: Browser, path: str, **given: str) -> dict[str, str]:
    """The form as a browser sends it back."""
    page = browser.get(path).text
    return {**dict(re.findall(r'name="(key)" value="([^"]+)"', page)), **given}


def stop(house: House, browser: Browser, at: int, **given: str) -> object:
    path = f"/branches/{at}/pause"
    told = {"kind": "reorganisation", "review_on": REVIEW, "reason": WHY} | given
    return browser.post(path, form(browser, path, **told))


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page))


def paused(house: House) -> int:
    return len(values(house.world, select(_pauses.c.id).where(_pauses.c.ended_at.is_(None))))


def test_a_case_is_paused_and_everybody_reads_that_it_stands(house: House) -> None:
    leader, clerk = house.sign_in("district_member"), house.sign_in("office_clerk")
    case, path = f"/cases/{house.case.case_id}", f"/branches/{root(house)}/pause"
    for post, offered in (("district_member", True), ("secretary", False), ("clerk", False)):
        assert (path in house.sign_in(post).get(case).text) is offered, post
    page = plain(leader.get(path).text)
    for said in ("项待办不计期限", "滨河区委分管副书记", "必填", "申诉期间不停止原决定的执行"):
        assert said in page, said
    answer = leader.post(path, form(leader, path, kind="appeal", review_on=REVIEW, reason=WHY))
    assert (answer.status_code, answer.headers["Location"]) == (303, case)
    slot = house.slot("do-task")
    for browser, where in ((leader, case), (clerk, f"/steps/{slot}"), (leader, _problem(house))):
        page = plain(browser.get(where).text)
        for said in ("已暂停：申诉", "由滨河区委分管副书记暂停，3月2日 09:00", "4月1日复核", WHY):
            assert said in page, (where, said)
    inbox = plain(clerk.get("/").text)
    assert "已暂停，不升级" in inbox
    assert "已暂停" in plain(leader.get("/cases").text)
    assert "已暂停：" in clerk.get("/messages").text
    shown = mirror(house.case.env, house.case.case_id)
    assert shown.name == "已暂停"
    assert "，已暂停）" in shown.message
    assert leader.get(path).headers["Location"] == case
    again = leader.post(path, form(leader, path, key="k" * 20, kind="appeal") | {"reason": WHY})
    assert again.status_code in (409, 422)
    assert paused(house) == 1


def _problem(house: House) -> str:
    return f"/problems/{house.case.problems[1]}"


def test_it_is_prolonged_and_resumed_and_the_step_says_why_its_date_moved(house: House) -> None:
    leader, clerk = house.sign_in("district_member"), house.sign_in("office_clerk")
    stop(house, leader, root(house))
    path = f"/branches/{root(house)}/resumption"
    clock = house.case.env.clock
    clock.forward(days=5)  # type: ignore[attr-defined]
    leader = house.sign_in("district_member")
    wrong = leader.post(path, form(leader, path, how="prolong", reason=WHY))
    assert (wrong.status_code, 'aria-invalid="true"' in wrong.text) == (422, True)
    assert leader.post(path, form(leader, path, reason=WHY)).status_code == 422
    longer = form(leader, path, how="prolong", review_on="2026-05-01", reason="尚未完成")
    assert leader.post(path, longer).status_code == 303
    assert "5月1日复核" in plain(leader.get(path).text)
    clock.forward(days=5)  # type: ignore[attr-defined]
    leader, clerk = house.sign_in("district_member"), house.sign_in("office_clerk")
    done = leader.post(path, form(leader, path, how="resume", reason="转隶完成"))
    assert done.headers["Location"] == f"/cases/{house.case.case_id}"
    assert paused(house) == 0
    page = plain(clerk.get(f"/steps/{house.slot('do-task')}").text)
    assert page.count("因机构调整暂停") == 2
    assert "顺延 5 天" in page
    assert "原定" in page
    assert "已暂停：" not in page
    assert "已恢复：" in clerk.get("/messages").text
    assert leader.get(path).headers["Location"] == f"/cases/{house.case.case_id}"


def test_one_problem_stands_below_the_others_in_the_inbox(house: House) -> None:
    leader, clerk = house.sign_in("district_member"), house.sign_in("office_clerk")
    at = of_problem(house, 1)
    answer = stop(house, leader, at)
    assert answer.headers["Location"] == _problem(house)  # type: ignore[attr-defined]
    inbox = clerk.get("/").text
    assert re.findall(r'scope="rowgroup">([^<　]+)', inbox)[-1] == "已暂停"
    assert re.findall(r'class="title" href="/steps/(\d+)"', inbox)[-1] == str(house.slot("do-task"))
    assert "另有 1 个分支单独暂停" in plain(leader.get(f"/cases/{house.case.case_id}").text)
    assert mirror(house.case.env, house.case.case_id).name == "待办"
    house.case.env.clock.forward(days=31)  # type: ignore[attr-defined]
    sweep(house.case.env)
    assert "请复核暂停" in house.sign_in("district_member").get("/messages").text


@pytest.mark.parametrize(
    ("field", "wrong"), [("reason", ""), ("review_on", "2026-03-01"), ("kind", "holiday")]
)
def test_what_will_not_do_is_said_where_it_is(house: House, field: str, wrong: str) -> None:
    leader = house.sign_in("district_member")
    answer = stop(house, leader, root(house), **{field: wrong})
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert f'href="#{field}"' in answer.text  # type: ignore[attr-defined]
    assert paused(house) == 0


def test_a_foreign_branch_answers_like_one_that_is_not_there(house: House) -> None:
    given = {"kind": "appeal", "review_on": REVIEW, "reason": WHY, "key": "k" * 20}
    outsider = house.sign_in("outsider")
    for end in ("pause", "resumption"):
        answers = [
            call(f"/branches/{at}/{end}")
            for at in (root(house), 987_654)
            for call in (outsider.get, lambda to: outsider.post(to, given | {"how": "resume"}))
        ]
        assert {answer.status_code for answer in answers} == {404}
    assert (
        house.sign_in("secretary").post(f"/branches/{root(house)}/pause", given).status_code == 403
    )


def test_it_is_paused_prolonged_and_resumed_through_the_api(house: House) -> None:
    leader = house.sign_in("district_member")
    api, given = f"/api/branches/{root(house)}", {"review_on": REVIEW, "reason": WHY}
    assert leader.api(f"{api}/resumption", {"reason": WHY}, key="too-early").status_code == 409
    pause = given | {"kind": "appeal"}
    assert leader.api(f"{api}/pause", pause | {"more": 1}).status_code == 422
    first, again = (leader.api(f"{api}/pause", pause) for _ in range(2))
    assert (first.status_code, again.json()) == (200, first.json())
    assert leader.api(f"{api}/pause", pause, key="another-key").status_code == 409
    shown = leader.send("GET", f"/api/cases/{house.case.case_id}").json()
    assert shown["stands"]["pause"]["kind"] == "appeal"
    longer = given | {"review_on": "2026-06-01"}
    assert leader.api(f"{api}/prolongation", longer, key="prolong-key").status_code == 200
    with failing_commits(house.case.env.engine):
        assert leader.api(f"{api}/resumption", {"reason": WHY}, key="resume-key").status_code == 503
    assert paused(house) == 1
    assert leader.api(f"{api}/resumption", {"reason": WHY}, key="resume-key").status_code == 200
    assert paused(house) == 0


def test_the_present_rate_is_not_hurt_while_it_stands(house: House) -> None:
    leader = house.sign_in("district_member")
    stop(house, leader, root(house), review_on="2026-12-01")
    house.case.env.clock.forward(days=200)  # type: ignore[attr-defined]
    figures = house.sign_in("district_member").send("GET", f"/api/cases/{house.case.case_id}")
    rate = figures.json()["on_time"]
    assert (rate["of_current"], figures.json()["figures"]["late"]) == (0, 0)
    assert rate["of_original"] == 3
