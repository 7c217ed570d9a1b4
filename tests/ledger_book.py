"""A small right ledger of the cast's town, and what tests change in it."""

from datetime import date

from documents.feedback import PROBLEMS, TASKS
from documents.ledger import EXTENSION_TABLE, EXTENSIONS, LEDGER_TABLE, LEDGER_TASKS
from tests.sheets import Rows, workbook

_OFFICE = ("书记", "副书记", "党建办", "滨河区纪委书记")
_CITY = ("书记", "副书记", "城市管理办", "滨河区纪委书记")


def problem_rows() -> Rows:
    """Four problems, one of each stage, header included; today is 2 March 2026."""
    kind = ["履行全面从严治党责任方面", "政治生态"]
    applied, closed = date(2026, 2, 20), date(2025, 12, 30)
    return [
        [column.name for column in LEDGER_TABLE],
        [
            1,
            *kind,
            "台账更新不及时",
            "有 7 项",
            "",
            "",
            "",
            "",
            "已销号",
            "",
            closed,
            "会议纪要 3 号",
        ],
        [2, *kind, "合同审核不严", "", *_OFFICE, "已申请销号", applied, "", "审核表 2 份"],
        [3, *kind, "报表重复", "", *_CITY, "整改中", "", "", ""],
        [4, *kind, "巡查不到位", "", *_CITY, "未启动", "", "", ""],
    ]


def task_rows() -> Rows:
    """Five tasks: three are done, one of them late; one is late, one is not due."""
    office, city = ("副书记", "党建办", ""), ("副书记", "城市管理办", "党建办")
    first, later = date(2025, 12, 1), date(2026, 6, 1)
    return [
        [column.name for column in LEDGER_TASKS],
        [1, "1-1", "建立台账", "台账印发", *office, first, "否", date(2025, 12, 1)],
        [2, "2-1", "修订办法", "办法印发", *office, first, "否", date(2026, 1, 8)],
        [3, "3-1", "合并报表", "减少 2 张", *city, first, "否", date(2026, 1, 20)],
        [3, "3-2", "清理系统", "停用 1 个", *city, first, "否", ""],
        [4, "4-1", "排出班次", "按班巡查", *city, later, "否", ""],
    ]


def extension_rows() -> Rows:
    """Task 2-1 was extended once, 3-2 twice."""
    return [
        [column.name for column in EXTENSION_TABLE],
        ["2-1", date(2025, 11, 28), date(2026, 1, 10), "区委巡察办主任"],
        ["3-2", date(2025, 11, 28), date(2025, 12, 31), "区委巡察办主任"],
        ["3-2", date(2025, 12, 30), date(2026, 1, 31), "区委分管副书记"],
    ]


def ledger(
    problems: Rows | None = None, tasks: Rows | None = None, extensions: Rows | None = None
) -> bytes:
    """The ledger as a workbook: the right one, or with other rows."""
    sheets = {
        PROBLEMS: problems or problem_rows(),
        TASKS: tasks or task_rows(),
        EXTENSIONS: extensions or extension_rows(),
    }
    return workbook(sheets)
