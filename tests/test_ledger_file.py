"""The ledger of a running rectification is read whole, or every fault is told where it stands."""

from datetime import date

from documents.feedback import PROBLEMS, TASKS
from documents.ledger import EXTENSIONS, Stage, read_ledger
from services.template import ledger_template
from tests.ledger_book import extension_rows, ledger, problem_rows, task_rows
from tests.sheets import Rows, changed, filled, said, workbook


def faults(**rows: Rows) -> list[str]:
    return said(read_ledger(ledger(**rows), "台账.xlsx").faults)


def test_stages_dates_and_extensions_are_read() -> None:
    read = read_ledger(ledger(), "台账.xlsx")
    assert not read.faults
    assert [problem.stage for problem in read.problems] == [
        Stage.CLOSED,
        Stage.APPLIED,
        Stage.GOING_ON,
        Stage.NOT_BEGUN,
    ]
    extended = next(task for task in read.tasks if task.plan.number == "3-2")
    assert (extended.original, extended.plan.due_on) == (date(2025, 12, 1), date(2026, 1, 31))
    assert [(one.from_on, one.to_on) for one in extended.extensions] == [
        (date(2025, 12, 1), date(2025, 12, 31)),
        (date(2025, 12, 31), date(2026, 1, 31)),
    ]


def test_a_ledger_as_an_office_has_it_reads_to_the_same() -> None:
    title: Rows = [["梧桐路街道整改台账"]]
    loose = changed(problem_rows(), (3, "申请销号日期", "2026年2月20日"), (2, "问题序号", "１"))
    read = read_ledger(ledger(problems=title + loose), "台账.xlsx")
    assert not read.faults
    assert read.problems == read_ledger(ledger()).problems
    assert {"2026年2月20日", "１"} <= {change.before for change in read.changes}


def test_a_ledger_without_extensions_needs_no_sheet_of_them() -> None:
    read = read_ledger(workbook({PROBLEMS: problem_rows(), TASKS: task_rows()}))
    assert not read.faults
    assert all(task.original == task.plan.due_on for task in read.tasks)


def test_the_template_reads_back_as_it_was_filled_in() -> None:
    rows = {PROBLEMS: problem_rows()[1:], TASKS: task_rows()[1:], EXTENSIONS: extension_rows()[1:]}
    read = read_ledger(filled(ledger_template(), rows))
    assert (read.faults, read.changes) == ((), ())
    assert len(read.problems) == 4


def test_a_stage_that_does_not_fit_its_dates_and_tasks_is_refused() -> None:
    assert faults(
        problems=changed(
            problem_rows(),
            (2, "销号日期", ""),
            (3, "申请销号日期", ""),
            (4, "销号日期", date(2026, 2, 1)),
            (5, "监督", ""),
        )
    ) == [
        "“问题清单”第 2 行“销号日期”：状态为已销号，应填写销号日期",
        "“问题清单”第 3 行“申请销号日期”：状态为已申请销号，应填写申请销号日期",
        "“问题清单”第 4 行“销号日期”：状态为整改中，不应有销号日期",
        "“问题清单”第 5 行“监督”：没有销号的问题应填写",
    ]
    assert faults(
        tasks=changed(task_rows(), (3, "完成日期", ""), (6, "完成日期", date(2026, 2, 1)))
    ) == [
        "“任务清单”第 3 行“完成日期”：所属问题的状态为已申请销号，应填写完成日期",
        "“任务清单”第 6 行“完成日期”：所属问题的状态为未启动，不应有完成日期",
    ]


def test_an_extension_must_name_a_task_and_a_later_date() -> None:
    rows = changed(extension_rows(), (2, "任务序号", "9-9"), (4, "延期至", date(2025, 12, 20)))
    assert faults(extensions=rows) == [
        "“延期记录”第 2 行“任务序号”：任务清单中没有任务 9-9",
        "“延期记录”第 4 行“延期至”：应晚于延期前的完成时限 2025-12-31",
    ]


def test_a_problem_that_is_not_closed_needs_a_task_and_a_number_of_its_own() -> None:
    assert faults(tasks=task_rows()[:-1]) == [
        "“问题清单”第 5 行“问题序号”：没有销号的问题在任务清单中至少应有一项任务"
    ]
    twice = changed(problem_rows(), (5, "问题序号", 3))
    assert "第 3 号问题写了两行，每个问题只写一行" in "".join(faults(problems=twice))


def test_numbers_of_tasks_may_have_gaps_and_say_whose_they_are_each_once() -> None:
    """A task that was dropped leaves a gap; every paper since then calls the others as before."""
    dropped = [row for row in task_rows() if row[1] != "3-1"]
    assert len(dropped) == len(task_rows()) - 1
    assert not faults(tasks=dropped)
    wrong = changed(task_rows(), (2, "任务序号", "7-1"), (4, "任务序号", "3-2"))
    assert faults(tasks=wrong, extensions=[extension_rows()[0]]) == [
        "“任务清单”第 2 行“任务序号”：应为“问题序号-序号”，如 1-1",
        "“任务清单”第 5 行“任务序号”：任务 3-2 写了两行，每项任务只写一行",
    ]
