"""Changes of units for a later day: planned, withdrawn, carried out on their day, or halted."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.audit import Command
from models.base import table
from models.organisation import Organisation
from models.planned_change import PlannedChange
from services.casework import mechanisms
from services.changes.planned import carry_out_due, withdraw
from services.errors import AlreadyDecided, NotFound
from services.launch import committees, left_out
from services.message import messages_for
from services.watch import sweep
from tests.rectification_cast import begin
from tests.vacancy_scene import MECHANISM
from tests.web_house import Browser, House, open_house
from tests.world import Clock

NEW = {"name": "梧桐街道党工委", "short_name": "梧桐街道"}
_organisations, _planned = table(Organisation), table(PlannedChange)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(engine: Engine, clock: Clock) -> House:
    """A town with a case; the first day is the second of March 2026."""
    case = begin(engine, clock)
    more = {key: made for key, made in mechanisms().items() if key[0] == MECHANISM}
    case.world.env = replace(case.env, mechanisms={**case.env.mechanisms, **more})
    return open_house(case)


def form(browser: Browser, path: str, **given: str) -> dict[str, str]:
    """The confirmation of a change as a browser sends it back."""
    page = browser.get(path, params=given or None).text
    last = page[page.index('class="decide stack" method="post"') :]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', last))


def planned(house: House, what: str, unit: str = "town", **given: str) -> int:
    """The operator plans a change of a unit; its id."""
    operator = house.sign_in("operator")
    path = f"/changes/{what}/{house.case.world.organisations[unit]}"
    answer = operator.post(path, form(operator, path, **given))
    assert answer.status_code == 303, answer.text
    assert "已列入计划：" in operator.get(answer.headers["Location"]).text
    return int(values(house, select(_planned.c.id).order_by(_planned.c.id.desc()))[0])


def values(house: House, query: Any) -> list[Any]:
    with house.case.env.engine.connect() as db:
        return list(db.execute(query).scalars())


def name(house: House) -> str:
    mine = _organisations.c.id == house.case.world.organisations["town"]
    return str(values(house, select(_organisations.c.name).where(mine))[0])


def told(house: House) -> str:
    with house.case.env.engine.connect() as db:
        lines = messages_for(db, house.case.world.people["operator"])
    return "\n".join(f"{line.title}\n{line.body}" for line in lines)


def test_it_is_seen_on_its_pages_and_carried_out_on_its_day(house: House, clock: Clock) -> None:
    town = house.case.world.organisations["town"]
    operator, path = house.sign_in("operator"), f"/changes/rename/{town}"
    page = operator.get(path, params={**NEW, "on": "2026-03-05"}).text
    assert "列入计划" in page
    planned(house, "rename", **NEW, on="2026-03-05")
    for address in ("/changes", f"/changes/units/{town}"):
        page = operator.get(address).text
        for said in ("计划中的变动", "更名", "3月5日", "待执行", "撤回"):
            assert said in page, (address, said)
    clock.forward(days=2)
    sweep(house.case.env)
    assert name(house) == "梧桐路街道党工委"
    clock.forward(days=1)
    sweep(house.case.env)
    assert name(house) == NEW["name"]
    assert values(house, select(_planned.c.state)) == ["done"]
    assert "计划的更名已经执行：梧桐街道" in told(house)
    assert "计划中的变动" not in operator.get("/changes").text
    sweep(house.case.env)
    renamed = table(Command).c.name == "unit.rename"
    assert len(values(house, select(table(Command).c.id).where(renamed))) == 1


def test_one_that_was_withdrawn_is_not_carried_out(house: House, clock: Clock) -> None:
    world, planned_id = house.case.world, planned(house, "rename", **NEW, on="2026-03-05")
    path = f"/changes/planned/{planned_id}/withdrawal"
    for post in ("secretary", "personnel_head"):
        assert house.sign_in(post).post(path, {"key": "k" * 20}).status_code == 404
    assert house.sign_in("operator").post(path, {"key": "k" * 20}).status_code == 303
    clock.forward(days=4)
    sweep(house.case.env)
    assert name(house) == "梧桐路街道党工委"
    for actor, error in (("operator", AlreadyDecided), ("outsider", NotFound)):
        with pytest.raises(error):
            withdraw(house.case.env, world.actor(actor), planned_id=planned_id, key=world.key())


def test_what_changed_meanwhile_halts_it_and_who_planned_it_is_asked_again(
    house: House, clock: Clock
) -> None:
    world = house.case.world
    town = world.organisations["town"]
    waits = {f"target.{world.posts['secretary']}": str(world.posts["district_secretary"])}
    planned(house, "close", **waits, on="2026-03-05")
    operator = house.sign_in("operator")
    rename, now = f"/changes/rename/{town}", {**NEW, "on": "2026-03-02"}
    assert operator.post(rename, form(operator, rename, **now)).status_code == 303
    path = f"/changes/create/{town}"
    given = {"title": "宣传委员", "kind": "member", "rank": "6"}
    operator.post(path, form(operator, path, **given))
    clock.forward(days=3)
    sweep(house.case.env)
    living = _organisations.c.id == town, _organisations.c.ends_on.is_(None)
    assert values(house, select(_organisations.c.id).where(*living)) == [town]
    assert "计划的撤销没有执行：梧桐街道" in told(house)
    assert "职务增加 1、减少 0" in told(house)
    page = house.sign_in("operator").get(f"/changes/units/{town}").text
    for said in ("未执行", "职务增加 1", "重新核对"):
        assert said in page, said
    again = re.findall(r'href="(/changes/close/[^"]+planned[^"]+)"', page)[0].replace("&amp;", "&")
    operator = house.sign_in("operator")
    confirmed = form(operator, again)
    assert confirmed["planned"] == str(values(house, select(_planned.c.id))[0])
    assert operator.post(again.split("?")[0], confirmed).status_code == 303
    assert values(house, select(_organisations.c.id).where(*living)) == []
    assert values(house, select(_planned.c.state)) == ["withdrawn"]


def test_it_is_carried_out_by_right_of_who_planned_it(house: House, clock: Clock) -> None:
    world = house.case.world
    planned(house, "rename", **NEW, on="2026-03-05")
    operator, path = house.sign_in("operator"), "/changes/rename/"
    page = operator.get(f"{path}{world.organisations['town']}", params={**NEW, "on": "2026-03-09"})
    assert "列入计划" in page.text
    again = form(operator, f"{path}{world.organisations['town']}", **NEW, on="2026-03-09")
    refused = operator.post(f"{path}{world.organisations['town']}", again)
    assert (refused.status_code, "已有同样的变动计划" in refused.text) == (422, True)
    other = _planned.update().values(made_by=world.people["outsider"])
    with house.case.env.engine.begin() as db:
        db.execute(other)
    clock.forward(days=3)
    assert carry_out_due(house.case.env) == 1
    assert name(house) == "梧桐路街道党工委"
    assert values(house, select(_planned.c.outcome)) == [{"changed": {}, "why": "not_found"}]
    assert carry_out_due(house.case.env) == 0


@pytest.mark.parametrize("on", ["2026-03-01", "2027-04-01", "morgen"])
def test_a_day_that_cannot_be_is_refused(house: House, on: str) -> None:
    path = f"/changes/rename/{house.case.world.organisations['town']}"
    page = house.sign_in("operator").get(path, params={**NEW, "on": on})
    assert (page.status_code, "列入计划" in page.text) == (422, False)


def test_a_launch_leaves_out_what_is_planned_to_be_closed_by_its_day(
    house: House, clock: Clock
) -> None:
    env, town = house.case.env, house.case.world.organisations["town"]
    posts = house.case.world.posts
    waits = {f"target.{posts['secretary']}": str(posts["district_secretary"])}
    planned(house, "close", **waits, on="2026-03-05")
    day = clock().date()
    assert town in committees(env, on=day)
    later = day + timedelta(days=5)
    assert town not in committees(env, on=later)
    assert [(one.name, one.why) for one in left_out(env, on=later)] == [
        ("梧桐路街道党工委", "计划于 2026-03-05 撤并")
    ]
    assert left_out(env, on=day) == []
