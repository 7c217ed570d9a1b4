"""However a file is made, reading it takes less than 300 MB; a stranger can fill nobody's memory.

Each file is read in a process of its own, whose peak the kernel tells.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from documents.organisation_file import SHEETS, TERMS
from tests.old_excel_file import old_excel
from tests.sheets import SHEET, repacked, sheet_part, with_cells, workbook

MOST_MB = 300
READ = """
from documents.book import Unreadable
from documents.reading import read_book
try:
    print(len(read_book(data, sys.argv[1]).sheets[0].rows))
except Unreadable as error:
    print(error)
"""
TABLE = """
from documents.organisation_file import read_organisation_file
print(len(read_organisation_file(data, sys.argv[1]).terms))
"""
BEFORE = """
import resource, sys
with open(sys.argv[1], "rb") as file:
    data = file.read()
"""
AFTER = """
with open("/proc/self/status") as status:
    own = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024)
"""


def read(tmp_path: Path, data: bytes, how: str = READ) -> tuple[str, int]:
    """What reading gives, and the most memory it took, in MB."""
    file = tmp_path / "file"
    file.write_bytes(data)
    command = [sys.executable, "-c", BEFORE + how + AFTER, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    return said, int(peak)


def _formatted() -> bytes:
    """A million rows of which one holds something."""
    first = '<row r="1"><c r="A1"><v>1</v></c></row>'
    rows = (
        f'<row r="{n}" s="1" customFormat="1"><c r="A{n}" s="1"/><c r="B{n}" s="1"/></row>'
        for n in range(2, 1_000_001)
    )
    return with_cells(first + "".join(rows))


def _texts() -> bytes:
    row = "".join(f'<c t="str"><v>{{0}}长{"文" * 7}{n}</v></c>' for n in range(10))
    return with_cells("".join(f"<row>{row.format(n)}</row>" for n in range(90_000)))


def _pieces() -> bytes:
    runs = "<r><t>文</t></r>" * 1_450_000
    return with_cells(f'<row><c t="inlineStr"><is>{runs}</is></c></row>')


def _wide_letters() -> bytes:
    cell = f'<row><c t="str"><v>{"😀" * 200_000}</v></c></row>'
    return with_cells(cell * 110)


def _blocks() -> bytes:
    rows = "".join(f"<row><c><v>{n}</v></c></row>" for n in range(1, 60_000))
    merged = "".join(f'<mergeCell ref="A{n}:ZZ1048576"/>' for n in range(1, 60_000))
    part = sheet_part(rows, f"<mergeCells>{merged}</mergeCells>")
    return repacked(workbook({"甲": [[1]]}), SHEET, part)


def _long_token() -> bytes:
    part = f'<worksheet a="{"x" * 200_000_000}"/>'
    return repacked(workbook({"甲": [[1]]}), SHEET, part.encode())


def _shared() -> bytes:
    texts = "".join(f"<si><t>文{n}</t></si>" for n in range(1_100_000))
    part = f"<sst>{texts}</sst>".encode()
    return repacked(workbook({"甲": [["甲"]]}), "xl/sharedStrings.xml", part)


def _csv() -> bytes:
    line = ",".join(f"名称{n}" for n in range(180)) + "\n"
    return (line * 9_000).encode()


def _far() -> bytes:
    return old_excel({"表": [["甲"]]}, far=190)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_formatted, "1"),
        (_texts, "2400 万字"),
        (_pieces, "2400 万字"),
        (_wide_letters, "110"),
        (_blocks, "59999"),
        (_long_token, "损坏"),
        (_shared, "100 万个"),
        (_csv, "100 万个"),
        (_far, "不能读取"),
    ],
)
def test_no_file_takes_more_memory_than_is_promised(
    tmp_path: Path, make: Callable[[], bytes], said: str
) -> None:
    answer, peak = read(tmp_path, make())
    assert said in answer
    assert peak < MOST_MB


def _rows() -> str:
    return "".join(
        f'<row r="{n}"><c r="A{n}" t="str"><v>甲{n}</v></c><c r="F{n}"><v>1</v></c></row>'
        for n in range(3, 40_000)
    )


def _header_row() -> str:
    names = (column.name for column in SHEETS[TERMS])
    cells = "".join(f'<c t="str"><v>{name}</v></c>' for name in names)
    return f'<row r="1">{cells}</row>'


def _merged(block: str, rows: str) -> bytes:
    merged = f'<mergeCells><mergeCell ref="{block}"/></mergeCells>'
    part = sheet_part(_header_row() + rows, merged)
    return repacked(workbook({TERMS: [[1]]}), SHEET, part)


def _million() -> bytes:
    """One block over every column and a million rows, many of which hold more."""
    first = f'<row r="2"><c r="B2" t="str"><v>{"文" * 60}</v></c></row>'
    return _merged("B2:GR1048576", first + _rows())


def _each_row() -> bytes:
    """A block in every row, so that no two rows are covered alike."""
    blocks = "".join(f'<mergeCell ref="B{n}:GR{n + 9}"/>' for n in range(2, 39_000))
    part = sheet_part(_header_row() + _rows(), f"<mergeCells>{blocks}</mergeCells>")
    return repacked(workbook({TERMS: [[1]]}), SHEET, part)


@pytest.mark.parametrize("make", [_million, _each_row])
def test_no_table_takes_more_memory_than_is_promised(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    _, peak = read(tmp_path, make(), TABLE)
    assert peak < MOST_MB
