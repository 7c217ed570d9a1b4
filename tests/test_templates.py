"""The workbooks to fill in: drop-downs where a list is asked for, and clean when read back."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from documents.feedback import (
    PROBLEM_COLUMNS,
    PROBLEM_TABLE,
    PROBLEMS,
    TASK_COLUMNS,
    TASK_TABLE,
    TASKS,
    read_feedback,
)
from documents.organisation_file import SHEETS
from documents.reading import read_book
from documents.sheet_table import left_out, table
from documents.template import template
from services.template import organisation_template, problem_template
from tests.office import Office, problem_table, task_table
from tests.sheets import filled, said

TABLES = {
    "problem": {PROBLEMS: PROBLEM_TABLE, TASKS: TASK_TABLE},
    "org": dict(SHEETS),
}
MADE = {"problem": problem_template, "org": organisation_template}


@pytest.mark.parametrize("which", sorted(MADE))
def test_a_template_reads_back_clean(which: str) -> None:
    book = read_book(MADE[which]())
    for name, columns in TABLES[which].items():
        found = table(book, name, columns)
        assert (said(found.faults), found.changes, found.rows) == ([], [], []), name
        assert found.header == 1
    assert left_out(book, list(TABLES[which])) == []


def test_a_template_that_was_filled_in_reads_without_a_change() -> None:
    rows = {PROBLEMS: problem_table(), TASKS: task_table()}
    read, clean = read_feedback(filled(problem_template(), rows)), read_feedback(Office().xlsx())
    assert (read.faults, read.changes) == ((), ())
    assert (read.problems, read.tasks) == (clean.problems, clean.tasks)


@pytest.mark.parametrize("which", sorted(MADE))
def test_every_choice_has_its_drop_down(which: str) -> None:
    with zipfile.ZipFile(io.BytesIO(MADE[which]())) as archive:
        for number, (name, columns) in enumerate(TABLES[which].items(), start=1):
            part = archive.read(f"xl/worksheets/sheet{number}.xml").decode()
            lists = re.findall(r'<dataValidation type="list"', part)
            assert len(lists) == sum(bool(column.choices) for column in columns), name


def test_a_template_is_the_same_file_whenever_it_is_made() -> None:
    assert template(TABLES["problem"]) == problem_template()


@pytest.mark.parametrize("which", sorted(MADE))
def test_the_command_writes_the_template_and_overwrites_nothing(which: str, tmp_path: Path) -> None:
    file = tmp_path / "表.xlsx"
    first, second = (CliRunner().invoke(app, [which, "template", str(file)]) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 1)
    assert "没有覆盖" in second.output
    assert file.read_bytes() == MADE[which]()


def test_the_columns_are_those_that_are_read() -> None:
    book = read_book(problem_template())
    assert tuple(book.sheets[0].rows[0].cells) == PROBLEM_COLUMNS
    assert tuple(book.sheets[1].rows[0].cells) == TASK_COLUMNS
