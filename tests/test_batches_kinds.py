"""A new kind or level of a unit by import, and what stands beside and below it."""

import pytest
from sqlalchemy import insert, select, update

from documents.organisation_file import POSTS, RELATIONS, UNITS
from models.base import table
from models.batch import Batch
from models.organisation import Organisation, Relation, RelationKind
from services.env import Env
from services.faulty import Faulty
from tests.organisation_books import BUREAU, DAY, LATER, book, bring_in, only, small_tree


@pytest.fixture(autouse=True)
def bureau(env: Env) -> None:
    """A 党组 with its 派驻机构 below a district."""
    small_tree(env)
    bring_in(env, book(BUREAU))


def faults(env: Env, data: bytes) -> list[str]:
    with pytest.raises(Faulty) as refused:
        bring_in(env, data)
    return [str(fault) for fault in refused.value.faults]


def test_a_discipline_organ_stays_one_that_fits(env: Env) -> None:
    """Either side may get a new kind; with an end to what they are to each other it may (R6-2)."""
    organ = ["B1.dc", "驻城管局纪检监察组", "驻城管局纪检组", "区", "工作机关", "B1"]
    served = ["B1", "滨河区城管局党组", "", "区", "党委", "滨河区委"]
    told = "“组织”第 2 行“类别”：“驻城管局纪检组”现为“滨河区城管局党组”的纪检机构，改为“{}”后不符"
    for row in (organ, served):
        (found,) = faults(env, only(UNITS, row))
        assert found.startswith(told.format(row[4]))
        assert "请先在“组织关系”中填写终止日期" in found
    bring_in(env, only(RELATIONS, ["B1.dc", "纪检机构", "B1", DAY, LATER]))
    bring_in(env, only(UNITS, organ))


def test_what_is_below_a_unit_may_stand_below_its_new_level(env: Env) -> None:
    """Unless it is given another in the same file."""
    lower = ["B1", "滨河区城管局党组", "", "街镇", "党组", "滨河区委"]
    (found,) = faults(env, only(UNITS, lower))
    assert found.startswith("“组织”第 2 行“层级”：改为“街镇”后，“")
    assert found.endswith("（区）不能在它之下")
    with_it = [[*row[:3], "街镇", *row[4:]] for row in BUREAU[UNITS][1:]]
    bring_in(env, only(UNITS, lower, *with_it))


def test_a_unit_that_loses_its_lead_is_a_gap(env: Env) -> None:
    batch = bring_in(env, only(POSTS, ["B1", "书记", "书记", 5]))
    query = select(table(Batch).c.said).where(table(Batch).c.id == batch)
    with env.engine.connect() as db:
        said = db.execute(query).scalar_one()
    assert "滨河区城管局党组没有设置党组书记职务" in said["gaps"]


def test_of_two_closed_organs_neither_is_lost(env: Env) -> None:
    """What is not ended counts, whoever may still see the organ."""
    organs, relations = table(Organisation), table(Relation)
    of_organs = select(organs.c.id).where(organs.c.code.in_(["B1.dept", "B1.dc"]))
    with env.engine.begin() as db:
        first, second = db.execute(of_organs).scalars()
        served = db.execute(select(organs.c.id).where(organs.c.code == "B1")).scalar_one()
        row = {"served_id": served, "kind": RelationKind.ORGANISATION_DEPT, "starts_on": DAY}
        ends = ((first, None), (second, DAY.replace(day=20)))
        rows = [row | {"organ_id": organ, "ends_on": end} for organ, end in ends]
        db.execute(insert(relations), rows)
        db.execute(update(organs).where(organs.c.id.in_([first, second])).values(ends_on=DAY))
    new = ["滨河区委组织部", "组织部门", "B1", LATER, ""]
    (found,) = faults(env, only(RELATIONS, new))
    assert "与现有“已撤销或不在您范围内的机构”自 2026-12-01 起的日期重叠" in found
