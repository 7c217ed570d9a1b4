"""Every fault of an organisation's workbook is named by sheet, row and column, and nothing else."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from documents.organisation_file import (
    CHARGES,
    POSTS,
    RELATIONS,
    SHEETS,
    TERMS,
    UNITS,
    OrganisationFile,
    read_organisation_file,
)
from models.base import table
from models.organisation import Level, Organisation, OrganisationKind, Portfolio, PostKind
from models.organisation import Post as PostRow
from policy.areas import AREAS
from services.batches.comparing import compare, look
from services.command import SYSTEM
from services.database import reading
from services.env import Env
from services.establishment import LEVELS
from services.faulty import Faulty
from services.posts import KIND_NAMES, ORGAN_NAMES
from tests.founded import person_of
from tests.organisation_books import BUREAU, DAY, LATER, book, bring_in, only, small_tree, with_rows
from tests.sheets import Rows, workbook

EARLIER, NEXT = "2026年11月20日", "2027.4.1"

ONE: dict[str, tuple[str, list[Any], str]] = {
    "the parent is not there": (
        UNITS,
        ["C11", "某科", "", "区", "工作机关", "滨湖区委"],
        "“组织”第 5 行“上级”：没有“滨湖区委”这个组织，相近的有：“滨江区委”、“滨河区委”、",
    ),
    "a circle": (
        UNITS,
        ["C9", "某科", "", "区", "工作机关", "C9"],
        "“组织”第 5 行“上级”：上级关系成环：这一行是自己的上级的上级",
    ),
    "a unit that is there, below what stands below it": (
        UNITS,
        ["3199", "滨河区委", "", "区", "党委", "3199A"],
        "“组织”第 5 行“上级”：上级关系成环：这一行是自己的上级的上级",
    ),
    "a move": (
        UNITS,
        ["3199A", "梧桐路街道党工委", "", "街镇", "党委", "3198"],
        "“组织”第 5 行“上级”：现在的上级是“滨河区委”，导入不移动组织，请在组织页面办理移动",
    ),
    "a code twice": (
        UNITS,
        ["B1", "另一个", "", "区", "工作机关", "3199"],
        "“组织”第 5 行“编码”：编码 B1 与第 2 行重复",
    ),
    "a code that is none": (
        UNITS,
        ["C1！", "某科", "", "区", "工作机关", "B1"],
        "“组织”第 5 行“编码”：编码只能用字母、数字、“-”、“_”和“.”",
    ),
    "a level above its parent's": (
        UNITS,
        ["C12", "某局", "", "市", "党组", "B1"],
        "“组织”第 5 行“层级”：“市”不能放在“区”之下",
    ),
    "a post twice": (
        POSTS,
        ["滨河区城管局党组", "副书记", "班子成员", 4],
        "“职务”第 6 行“职务名称”：“滨河区城管局党组副书记”与第 3 行重复",
    ),
    "a second leading post": (
        POSTS,
        ["B1", "主任", "负责人", 1],
        "“职务”第 6 行“排序”：主要负责人（排序 1）已有“书记”，只能有一个",
    ),
    "a leading post beside the one that is there": (
        POSTS,
        ["3199", "第一书记", "书记", 1],
        "“职务”第 6 行“排序”：主要负责人（排序 1）已有“书记”，只能有一个",
    ),
    "a post of a unit nobody knows": (
        POSTS,
        ["滨河区城管局", "科员", "联络员", 9],
        "“职务”第 6 行“组织”：没有“滨河区城管局”这个组织，相近的有：“滨河区城管局党组”、",
    ),
    "an unknown post": (
        TERMS,
        ["B1", "付书记", "戊", "", DAY, ""],
        "“任职”第 6 行“职务”：“滨河区城管局党组”没有“付书记”这个职务，相近的有：“书记”、“副书记”",
    ),
    "two holders in the file": (
        TERMS,
        ["B1", "书记", "戊", "", LATER, ""],
        "“任职”第 6 行“任职日期”：“滨河区城管局党组书记”同一时间只能有一人任职："
        "与第 2 行“甲”自 2026-12-01 起的任职重叠，请先填写其免职日期",
    ),
    "a holder beside one that is there": (
        TERMS,
        ["3199", "书记", "戊", "", LATER, ""],
        "“任职”第 6 行“任职日期”：“滨河区委书记”同一时间只能有一人任职："
        "与现有“滨河区委书记”自 2026-11-30 起的任职重叠，请先填写其免职日期",
    ),
    "terms of one person that overlap": (
        TERMS,
        ["B1", "书记", "甲", "", LATER, ""],
        "“任职”第 6 行“任职日期”：“滨河区城管局党组书记”同一时间只能有一人任职："
        "与第 2 行“甲”自 2026-12-01 起的任职重叠，请先填写其免职日期",
    ),
    "reversed dates": (
        TERMS,
        ["B1.dept", "主任", "己", "", LATER, DAY],
        "“任职”第 6 行“免职日期”：免职日期应在任职日期之后",
    ),
    "a term that begins in many years": (
        TERMS,
        ["B1.dept", "主任", "己", "", date(2062, 3, 1), ""],
        "“任职”第 6 行“任职日期”：最多登记到一年以内，请核对年份",
    ),
    "a term twice": (
        TERMS,
        ["滨河区城管局党组", "书记", "甲", "", DAY, ""],
        "“任职”第 6 行“任职日期”：与第 2 行是同一人同一职务的同一任职",
    ),
    "a number with another name": (
        TERMS,
        ["B1.dept", "主任", "庚", "N-2", LATER, ""],
        "“任职”第 6 行“人员编号”：编号 N-2 是“乙”，这一行是“庚”",
    ),
    "a number once and once not": (
        TERMS,
        ["B1", "副书记", "乙", "", LATER, ""],
        "“任职”第 6 行“人员编号”：第 3 行的“乙”有人员编号，这一行没有，请统一填写",
    ),
    "in charge of nothing": (
        CHARGES,
        ["B1", "副书记", "", "", DAY, ""],
        "“分管”第 4 行“分管单位”：分管单位和分管领域至少填一项",
    ),
    "in charge of a unit nobody knows": (
        CHARGES,
        ["B1", "副书记", "甲乙丙", "", DAY, ""],
        "“分管”第 4 行“分管单位”：没有“甲乙丙”这个组织",
    ),
    "a charge that overlaps": (
        CHARGES,
        ["B1", "副书记", "", "政治生态", LATER, ""],
        "“分管”第 4 行“起始日期”：与第 3 行同一分管自 2026-12-01 起的日期重叠，请先填写其终止日期",
    ),
    "a charge that ends before it begins": (
        CHARGES,
        ["B1", "书记", "B1.dept", "", LATER, DAY],
        "“分管”第 4 行“终止日期”：终止日期应在起始日期之后",
    ),
    "another discipline organ at the same time": (
        RELATIONS,
        ["B1.dc", "纪检机构", "滨河区委", DAY, ""],
        "“组织关系”第 4 行“机构”：“滨河区委”的纪检机构应为纪委",
    ),
    "a party group's discipline organ that is not stationed (R6-2)": (
        RELATIONS,
        ["滨河区纪委", "纪检机构", "B1", LATER, ""],
        "“组织关系”第 4 行“机构”：“滨河区城管局党组”的纪检机构应为派驻机构",
    ),
    "an organ of its own": (
        RELATIONS,
        ["B1", "组织部门", "B1", DAY, ""],
        "“组织关系”第 4 行“机构”：机构和服务组织不能是同一个",
    ),
    "a second organ of a kind": (
        RELATIONS,
        ["滨江区委组织部", "组织部门", "3199", DAY, ""],
        "“组织关系”第 4 行“起始日期”：“滨河区委”同一时间只能有一个组织部门："
        "与现有“滨河区委组织部”自 2026-11-30 起的日期重叠，请先填写其终止日期",
    ),
    "a relation that ends before it begins": (
        RELATIONS,
        ["滨河区委宣传部", "宣传部门", "B1", LATER, DAY],
        "“组织关系”第 4 行“终止日期”：终止日期应在起始日期之后",
    ),
    "a kind that is none": (
        RELATIONS,
        ["滨河区委宣传部", "宣传部", "B1", DAY, ""],
        "“组织关系”第 4 行“关系”：没有这一项，应为：纪检机构、上级纪检机构、",
    ),
}


def faults(env: Env, data: bytes) -> list[str]:
    """What is wrong with a file, compared with what is there."""
    file = read_organisation_file(data, "组织.xlsx")
    with reading(env.engine) as db:
        found = compare(file, look(db, file, under=None), importer=None, on=DAY)
    return [str(fault) for fault in found.faults]


def test_each_fault_alone_is_named_and_nothing_else(env: Env) -> None:
    small_tree(env)
    assert faults(env, book(BUREAU)) == []
    for what, (sheet, row, said) in ONE.items():
        found = faults(env, with_rows(sheet, row))
        assert len(found) == 1, (what, found)
        assert found[0].startswith(said), (what, found[0])


def test_a_file_with_all_faults_names_each_of_them(env: Env) -> None:
    """None hides another; what one row says is not blamed on the next."""
    small_tree(env)
    sheets: dict[str, Rows] = {name: list(rows) for name, rows in BUREAU.items()}
    alone = (
        "terms of one person that overlap",
        "two holders in the file",
        "a unit that is there, below what stands below it",
    )
    expected = []
    for what, (sheet, row, said) in ONE.items():
        if what in alone:
            continue
        sheets[sheet].append(row)
        expected.append(f"第 {len(sheets[sheet]) + 1} 行{said.split('行', 1)[1]}")
    found = faults(env, book(sheets))
    missed = [one for one in expected if not any(one in fault for fault in found)]
    assert missed == []
    assert len(found) == len(expected)


def test_names_that_several_have_are_to_be_written_as_codes(env: Env) -> None:
    small_tree(env)
    same = [["C1", "某科", "", "区", "工作机关", "B1"], ["C2", "某科", "", "区", "工作机关", "B1"]]
    sheets = BUREAU | {UNITS: BUREAU[UNITS] + same}
    sheets[POSTS] = [*BUREAU[POSTS], ["某科", "科长", "负责人", 1]]
    assert faults(env, book(sheets)) == ["“职务”第 6 行“组织”：有 2 个“某科”，请填写编码"]


def test_a_post_that_was_abolished_takes_nobody(env: Env, engine: Engine) -> None:
    small_tree(env)
    bring_in(env, book(BUREAU))
    posts = table(PostRow)
    with engine.begin() as db:
        values = {"kind": "clerk", "title": "联络员", "rank": 80, "organisation_id": 1}
        new = db.execute(insert(posts).values(values | {"title": "新"}).returning(posts.c.id))
        db.execute(
            update(posts).where(posts.c.title == "组长").values(successor_id=new.scalar_one())
        )
    row = [["B1.dc", "组长", "辛", "", LATER, ""]]
    assert faults(env, only(TERMS, *row))[0].startswith(
        "“任职”第 2 行“职务”：“驻城管局纪检组”没有“组长”这个职务"
    )
    again = only(POSTS, ["B1.dc", "组长", "负责人", 1])
    assert "这个职务已经撤销，请换一个名称" in faults(env, again)[0]


def test_what_was_in_charge_of_a_closed_unit_is_no_charge_of_a_whole_area(
    env: Env, engine: Engine
) -> None:
    """A portfolio over a unit that nobody can name any more is not taken for one without a unit."""
    small_tree(env)
    both = [["B1", "副书记", "B1.dept", "政治生态", DAY, ""]]
    bring_in(env, book(BUREAU | {CHARGES: both}))
    charges, units = table(Portfolio), table(Organisation)
    mine = charges.c.area == 3, charges.c.starts_on == DAY
    with engine.begin() as db:
        db.execute(update(units).where(units.c.code == "B1.dept").values(ends_on=LATER))
        db.execute(update(charges).where(*mine).values(ends_on=LATER))
        old = db.execute(select(charges).where(*mine)).one()
    bring_in(env, only(CHARGES, ["B1", "副书记", "", "政治生态", DAY, ""]))
    with engine.connect() as db:
        kept, new = db.execute(select(charges).where(*mine).order_by(charges.c.id)).all()
    assert kept == old
    assert (new.unit_id, new.starts_on, new.ends_on) == (None, DAY, None)


def test_a_number_tells_nobody_who_has_it_elsewhere(env: Env, engine: Engine) -> None:
    small_tree(env)
    there = ["3198", "副书记", "滨江区委副书记", "N-9", date(2026, 11, 30), ""]
    bring_in(env, only(TERMS, there))
    operator = person_of(engine, "3199.operator")
    with pytest.raises(Faulty) as refused:
        bring_in(env, only(TERMS, ["3199", "副书记", "乙", "N-9", LATER, ""]), operator)
    assert [str(one) for one in refused.value.faults] == [
        "“任职”第 2 行“人员编号”：编号 N-9 登记的姓名不是“乙”，请核对编号和姓名"
    ]


def test_what_is_wrong_in_a_cell_is_told_once(env: Env) -> None:
    """A cell that cannot be read is no reason to call other rows wrong."""
    small_tree(env)
    sheets = BUREAU | {UNITS: [["B1", "滨河区城管局党组", "", "地区", "党组", "3199"]]}
    sheets[UNITS] += BUREAU[UNITS][1:]
    sheets[TERMS] = [["B1", "书记", "甲", "", "去年", ""], *BUREAU[TERMS][1:]]
    found = faults(env, book(sheets))
    assert [one.split("：")[0] for one in found] == [
        "“任职”第 2 行“任职日期”",
        "“组织”第 2 行“层级”",
    ]


@pytest.mark.parametrize("name", SHEETS)
def test_a_csv_is_told_by_its_header(name: str) -> None:
    rows = [[column.name for column in SHEETS[name]], *BUREAU[name]]
    text = "\n".join(",".join(_text(cell) for cell in row) for row in rows)
    for encoding in ("utf-8-sig", "gb18030"):
        file = read_organisation_file(text.encode(encoding), "a.csv")
        assert file.faults == ()
        whole = read_organisation_file(book({name: BUREAU[name]}), "a.xlsx")
        assert rows_of(file) == rows_of(whole)


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else str(cell)


def rows_of(file: OrganisationFile) -> tuple[Any, ...]:
    return file.units, file.posts, file.terms, file.charges, file.relations


def test_as_offices_send_it_it_reads_like_the_clean_one() -> None:
    """Titles above the header, dates as text, blanks, other sheet names, sheets not ours."""
    clean = read_organisation_file(book({TERMS: BUREAU[TERMS]}), "a.xlsx")
    rows: Rows = [["滨河区任职情况表"], ["填报单位：区委组织部"]]
    rows += [["单位", "职务名称", "姓 名", "工号", "任职日期", "免职日期"]]
    for unit, title, person, code, begins, ends in BUREAU[TERMS]:
        begins = f"{begins.year}年{begins.month}月{begins.day}日"
        ends = f"{ends.year}.{ends.month}.{ends.day}" if ends else ""
        rows.append([f" {unit}", title, f"{person}\n", code, begins, ends])
    file = read_organisation_file(workbook({"任职情况": rows, "说明": [["其他"]]}), "a.xlsx")
    assert file.faults == ()
    assert rows_of(file) == rows_of(clean)
    told = "".join(str(change) for change in file.changes)
    for said in ("滨河区任职情况表", "姓 名", "2026年12月1日", "说明"):
        assert said in told, said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "文件是空的"),
        (b"%PDF-1.4", "PDF"),
        ("编码,名称,层级,上级编码\n31,江海市,市,\n".encode(), "四列的组织树 CSV"),
        (
            workbook({"甲": [["其他"]], "乙": [["其他"]]}),
            "没有找到要读的工作表，应至少有其中一张：“组织”",
        ),
        (book({TERMS: []}), "没有数据行"),
        (workbook({TERMS: [["组织", "职务", "人员"], ["B1", "书记", "甲"]]}), "表头缺少这一列"),
        (
            workbook({"任职一": [["组织"], ["甲"]], "任职二": [["组织"], ["甲"]]}),
            "有几张工作表都像“任职”：“任职一”、“任职二”，请留一张",
        ),
    ],
)
def test_what_is_no_such_workbook_says_what_is_expected(data: bytes, said: str) -> None:
    found = read_organisation_file(data, "a.xlsx").faults
    assert any(said in str(fault) for fault in found), found


def test_the_choices_of_the_sheets_are_those_of_the_house() -> None:
    choices = {
        (name, column.name): column.choices
        for name, columns in SHEETS.items()
        for column in columns
    }
    assert choices[UNITS, "层级"] == tuple(LEVELS)
    assert set(LEVELS.values()) == set(Level)
    assert choices[UNITS, "类别"] == tuple(kind.value for kind in OrganisationKind)
    assert choices[POSTS, "类别"] == tuple(KIND_NAMES[kind] for kind in PostKind)
    assert choices[RELATIONS, "关系"] == tuple(ORGAN_NAMES.values())
    assert choices[CHARGES, "分管领域"] == AREAS


def test_the_system_may_add_a_root(env: Env) -> None:
    small_tree(env)
    bring_in(env, only(UNITS, ["Z", "某市委", "", "市", "党委", ""]), SYSTEM)
