"""A tree comes in whole and right, again without change, or not at all."""

from datetime import date

import pytest
from sqlalchemy import Engine, select

from deployments.demo import DISTRICT, TOWN, set_up_demo
from documents.tree import TreeRow, check_tree, read_tree
from models.account import Account
from models.audit import Audit
from models.base import table
from models.organisation import Organisation, Person, Relation
from services.command import SYSTEM
from services.env import Env
from services.organisation import NotOperator, import_csv
from tests.founded import HEADER, ON, counts, load, person_of

SMALL = (
    f"{HEADER}00,中央,中央,\n31,江海市,市,00\n3199,滨河区,区,31\n3199A,梧桐路街道,街镇,3199\n"
    "3199A1,听荷里居委会,居村,3199A\n3199C,滨河水务,企事业,3199\n"
)
_accounts = table(Account)
_audit = table(Audit)
_organisations = table(Organisation)
_people = table(Person)
_relations = table(Relation)


def names(engine: Engine, like: str = "%") -> list[str]:
    with engine.connect() as db:
        query = select(_organisations.c.name).where(_organisations.c.code.like(like))
        return list(db.execute(query.order_by(_organisations.c.id)).scalars())


def test_every_level_from_the_centre_to_the_village_is_made(env: Env, engine: Engine) -> None:
    assert load(env, SMALL) == []
    assert names(engine, "00%")[:2] == ["中央", "中央纪委"]
    assert {"江海市委", "江海市纪委", "江海市委组织部", "江海市委巡视办"} <= set(names(engine))
    assert {"滨河区委", "滨河区纪委", "滨河区委办", "滨河区委巡察工作领导小组"} <= set(
        names(engine)
    )
    assert {"梧桐路街道党工委", "梧桐路街道纪工委", "梧桐路街道党建办"} <= set(names(engine))
    assert names(engine, "3199A1") == ["听荷里居民区党总支"]
    assert names(engine, "3199C") == ["滨河水务党委"]


def test_the_demo_district_is_made_once(env: Env, engine: Engine) -> None:
    first = set_up_demo(env, SYSTEM, ON)
    assert first.district == DISTRICT
    assert first.imported.added == 312
    before = counts(engine)
    again = set_up_demo(env, SYSTEM, date(2026, 12, 1)).imported
    assert (again.added, again.kept, again.organisations, again.renamed) == (0, 312, 0, ())
    after = counts(engine)
    assert {name for name in after if after[name] != before[name]} == {"command", "audit"}


def test_a_post_is_named_by_unit_and_title_and_so_is_its_holder(env: Env, engine: Engine) -> None:
    set_up_demo(env, SYSTEM, ON)
    with engine.connect() as db:
        people = set(db.execute(select(_people.c.name)).scalars())
        held = select(_accounts.c.login, _people.c.name).join(
            _people, _people.c.id == _accounts.c.person_id
        )
        logins = {row.login: row.name for row in db.execute(held)}
        hashes = db.execute(select(_accounts.c.password).distinct()).scalars().all()
    assert {"区委巡察办主任", "梧桐路街道党工委书记", "禾泽镇党委分管民生副镇长"} <= people
    assert logins[f"{TOWN}.discipline.head"] == "梧桐路街道纪工委书记"
    assert logins[f"{DISTRICT}.operator"] == "区委系统运维员"
    assert hashes == [None]


def test_new_rows_of_a_table_are_added_under_what_is_there(env: Env, engine: Engine) -> None:
    assert load(env, f"{HEADER}3199,滨河区,区,\n") == []
    added = f"{HEADER}3199,滨河区,区,\n3199A,梧桐路街道,街镇,3199\n"
    assert load(env, added) == []
    assert load(env, f"{HEADER}3199A1,听荷里居委会,居村,3199A\n") == []
    with engine.connect() as db:
        placed = db.execute(select(_organisations.c.code, _organisations.c.path))
        paths = {row.code: row.path for row in placed}
        served = select(_organisations.c.code).join(
            _relations, _relations.c.organ_id == _organisations.c.id
        )
        town = select(_organisations.c.id).where(_organisations.c.code == "3199A")
        organs = set(
            db.execute(served.where(_relations.c.served_id == town.scalar_subquery())).scalars()
        )
    assert paths["3199A1"].startswith(paths["3199A"])
    assert paths["3199A"].startswith(paths["3199"])
    assert organs == {
        "3199A.discipline",
        "3199A.party-building",
        "3199.discipline",
        "3199.organisation",
        "3199.publicity",
        "3199.inspection",
        "3199.group",
    }


def test_what_the_table_calls_otherwise_is_kept_and_reported(env: Env, engine: Engine) -> None:
    assert load(env, SMALL) == []
    renamed = SMALL.replace("梧桐路街道", "法桐路街道").encode()
    report = import_csv(env, SYSTEM, renamed, key="renamed", on=ON)
    assert report.renamed == ("3199A",)
    assert "梧桐路街道党工委" in names(engine)


def test_an_import_leaves_one_audit_entry(env: Env, engine: Engine) -> None:
    load(env, SMALL)
    with engine.connect() as db:
        rows = db.execute(select(_audit.c.stream, _audit.c.body)).all()
    assert [row.stream for row in rows] == ["organisation"]
    assert '"act":"tree_imported"' in rows[0].body


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_the_encodings_that_offices_have(encoding: str) -> None:
    text = (
        "编码,名称,层级,上级编码,备注\r\n3199,滨河区,区,,x\r\n\r\n3199A,梧桐路街道,街镇,3199,\r\n"
    )
    rows, faults = read_tree(text.encode(encoding))
    assert faults == []
    assert rows == [
        TreeRow(2, "3199", "滨河区", "区", ""),
        TreeRow(4, "3199A", "梧桐路街道", "街镇", "3199"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "第 1 行“编码”：表头缺少这一列（code）"),
        ("code,name,level\n", "第 1 行“上级编码”：表头缺少这一列（parent_code）"),
        (HEADER, "文件中没有数据行"),
        (f"{HEADER},滨河区,区,\n", "第 2 行“编码”：编码不能为空"),
        (
            f"{HEADER}3199.x,滨河区,区,\n",
            "第 2 行“编码”：编码只能用字母、数字、“-”和“_”，最长 32 个字符",
        ),
        (f"{HEADER}3199,,区,\n", "第 2 行“名称”：名称不能为空"),
        (
            f"{HEADER}3199,滨河区,地区,\n",
            "第 2 行“层级”：没有“地区”这个层级，应为：中央、省、市、区、县、街镇、居村、企事业",
        ),
        (f"{HEADER}3199,滨河区,区,31\n", "第 2 行“上级编码”：文件和系统中都没有编码为 31 的上级"),
        (
            f"{HEADER}3199,滨河区,区,\n3199,滨海区,区,\n",
            "第 3 行“编码”：编码 3199 与第 2 行重复",
        ),
        (
            f"{HEADER}a,甲街道,街镇,b\nb,乙街道,街镇,a\n",
            "第 2 行“上级编码”：上级关系成环：这一行是自己的上级的上级",
        ),
        (f"{HEADER}a,甲区,区,a\n", "第 2 行“上级编码”：上级关系成环：这一行是自己的上级的上级"),
        (f"{HEADER}a,甲街道,街镇,\nb,乙区,区,a\n", "第 3 行“上级编码”：“区”不能放在“街镇”之下"),
        (f"{HEADER}a,甲厂,企事业,\nb,乙区,区,a\n", "第 3 行“上级编码”：“区”不能放在“企事业”之下"),
        (f"{HEADER}a,甲,乙,区,区,\n", "第 2 行：这一行的列数比表头多，请检查逗号"),
        (f'{HEADER}a,"甲区,区,\n', "文件不是完整的 CSV，请检查引号和换行"),
    ],
)
def test_a_bad_table_is_refused_by_row_and_column(text: str, fault: str) -> None:
    rows, faults = read_tree(text.encode())
    found = [str(found) for found in faults or check_tree(rows, {})]
    assert fault in found


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "GB18030" in str(read_tree(b"\xff\xff\xff")[1][0])


def test_a_bad_table_saves_nothing_and_names_every_fault(env: Env, engine: Engine) -> None:
    before = counts(engine)
    bad = f"{HEADER}3199,滨河区,区,\nx,,区,3199\ny,丙街道,街道,z\n"
    found = load(env, bad)
    assert [fault.split("：")[0] for fault in found] == [
        "第 3 行“上级编码”",
        "第 3 行“名称”",
        "第 4 行“上级编码”",
        "第 4 行“层级”",
    ]
    assert counts(engine) == before


def test_a_parent_that_is_an_organ_is_refused(env: Env) -> None:
    load(env, SMALL)
    found = load(env, f"{HEADER}x,丙街道,街镇,3199.inspection\n")
    assert found == ["第 2 行“上级编码”：文件和系统中都没有编码为 3199.inspection 的上级"]


def test_only_the_operator_above_may_import_below(env: Env, engine: Engine) -> None:
    two = f"{HEADER}31,江海市,市,\n3199,滨河区,区,31\n3198,滨江区,区,31\n"
    load(env, two)
    operator = person_of(engine, "3199.operator")
    town = f"{HEADER}3199A,梧桐路街道,街镇,3199\n"
    for login in ("3199.secretary", "3198.operator"):
        with pytest.raises(NotOperator):
            load(env, town, person_of(engine, login))
    for text in (f"{HEADER}77,江城市,市,\n", f"{HEADER}3198A,竹林街道,街镇,3198\n"):
        with pytest.raises(NotOperator):
            load(env, text, operator)
    assert load(env, town, operator) == []
