"""Whose something is, in the demo's district: holders, organs, leaders in charge, the way up."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, Engine, insert, select, update

from deployments.demo import DISTRICT, TOWN, found_tree
from models.base import table
from models.organisation import (
    Appointment,
    Organisation,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from services import posts
from services.command import SYSTEM
from services.env import Env
from services.organisation import organisation_id
from services.scope import post_name

ON = date(2026, 11, 30)
VILLAGE = f"{TOWN}001"
_appointments = table(Appointment)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)


@pytest.fixture
def db(env: Env, engine: Engine) -> Iterator[Connection]:
    found_tree(env, SYSTEM, ON)
    with engine.connect() as connection:
        yield connection


def unit(db: Connection, code: str) -> int:
    found = organisation_id(db, code)
    assert found is not None
    return found


def post(db: Connection, code: str, title: str) -> int:
    found = posts.post_by_title(db, unit(db, code), title)
    assert found is not None, (code, title)
    return found


def named(db: Connection, *post_ids: int | None) -> list[str]:
    rows = db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name).join(
            _organisations, _organisations.c.id == _posts.c.organisation_id
        )
    )
    names = {row.id: post_name(row.short_name, row.title) for row in rows}
    return [names[post_id] for post_id in post_ids if post_id is not None]


def way_up(db: Connection, code: str, title: str) -> list[str]:
    return named(db, *posts.superiors(db, post(db, code, title), ON))


TOP = ["区委副书记", "区委书记", "区纪委书记"]
TOWN_SECRETARY = "梧桐路街道党工委书记"


WAYS_UP = (
    (f"{TOWN}.services", "主任", ["梧桐路街道党工委分管民生副主任", TOWN_SECRETARY, *TOP]),
    (f"{TOWN}.services", "联络员", ["梧桐路街道党工委分管民生副主任", TOWN_SECRETARY, *TOP]),
    (TOWN, "分管民生副主任", [TOWN_SECRETARY, *TOP]),
    (TOWN, "联络员", [TOWN_SECRETARY, *TOP]),
    (TOWN, "书记", TOP),
    (VILLAGE, "书记", ["梧桐路街道党工委组织委员", TOWN_SECRETARY, *TOP]),
    (DISTRICT, "副书记", ["区委书记", "区纪委书记"]),
    (DISTRICT, "书记", ["区纪委书记"]),
    (
        f"{DISTRICT}.inspection",
        "主任",
        ["区委巡察工作领导小组组长", "区委书记", "区纪委书记"],
    ),
    (f"{TOWN}.discipline", "书记", ["区纪委书记"]),
    (f"{TOWN}.discipline", "联络员", ["梧桐路街道纪工委书记", "区纪委书记"]),
    (f"{DISTRICT}.discipline", "联络员", ["区纪委书记"]),
    (f"{DISTRICT}.discipline", "书记", ["区委书记"]),
)


def test_the_way_up_from_a_post(db: Connection) -> None:
    for code, title, expected in WAYS_UP:
        assert way_up(db, code, title) == expected, (code, title)


def test_no_way_up_is_empty_or_leads_back_to_its_post(db: Connection) -> None:
    upper = _organisations.c.level.in_(("区", "街镇"))
    some = select(_posts.c.id).join(_organisations).where(upper, _posts.c.id % 5 == 0)
    for post_id in db.execute(some).scalars().all():
        above = posts.superiors(db, post_id, ON)
        assert above
        assert post_id not in above
        assert len(set(above)) == len(above)


def test_a_holder_is_found_by_the_day_and_a_vacancy_is_none(db: Connection) -> None:
    secretary = post(db, TOWN, "书记")
    first = posts.holder(db, secretary, ON)
    assert first is not None
    assert posts.holder(db, secretary, ON - timedelta(days=1)) is None
    leaves = ON + timedelta(days=10)
    db.execute(
        update(_appointments).where(_appointments.c.post_id == secretary).values(ends_on=leaves)
    )
    assert posts.holder(db, secretary, leaves - timedelta(days=1)) == first
    assert posts.holder(db, secretary, leaves) is None
    deputy = posts.holder(db, post(db, TOWN, "副书记"), ON)
    assert deputy is not None
    values = {"post_id": secretary, "person_id": deputy.person_id, "starts_on": leaves}
    db.execute(insert(_appointments), values)
    now = posts.holder(db, secretary, leaves)
    assert now is not None
    assert now.person_id == deputy.person_id
    assert now.appointment_id != deputy.appointment_id


def test_organs_are_the_own_or_the_nearest_above(db: Connection) -> None:
    def found(code: str, kind: RelationKind) -> int:
        return posts.organ(db, unit(db, code), kind, ON)

    town_discipline = unit(db, f"{TOWN}.discipline")
    assert found(TOWN, RelationKind.DISCIPLINE) == town_discipline
    assert found(VILLAGE, RelationKind.DISCIPLINE) == town_discipline
    assert found(f"{TOWN}.services", RelationKind.DISCIPLINE) == town_discipline
    assert found(DISTRICT, RelationKind.DISCIPLINE) == unit(db, f"{DISTRICT}.discipline")
    assert found(TOWN, RelationKind.SUPERIOR_DISCIPLINE) == unit(db, f"{DISTRICT}.discipline")
    assert found(TOWN, RelationKind.PARTY_OFFICE) == unit(db, f"{TOWN}.party-building")
    for kind, slug in (
        (RelationKind.INSPECTION_OFFICE, "inspection"),
        (RelationKind.ORGANISATION_DEPT, "organisation"),
        (RelationKind.PUBLICITY_DEPT, "publicity"),
        (RelationKind.LEADING_GROUP, "group"),
    ):
        assert found(VILLAGE, kind) == found(TOWN, kind) == unit(db, f"{DISTRICT}.{slug}")


def test_a_gap_is_named_in_chinese(db: Connection) -> None:
    with pytest.raises(LookupError, match="^滨河区委及其上级没有上级纪检机构$"):
        posts.organ(db, unit(db, DISTRICT), RelationKind.SUPERIOR_DISCIPLINE, ON)
    with pytest.raises(LookupError, match="^听荷里居民区党总支没有设置联络员职务$"):
        posts.post_of_kind(db, unit(db, VILLAGE), PostKind.CLERK)
    with pytest.raises(LookupError, match="^没有编号为 0 的组织$"):
        posts.operator_post(db, 0)
    with pytest.raises(LookupError, match="^没有编号为 0 的职务$"):
        posts.superiors(db, 0, ON)
    db.execute(update(_posts).where(_posts.c.kind == PostKind.OPERATOR).values(kind="clerk"))
    with pytest.raises(LookupError, match="^梧桐路街道党工委及其上级没有设置系统运维员$"):
        posts.operator_post(db, unit(db, TOWN))


def test_a_relation_that_ended_is_not_found(db: Connection) -> None:
    own = _relations.c.organ_id == unit(db, f"{TOWN}.discipline")
    db.execute(update(_relations).where(own).values(ends_on=ON))
    above = unit(db, f"{DISTRICT}.discipline")
    assert posts.organ(db, unit(db, TOWN), RelationKind.DISCIPLINE, ON) == above


def test_the_operator_of_the_nearest_above_is_found(db: Connection) -> None:
    expected = post(db, DISTRICT, "系统运维员")
    for code in (DISTRICT, TOWN, VILLAGE, f"{TOWN}.grid"):
        assert posts.operator_post(db, unit(db, code)) == expected


IN_CHARGE = (
    (f"{TOWN}.party-building", None, "副书记"),
    (f"{TOWN}.party-building", 7, "副书记"),
    (f"{TOWN}.party-building", 4, "组织委员"),
    (f"{TOWN}.office", None, "办公室主任"),
    (f"{TOWN}.office", 3, "副书记"),
    (f"{TOWN}.grid", 5, "分管民生副主任"),
    (f"{TOWN}.government", 2, "办事处主任"),
    (TOWN, 1, "宣传委员"),
    (TOWN, 4, "组织委员"),
    (f"{TOWN}.discipline", None, "书记"),
)


def test_the_leader_in_charge_within_the_town(db: Connection) -> None:
    for code, area, title in IN_CHARGE:
        found = posts.leader_in_charge(db, unit(db, code), area, ON)
        assert found == post(db, TOWN, title), (code, area)


def test_the_leader_in_charge_of_a_committee_is_above_it(db: Connection) -> None:
    town = posts.leader_in_charge(db, unit(db, TOWN), None, ON)
    assert town == post(db, DISTRICT, "副书记")
    village = posts.leader_in_charge(db, unit(db, VILLAGE), None, ON)
    assert village == post(db, TOWN, "组织委员")
    top = posts.leader_in_charge(db, unit(db, DISTRICT), None, ON)
    assert top == post(db, DISTRICT, "书记")


def test_without_anybody_in_charge_it_is_the_secretary_or_nobody(db: Connection) -> None:
    services = unit(db, f"{TOWN}.services")
    db.execute(update(_portfolios).values(ends_on=ON))
    assert posts.leader_in_charge(db, services, 2, ON) == post(db, TOWN, "书记")
    db.execute(update(_posts).where(_posts.c.rank == 0).values(rank=5))
    assert posts.leader_in_charge(db, services, 2, ON) is None


def test_an_abolished_post_is_not_found(db: Connection) -> None:
    old, new = post(db, TOWN, "副书记"), post(db, TOWN, "组织委员")
    db.execute(update(_posts).where(_posts.c.id == old).values(successor_id=new))
    assert posts.post_by_title(db, unit(db, TOWN), "副书记") is None
    found = posts.leader_in_charge(db, unit(db, f"{TOWN}.party-building"), None, ON)
    assert found == post(db, TOWN, "书记")


def test_the_lead_and_the_highest_of_a_kind_are_found(db: Connection) -> None:
    town = unit(db, TOWN)
    assert posts.leading_post(db, town) == post(db, TOWN, "书记")
    assert posts.post_of_kind(db, town, PostKind.MEMBER) == post(db, TOWN, "副书记")
    assert posts.post_of_kind(db, town, PostKind.CLERK) == post(db, TOWN, "联络员")
