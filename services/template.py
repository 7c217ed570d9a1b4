"""The workbooks to fill in for each import."""

from documents.feedback import PROBLEM_TABLE, PROBLEMS, TASK_TABLE, TASKS
from documents.ledger import LEDGER_SHEETS
from documents.organisation_file import SHEETS
from documents.template import template


def problem_template() -> bytes:
    """The workbook of a feedback: 问题清单 and 任务清单, empty, with drop-downs."""
    return template({PROBLEMS: PROBLEM_TABLE, TASKS: TASK_TABLE})


def organisation_template() -> bytes:
    """The workbook of organisations, posts, appointments, portfolios and relations, empty."""
    return template(SHEETS)


def ledger_template() -> bytes:
    """The workbook of a running rectification (存量台账): problems, tasks, extensions, empty."""
    return template(LEDGER_SHEETS)
