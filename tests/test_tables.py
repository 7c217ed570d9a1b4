"""What offices write otherwise and mean alike is read alike, and each such place is told."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.book import Book, Row, Sheet
from documents.column import Column, Kind
from documents.fault import Change
from documents.feedback import (
    PROBLEM_COLUMNS,
    PROBLEM_TABLE,
    PROBLEMS,
    TASK_COLUMNS,
    TASK_TABLE,
    TASKS,
    Feedback,
    read_feedback,
    read_tasks,
)
from documents.reading import read_book
from documents.sheet_table import OPTIONS, Table, left_out, table
from tests.house import ROOT
from tests.office import Layout, Office, delimited, problem_table, task_table
from tests.sheets import Rows, said, workbook

CLEAN = read_feedback(Office().xlsx())
SHARED = ROOT.parent / "shared" / "data"
COLUMNS = (
    Column("名称", Kind.NAME),
    Column("编码", Kind.CODE, blank=True, needed=False, also=("代码",)),
    Column("起始日期", Kind.DAY, blank=True, needed=False),
    Column("序号", Kind.NUMBER, blank=True, needed=False),
    Column("单位", Kind.NAMES, blank=True, needed=False),
    Column("说明", Kind.TEXT, blank=True, needed=False, longest=500),
    Column("领域", Kind.CHOICE, blank=True, needed=False, choices=("整治“四风”", "政治生态")),
)


def one(rows: Rows, **more: Any) -> Table:
    """The table of a workbook with one sheet."""
    return table(read_book(workbook({"表": rows}, **more)), "表", COLUMNS)


def read_as(column: str, cell: Any) -> Any:
    """What one cell is read as, when it is forgiven."""
    found = one([["名称", column], ["甲", cell]] if column != "名称" else [["名称"], [cell]])
    assert said(found.faults) == []
    return found.rows[0].values[column]


def refused(column: str, cell: Any) -> str:
    """Why one cell is a fault, and the only one."""
    found = one([["名称", column], ["甲", cell]] if column != "名称" else [["名称"], [cell]])
    assert [(fault.row, fault.column) for fault in found.faults] == [(2, column)]
    return found.faults[0].message


def same(read: Feedback) -> bool:
    return (read.problems, read.tasks) == (CLEAN.problems, CLEAN.tasks)


def test_a_clean_workbook_has_neither_faults_nor_changes() -> None:
    assert (CLEAN.faults, CLEAN.changes) == ((), ())
    assert (len(CLEAN.problems), len(CLEAN.tasks)) == (9, 6)


@pytest.mark.parametrize(
    "cell",
    [
        "2026年3月1日",
        "2026年03月01日",
        "2026 年 3 月 1 日",
        "2026.3.1",
        "2026/3/1",
        "2026-03-01",
        "２０２６．３．１",
        "2026—3—1",
        "20260301",
        "2026-03-01 00:00:00",
        "46082",
        46082,
        46082.0,
        " 2026.3.1\n",
    ],
)
def test_a_date_is_read_however_it_is_written(cell: Any) -> None:
    assert read_as("起始日期", cell) == date(2026, 3, 1)


@pytest.mark.parametrize(
    "cell",
    ["2026年3月", "26.3.1", "3/1/2026", "2026年2月30日", "明年", "3月1日", 3, 1e9, True, "2026.3"],
)
def test_what_could_be_another_date_or_none_is_refused(cell: Any) -> None:
    message = refused("起始日期", cell)
    assert "2026年3月1日" in message or "年份应在" in message


@pytest.mark.parametrize("cell", [" 3", "３", "3.0", "3、", "③", 3.0, "3\n"])
def test_a_number_is_read_however_it_is_written(cell: Any) -> None:
    assert read_as("序号", cell) == 3


@pytest.mark.parametrize("cell", ["三", "3-4", 1.5, -1, 0, 100_000, True, "3个"])
def test_what_is_no_number_is_refused(cell: Any) -> None:
    assert "序号" in refused("序号", cell)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("党 建 办", "党建办"),
        (" 党建\n办　", "党建办"),
        ("党建办\u200b", "党建办"),
        ("综合办(党建办)", "综合办（党建办）"),
        ("第１分局ＡＢ", "第1分局AB"),
        ("Party  office", "Party office"),
        (7, "7"),
    ],
)
def test_a_name_loses_what_nobody_meant(cell: Any, name: str) -> None:
    assert read_as("名称", cell) == name


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("甲办、乙办", ("甲办", "乙办")),
        ("甲办，乙办；丙办", ("甲办", "乙办", "丙办")),
        ("甲办,乙办\n丙办", ("甲办", "乙办", "丙办")),
        ("甲办、\n乙办", ("甲办", "乙办")),
        ("党建\n办、乙办", ("党建办", "乙办")),
    ],
)
def test_names_may_be_parted_as_people_part_them(cell: str, names: tuple[str, ...]) -> None:
    assert read_as("单位", cell) == names


@pytest.mark.parametrize("cell", ["甲办、、乙办", "甲办、甲办", "甲办、", "、"])
def test_a_gap_among_names_is_refused(cell: str) -> None:
    assert "顿号" in refused("单位", cell)


def test_prose_keeps_its_blanks_and_its_brackets_and_loses_stray_ones() -> None:
    text = " 第１项：有 7 项(含 2 项)\r\n\r\n  第二行（止）　"
    assert read_as("说明", text) == "第1项：有 7 项(含 2 项)\n第二行（止）"


@pytest.mark.parametrize(
    ("cell", "code"), [(310101001002, "310101001002"), ("１－１", "1-1"), ("1—1", "1-1")]
)
def test_a_code_is_half_width(cell: Any, code: str) -> None:
    assert read_as("编码", cell) == code


def test_a_code_that_the_spreadsheet_changed_is_refused() -> None:
    assert "改动末位" in refused("编码", 1234567890123456789)
    assert "文本格式" in refused("编码", date(2026, 1, 1))


def test_a_choice_is_found_whatever_its_quotation_marks_and_blanks() -> None:
    assert read_as("领域", ' 整治"四风"') == "整治“四风”"
    assert "应为：整治“四风”、政治生态" in refused("领域", "群众工作")


def test_a_changed_cell_is_told_with_what_it_was_and_what_it_became() -> None:
    found = one([["名称", "起始日期"], ["党 建 办", "2026.3.1"]])
    assert found.changes == [
        Change("表", 2, "名称", "党 建 办", "党建办", "去掉多余的空格、换行"),
        Change("表", 2, "起始日期", "2026.3.1", "2026-03-01", "文字改为日期"),
    ]


def test_a_long_text_is_told_in_short() -> None:
    found = one([["名称", "说明"], ["甲", " " + "长" * 300]])
    assert {len(found.changes[0].before), len(found.changes[0].after)} == {120}


def test_titles_above_the_header_are_told_and_not_read() -> None:
    found = one([["组织名册"], ["填报单位：某某", "2026年"], [], ["名称"], ["甲"]])
    assert (found.header, found.rows[0].number) == (4, 5)
    assert [(change.row, change.before) for change in found.changes] == [
        (1, "组织名册"),
        (2, "填报单位：某某"),
    ]


def test_a_header_of_two_rows_is_read_as_one() -> None:
    found = one([["基本情况", "", "任期"], ["名称", "编码", "起始日期"], ["甲", "1", "2026.3.1"]])
    assert (found.header, said(found.faults)) == (2, [])
    found = one([["名称", "编码", "起始"], ["", "", "日期"], ["甲", "1", "2026.3.1"]])
    assert (found.header, said(found.faults)) == (2, [])
    assert found.rows[0].day("起始日期") == date(2026, 3, 1)
    assert found.changes[0].before == "第 1、2 行"


def test_a_column_is_found_by_another_name_and_told() -> None:
    found = one([["名 称*", "代码", "（备用）"], ["甲", "1", ""]])
    assert found.rows[0].text("编码") == "1"
    assert [(c.column, c.before) for c in found.changes] == [("名称", "名 称*"), ("编码", "代码")]


def test_a_missing_column_names_the_nearest_header_and_the_rest_is_read_still() -> None:
    columns = (*COLUMNS, Column("牵头部门", Kind.NAME))
    book = read_book(workbook({"表": [["名称", "起始日期", "牵头单位"], ["甲", "明年", "乙"]]}))
    found = table(book, "表", columns)
    assert said(found.faults) == [
        "“表”第 1 行“牵头部门”：表头缺少这一列；最接近的是“牵头单位”（C 列），是同一列时请改名",
        "“表”第 2 行“起始日期”：不是日期，应写作 2026年3月1日 或 2026-3-1",
    ]


def test_a_sheet_without_any_of_the_columns_says_which_are_expected() -> None:
    assert said(one([["甲", "乙"], [1, 2]]).faults) == ["“表”：没有找到表头，应有这些列：名称"]


def test_a_doubled_column_is_refused() -> None:
    assert "有两个这一列" in said(one([["名称", "名称"], ["甲", "乙"]]).faults)[0]


def test_notes_below_the_table_are_told_and_not_read() -> None:
    rows: Rows = [["名称", "编码", "序号"], ["甲", "1", 1]]
    rows += [["注：以上数据截至年底"], ["填表人：", "", ""]]
    found = one(rows)
    assert len(found.rows) == 1
    assert [change.row for change in found.changes] == [3, 4]
    assert len(one([["名称"], ["甲"], ["说明材料室"]]).rows) == 2


def test_a_row_with_nothing_in_the_columns_that_are_read_is_told() -> None:
    found = one([["名称", "其他"], ["甲", ""], ["", "多余"]])
    assert len(found.rows) == 1
    assert [(change.row, change.before) for change in found.changes] == [(3, "多余")]


def test_a_fault_in_a_merged_block_is_told_once_where_it_is_written() -> None:
    rows = problem_table()
    for row in rows[:3]:
        row[2] = "群众工作"
    office = Office(problems=rows, layouts={PROBLEMS: Layout(merged=("所属领域",))})
    assert [(f.row, f.column) for f in read_feedback(office.xlsx()).faults] == [(2, "所属领域")]


def test_sheets_that_are_not_read_are_told() -> None:
    book = workbook({PROBLEMS: [list(PROBLEM_COLUMNS), *problem_table()], "草稿": [[1]]})
    assert [(c.sheet, c.after) for c in read_feedback(book).changes] == [("草稿", "")]
    hidden = Office(hidden_sheet=True).xlsx()
    assert [(c.sheet, c.before) for c in read_feedback(hidden).changes] == [
        ("旧表", "隐藏的工作表")
    ]
    own = workbook({PROBLEMS: [list(PROBLEM_COLUMNS), *problem_table()], OPTIONS: [[1]]})
    assert read_feedback(own).changes == ()
    assert "“旧表”：“隐藏的工作表”没有读入（" in str(read_feedback(hidden).changes[0])


def test_a_hidden_sheet_that_is_needed_is_named() -> None:
    sheets: dict[str, Rows] = {"甲": [[1]], PROBLEMS: [list(PROBLEM_COLUMNS), *problem_table()]}
    faults = read_feedback(workbook(sheets, hidden=(PROBLEMS,))).faults
    assert "请取消隐藏" in said(faults)[0]


@pytest.mark.parametrize("name", ["1.问题清单", "问题清单 ", "附件：问题清单"])
def test_a_sheet_is_found_though_its_name_is_longer(name: str) -> None:
    read = read_feedback(workbook({name: [list(PROBLEM_COLUMNS), *problem_table()], "甲": [[1]]}))
    assert (read.faults, read.problems) == ((), CLEAN.problems)
    assert Change(name, 0, "", name, PROBLEMS, "工作表的名称") in read.changes


def test_one_sheet_of_any_name_is_told_by_its_header() -> None:
    read = read_feedback(workbook({"Sheet1": [list(PROBLEM_COLUMNS), *problem_table()]}))
    assert (read.faults, read.problems) == ((), CLEAN.problems)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_a_csv_imports_to_the_same_rows(encoding: str) -> None:
    problems = read_feedback(delimited(PROBLEM_COLUMNS, problem_table(), encoding), "甲.csv")
    assert (problems.faults, problems.problems) == ((), CLEAN.problems)
    tasks = read_tasks(delimited(TASK_COLUMNS, task_table(), encoding), (1, 2, 3))
    assert (tasks.faults, tasks.tasks) == ((), CLEAN.tasks)
    assert {change.column for change in tasks.changes} == {"完成时限"}


def test_the_feedback_as_it_was_sent_imports_to_exactly_the_rows_of_the_clean_one() -> None:
    if not SHARED.is_dir():
        pytest.skip("the data that is handed over beside the repository is not there")
    clean, sent = (
        read_feedback((SHARED / name).read_bytes(), name)
        for name in ("feedback.xlsx", "feedback_as_sent.xlsx")
    )
    assert (clean.faults, clean.changes, sent.faults) == ((), (), ())
    assert (len(sent.problems), len(sent.tasks)) == (56, 160)
    assert (sent.problems, sent.tasks) == (clean.problems, clean.tasks)
    assert {change.why for change in sent.changes} == {
        "表头以上的行，不是数据",
        "合并的单元格，每格按同一内容读取",
        "文字改为日期",
    }


WAYS: dict[Kind, tuple[Any, ...]] = {
    Kind.NUMBER: (lambda n: chr(0xFF10 + n), lambda n: f" {n}\n", lambda n: f"{n}、"),
    Kind.NAME: (lambda s: f" {s}", lambda s: f"{s}\n", lambda s: " ".join(s)),
    Kind.NAMES: (lambda s: s.replace("、", "，"), lambda s: s.replace("、", "、\n")),
    Kind.CODE: (lambda s: s.replace("-", "－"), lambda s: f"{s} "),
    Kind.TEXT: (lambda s: f"　{s}", lambda s: f"{s}\n\n", lambda s: f"{s}\u200b"),
    Kind.DAY: (
        lambda d: f"{d.year}年{d.month}月{d.day}日",
        lambda d: f"{d.year}.{d.month}.{d.day}",
        lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
        lambda d: (d - date(1899, 12, 30)).days,
    ),
    Kind.CHOICE: (lambda s: f" {s}", lambda s: f"{s[0]} {s[1:]}\n"),
}
"""What people do to a cell without meaning anything by it."""
LAYOUTS = st.builds(
    Layout,
    titles=st.integers(0, 3),
    group=st.booleans(),
    blank_after=st.integers(0, 20),
    footer=st.sampled_from(["", "注：以上为全部内容", "填表人："]),
    extra=st.booleans(),
    hidden_rows=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_mixture_is_read_as_the_clean_workbook_and_each_change_is_told(
    data: st.DataObject,
) -> None:
    office = Office(
        layouts={name: data.draw(LAYOUTS) for name in (PROBLEMS, TASKS)},
        hidden_sheet=data.draw(st.booleans()),
    )
    changed: set[tuple[str, int, str]] = set()
    for name, columns, rows in (
        (PROBLEMS, PROBLEM_TABLE, office.problems),
        (TASKS, TASK_TABLE, office.tasks),
    ):
        cells = st.tuples(st.integers(0, len(rows) - 1), st.integers(0, len(columns) - 1))
        for row, place in data.draw(st.sets(cells, max_size=20)):
            way = data.draw(st.sampled_from(WAYS[columns[place].kind]))
            before, rows[row][place] = rows[row][place], way(rows[row][place])
            if rows[row][place] != before:
                at = office.layouts[name].header + 1 + row
                changed.add((name, at, columns[place].name))
    read = read_feedback(office.xlsx())
    assert said(read.faults) == []
    assert same(read)
    assert {(c.sheet, c.row, c.column) for c in read.changes if c.column} == changed


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_is_merged_is_read_as_if_it_were_written_in_every_row(
    data: st.DataObject,
) -> None:
    layouts = {
        PROBLEMS: Layout(
            titles=data.draw(st.integers(0, 2)),
            merged=tuple(data.draw(st.sets(st.sampled_from(PROBLEM_COLUMNS)))),
        ),
        TASKS: Layout(merged=tuple(data.draw(st.sets(st.sampled_from(TASK_COLUMNS))))),
    }
    read = read_feedback(Office(layouts=layouts).xlsx())
    assert said(read.faults) == []
    assert same(read)


NUL, HALF = "\x00", "\ud800"


def test_what_no_database_keeps_is_told_as_what_it_is() -> None:
    """Titles, notes and headers may hold a NUL or half a pair: both come out of ``_x0000_``."""
    title = Row(1, [f"填报{NUL}单位{HALF}"])
    header = Row(2, ["名称", f"起始{NUL}日"])
    row = Row(3, ["甲", date(2027, 1, 1)])
    note = Row(4, [f"填表人：{NUL}某"])
    columns = (Column("名称", Kind.NAME), Column("起始日期", Kind.DAY))
    book = Book([Sheet("职务", [title, header, row, note], []), Sheet(f"别{HALF}", [row], [])])
    found = table(book, "职务", columns)
    told = [str(one) for one in (*found.faults, *found.changes, *left_out(book, ["职务"]))]
    assert [row.text("名称") for row in found.rows] == ["甲"]
    assert any("“填报�单位�”" in one for one in told)
    assert any("“填表人：�某”" in one for one in told)
    for one in told:
        assert one.encode().find(b"\0") == -1, one
