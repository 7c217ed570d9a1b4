"""The organisation tree on its pages: within one's scope, with names, posts and dates of before."""

from datetime import date

import pytest
from sqlalchemy import Engine, insert

from models.base import table
from models.organisation import Appointment, FormerOrganisation, Person, Post
from services.command import Work
from services.organisation_page import below, named, top
from services.scope import standing
from tests.rectification_cast import begin
from tests.test_web_access import anonymous
from tests.web_house import House, open_house
from tests.world import Clock


@pytest.fixture
def house(engine: Engine) -> House:
    """A town with two departments, and a discipline commission that serves it."""
    return open_house(begin(engine, Clock()))


def names(house: House, post: str, text: str = "") -> list[str]:
    """The units with which the tree begins for somebody, or that a search finds."""
    with house.case.env.engine.connect() as db:
        who = standing(db, house.world.people[post], date(2026, 3, 2))
        found = named(db, who, text) if text else top(db, who)
        return [node.name for node in found.shown]


def test_the_tree_begins_where_ones_scope_begins(house: House) -> None:
    assert names(house, "district_secretary") == ["滨河区委"]
    assert names(house, "secretary") == ["梧桐路街道党工委"]
    assert names(house, "outsider") == ["临江镇党委"]


def test_who_changes_units_reads_all_they_may_change_and_no_case_of_them(house: House) -> None:
    town = house.world.organisations["town"]
    assert names(house, "operator", "梧桐路街道党工委") == ["梧桐路街道党工委"]
    operator = house.sign_in("operator")
    assert operator.get(f"/organisations/{town}").status_code == 200
    assert operator.get(f"/cases/{house.case.case_id}").status_code == 404
    assert names(house, "district_member", "临江镇") == []


def test_a_branch_opens_and_holds_what_stands_below(house: House) -> None:
    town = house.world.organisations["town"]
    page = house.sign_in("secretary").get(f"/organisations/{town}/below").text
    for name in ("党建办", "城市管理办", "梧桐路街道纪工委"):
        assert name in page
    assert "<html" not in page
    with house.case.env.engine.connect() as db:
        who = standing(db, house.world.people["district_secretary"], date(2026, 3, 2))
        head = top(db, who).shown[0]
        opens = {node.name: node.opens for node in below(db, who, head.id).shown}
    assert opens["梧桐路街道党工委"]
    assert not opens["临江镇党委"]


def test_a_search_finds_names_of_now_and_before_within_ones_scope(house: House) -> None:
    former = {
        "organisation_id": house.world.organisations["town"],
        "name": "梧桐镇党委",
        "short_name": "梧桐镇党委",
        "parent_id": house.world.organisations["district"],
        "ends_on": date(2020, 1, 1),
    }
    house.world.do(lambda work: write(work, FormerOrganisation, former))
    assert names(house, "secretary", "梧桐镇") == ["梧桐路街道党工委"]
    assert names(house, "outsider", "梧桐") == []
    assert names(house, "secretary", "%") == []
    page = house.sign_in("secretary").get(f"/organisations/{former['organisation_id']}").text
    assert "梧桐镇党委" in page
    assert "原隶属 滨河区委" in page
    found = house.sign_in("secretary").get("/organisations?name=梧桐镇").text
    assert "梧桐路街道党工委" in found


def write(work: Work, model: type, values: dict[str, object]) -> dict[str, object]:
    """One row, past the commands."""
    rows = table(model)
    return {"id": work.db.execute(insert(rows).returning(rows.c.id), values).scalar_one()}


def test_a_unit_shows_who_holds_its_posts_who_held_them_and_their_portfolios(house: House) -> None:
    world = house.world
    before = world.do(lambda work: write(work, Person, {"name": "前任副书记"}))["id"]
    term = {"post_id": world.posts["deputy"], "person_id": before}
    term |= {"starts_on": date(2015, 1, 1), "ends_on": date(2020, 1, 1)}
    world.do(lambda work: write(work, Appointment, term))
    vacant = {"organisation_id": world.organisations["town"], "kind": "member"}
    vacant |= {"title": "宣传委员", "rank": 3}
    world.do(lambda work: write(work, Post, vacant))
    page = house.sign_in("secretary").get(f"/organisations/{world.organisations['town']}").text
    for said in (
        "副书记",
        "前任副书记",
        "2015年1月1日",
        "2019年12月31日",
        "宣传委员",
        "缺位",
        "纪检机构",
    ):
        assert said in page, said
    above = house.sign_in("district_member").get(f"/organisations/{world.organisations['town']}")
    assert above.status_code == 200


def test_another_unit_is_a_link_only_where_it_may_be_seen(house: House) -> None:
    """The town's discipline organ is served from above; the town does not see that one."""
    world = house.world
    unit = world.organisations["town_discipline"]
    page = house.sign_in("town_discipline_secretary").get(f"/organisations/{unit}").text
    assert "滨河区纪委" in page
    assert f'href="/organisations/{world.organisations["discipline"]}"' not in page
    assert f'href="/organisations/{world.organisations["town"]}"' in page


def test_a_foreign_unit_answers_like_one_that_is_not_there(house: House) -> None:
    outsider, town = house.sign_in("outsider"), house.world.organisations["town"]
    for path in ("/organisations/{}", "/organisations/{}/below"):
        seen, unseen = outsider.get(path.format(town)), outsider.get(path.format(987_654))
        assert seen.status_code == unseen.status_code == 404
        assert anonymous(seen.text) == anonymous(unseen.text)
    listed = outsider.get("/organisations?name=党").text
    assert "梧桐" not in listed
    assert "临江镇党委" in listed
