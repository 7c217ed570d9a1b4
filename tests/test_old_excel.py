"""An .xls is read like an .xlsx, in a process that cannot hurt anybody."""

from datetime import date

import pytest

from documents.book import Merge, Unreadable
from documents.feedback import PROBLEM_COLUMNS, PROBLEMS, TASK_COLUMNS, TASKS, read_feedback
from documents.reading import read_book
from tests.office import Office, problem_table, task_table
from tests.old_excel_file import old_excel
from tests.sheets import Rows


def _refused(data: bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        read_book(data, "甲.xls")
    return str(refused.value)


def test_cells_keep_their_place_and_type() -> None:
    rows: Rows = [[], ["", "甲", 1, 1.5, True, date(2027, 1, 27)]]
    first, second = read_book(
        old_excel({"表": rows, "旧": [[1]]}, merges=[(1, 2, 1, 1)], hidden=["旧"])
    ).sheets
    row = first.rows[0]
    assert (first.name, row.number, first.merges) == ("表", 2, [Merge(2, 2, 3, 2)])
    assert row.cells == [None, "甲", 1, 1.5, True, date(2027, 1, 27)]
    assert (second.name, second.hidden, second.rows) == ("旧", True, [])


def test_a_feedback_in_an_old_file_imports_to_the_same_rows() -> None:
    sheets: dict[str, Rows] = {
        PROBLEMS: [list(PROBLEM_COLUMNS), *problem_table()],
        TASKS: [list(TASK_COLUMNS), *task_table()],
    }
    read, clean = read_feedback(old_excel(sheets)), read_feedback(Office().xlsx())
    assert (read.faults, read.changes) == ((), ())
    assert (read.problems, read.tasks) == (clean.problems, clean.tasks)


@pytest.mark.parametrize("column", [255, 190])
def test_a_small_file_that_names_a_cell_far_out_is_refused(column: int) -> None:
    """As a full table the second one would be 400 MB."""
    assert "不能读取" in _refused(old_excel({"表": [["甲"]]}, far=column))


@pytest.mark.parametrize("length", [8, 600, 3000])
def test_a_damaged_file_is_refused(length: int) -> None:
    assert "不能读取" in _refused(old_excel({"表": [["甲"]]})[:length])


def test_a_file_with_a_password_is_refused_in_words() -> None:
    data = bytearray(old_excel({"表": [["甲"]]}))
    name = "EncryptedPackage".encode("utf-16-le")
    data[1024 + 256 : 1024 + 256 + len(name)] = name
    assert "密码" in _refused(bytes(data))
