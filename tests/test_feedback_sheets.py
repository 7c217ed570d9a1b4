"""A feedback is read whole; what is wrong is named by sheet, row and column, all at once."""

from datetime import datetime
from typing import Any

import pytest

from bench.sanitise import written
from deployments.demo import feedback as demo_feedback
from documents.feedback import PROBLEMS, TASKS, read_feedback, read_tasks
from policy.areas import AREAS, area_number
from tests.sheets import changed, feedback, problem_rows, said, task_rows, workbook


def test_the_demo_feedback_has_17_problems_56_manifestations_and_160_tasks() -> None:
    read = read_feedback(demo_feedback())
    assert read.faults == ()
    assert len({row.number for row in read.problems}) == 17
    assert len(read.problems) == 56
    assert len(read.tasks) == 160
    assert {row.area for row in read.problems} == {1, 2, 3, 4, 5, 6, 7}
    assert sum(task.long_term for task in read.tasks) == 6


def test_rows_carry_their_names_as_written() -> None:
    read = read_feedback(feedback())
    assert read.faults == ()
    assert read.problems[0].units == ("梧桐路街道党工委", "党建办")
    assert read.tasks[0].supports == ("党政办", "居民区党组织")
    assert read.tasks[1].supports == ()


def test_areas_are_found_whatever_their_quotation_marks() -> None:
    assert [area_number(name) for name in AREAS] == [1, 2, 3, 4, 5, 6, 7]
    assert area_number('整治"四风"') == area_number("整治四风") == 2
    assert area_number("四种形态") == 6
    assert area_number("其他") is None


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (2, "问题序号", "", "不能为空"),
        (2, "问题序号", 2, "连续编号"),
        (2, "问题序号", 1.5, "应为序号"),
        (2, "问题序号", "第一", "应为序号"),
        (4, "问题序号", 3, "连续编号"),
        (3, "表现序号", 3, "这里应为 2"),
        (3, "反馈问题", "另一个问题", "与第 2 行同一问题所写的不一致"),
        (3, "问题类别", "另一类", "与第 2 行同一问题所写的不一致"),
        (3, "所属领域", "“四种形态”", "与第 2 行同一问题所写的不一致"),
        (2, "所属领域", "群众工作", "没有这一项，应为：思想政治教育"),
        (2, "涉及单位", "", "不能为空"),
        (2, "涉及单位", "党建办、、党政办", "检查顿号"),
        (2, "涉及单位", "党建办、党建办", "重复"),
        (2, "具体表现", "长" * 1001, "最长 1000 个字，现有 1001 个字"),
        (2, "具体表现", "甲\x07乙", "控制字符"),
        (2, "具体表现", True, "应为文字"),
    ],
)
def test_a_wrong_cell_of_the_problem_sheet_is_named(
    row: int, column: str, value: Any, message: str
) -> None:
    faults = read_feedback(feedback(problems=changed(problem_rows(), (row, column, value)))).faults
    assert any(
        f.sheet == PROBLEMS and f.row == row and f.column == column and message in f.message
        for f in faults
    ), said(faults)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (2, "问题序号", 9, "问题清单中没有第 9 号问题"),
        (3, "任务序号", "1-3", "这里应为 1-2"),
        (2, "整改任务（措施）", "", "不能为空"),
        (2, "完成标准", "", "不能为空"),
        (2, "责任领导", "", "不能为空"),
        (2, "牵头部门", "", "不能为空"),
        (2, "配合部门", "党建办", "牵头部门不能同时是配合部门"),
        (2, "完成时限", "2027年1月", "不是日期"),
        (2, "完成时限", 17, "年份应在"),
        (2, "完成时限", datetime(2027, 1, 27, 12), "带有时间"),  # noqa: DTZ001
        (2, "完成时限", datetime(1927, 1, 27), "年份应在"),  # noqa: DTZ001
        (2, "完成时限", "", "不能为空"),
        (2, "是否长期坚持", "长期", "应为：是、否"),
        (2, "是否长期坚持", "", "不能为空"),
    ],
)
def test_a_wrong_cell_of_the_task_sheet_is_named(
    row: int, column: str, value: Any, message: str
) -> None:
    faults = read_feedback(feedback(tasks=changed(task_rows(), (row, column, value)))).faults
    assert any(
        f.sheet == TASKS and f.row == row and f.column == column and message in f.message
        for f in faults
    ), said(faults)


@pytest.mark.parametrize(
    "text",
    [
        written("联系人身份证 {identity}"),
        written("身份证{identity_wide}"),
        written("{identity_spaced}"),
        "电话13800138000",
        "电话 138-0013-8000",
        "据信访人反映",
        "举 报 人称",
        "反映李某某的问题线索已移交",
        "经初\u200b核属实",
        "主任已被立案审查",
        "机密★10年",
    ],
)
def test_what_must_not_be_stored_is_refused_with_its_cell_and_not_repeated(text: str) -> None:
    faults = read_feedback(feedback(problems=changed(problem_rows(), (2, "具体表现", text)))).faults
    assert [(f.sheet, f.row, f.column) for f in faults] == [(PROBLEMS, 2, "具体表现")]
    assert "13800138000" not in said(faults)[0]


def test_prose_that_may_be_harmless_is_kept_and_told_and_a_name_is_not() -> None:
    text = written("公示牌上的服务电话{landline}无人接听")
    found = read_feedback(feedback(problems=changed(problem_rows(), (2, "具体表现", text))))
    assert found.faults == ()
    assert [(one.sheet, one.row, one.column) for one in found.notices] == [
        (PROBLEMS, 2, "具体表现")
    ]
    assert "电话" in found.notices[0].message
    assert found.problems[0].shows == text
    named = read_feedback(feedback(problems=changed(problem_rows(), (2, "涉及单位", text))))
    assert [fault.column for fault in named.faults] == ["涉及单位"]


def test_work_with_petitions_and_clues_may_be_written_about() -> None:
    text = "问题线索移送机制不健全，信访举报渠道不够畅通"
    found = read_feedback(feedback(problems=changed(problem_rows(), (2, "具体表现", text))))
    assert (found.faults, found.notices) == ((), ())


@pytest.mark.parametrize(
    "text", ["2026年12月11日前完成 160 项", "编号 310101001002，共 12345678 元", "商业秘密保护制度"]
)
def test_ordinary_numbers_and_words_pass(text: str) -> None:
    read = read_feedback(feedback(problems=changed(problem_rows(), (2, "具体表现", text))))
    assert said(read.faults) == []


def test_all_faults_of_both_sheets_are_named_at_once() -> None:
    problems = changed(problem_rows(), (2, "所属领域", "无"), (4, "涉及单位", ""))
    tasks = changed(task_rows(), (2, "完成时限", "明年"), (4, "是否长期坚持", "也许"))
    faults = read_feedback(feedback(problems, tasks)).faults
    assert {(f.sheet, f.row, f.column) for f in faults} >= {
        (PROBLEMS, 2, "所属领域"),
        (PROBLEMS, 4, "涉及单位"),
        (TASKS, 2, "完成时限"),
        (TASKS, 4, "是否长期坚持"),
    }


def test_a_missing_or_doubled_column_is_named() -> None:
    rows = problem_rows()
    rows[0][6] = "单位"
    rows[0][1] = "所属领域"
    assert said(read_feedback(feedback(problems=rows)).faults) == [
        "“问题清单”第 1 行“所属领域”：表头有两个这一列，请留一个",
        "“问题清单”第 1 行“涉及单位”：表头缺少这一列；最接近的是“单位”（G 列），是同一列时请改名",
        "“问题清单”第 1 行“问题类别”：表头缺少这一列，请按模板补上",
    ]


def test_columns_may_stand_in_any_order_and_blank_rows_do_not_count() -> None:
    rows = [row[::-1] for row in problem_rows()]
    rows.insert(2, [""] * 7)
    read = read_feedback(feedback(problems=rows))
    assert said(read.faults) == []
    assert [row.row for row in read.problems] == [2, 4, 5]


def test_a_problem_without_a_task_is_named() -> None:
    assert said(read_feedback(feedback(tasks=task_rows()[:3])).faults) == [
        "“任务清单”“问题序号”：第 2 号问题没有整改任务"
    ]


def test_problems_scattered_over_the_sheet_are_refused() -> None:
    rows = problem_rows()
    rows[2], rows[3] = rows[3], rows[2]
    assert "“问题清单”第 4 行“问题序号”：第 1 号问题的各行应放在一起" in said(
        read_feedback(feedback(problems=rows)).faults
    )


def test_a_file_without_the_sheets_is_refused() -> None:
    data = workbook({"Sheet1": [[1]]})
    assert said(read_feedback(data).faults) == ["文件中没有名为“问题清单”的工作表（现有“Sheet1”）"]
    assert said(read_tasks(data, [1]).faults) == [
        "文件中没有名为“任务清单”的工作表（现有“Sheet1”）"
    ]
    assert said(read_feedback(b"x", "甲.xlsx").faults) == [
        "这不是 Excel 文件（.xlsx），或者文件不完整"
    ]


def test_problems_may_come_without_the_tasks_and_the_tasks_alone() -> None:
    assert len(read_feedback(workbook({PROBLEMS: problem_rows()})).problems) == 3
    alone = workbook({TASKS: task_rows()})
    assert len(read_tasks(alone, [1, 2]).tasks) == 3
    assert said(read_tasks(alone, [1, 2, 3]).faults) == [
        "“任务清单”“问题序号”：第 3 号问题没有整改任务"
    ]
    assert said(read_tasks(workbook({TASKS: task_rows()[:1]}), [1]).faults) == [
        "“任务清单”：没有任务"
    ]


def test_an_empty_problem_sheet_is_refused() -> None:
    only_header = workbook({PROBLEMS: problem_rows()[:1]})
    assert said(read_feedback(only_header).faults) == ["“问题清单”：没有问题"]
