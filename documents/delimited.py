"""A CSV as a book of one sheet: UTF-8 with or without its mark, GB18030 (and so GBK, GB2312)."""

import codecs
import csv
import io
from collections.abc import Iterator

from documents.book import Book, Row, Sheet, Unreadable
from documents.xlsx_sheet import MOST_COLUMNS, MOST_ROWS, Budget

_PIECE = 1 << 16
_LONGEST_CELL = 100_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"))
"""What a file may begin with: Excel's 「CSV UTF-8」, and its 「Unicode 文本」."""
csv.field_size_limit(_LONGEST_CELL)


def read_delimited(data: bytes) -> Book:
    """The rows of a CSV (commas, semicolons or tabs); :class:`Unreadable` when it is none."""
    encoding = _encoding(data)
    head = data[:_PIECE].decode(encoding, "ignore").partition("\n")[0]
    text = io.TextIOWrapper(io.BytesIO(data), encoding, newline="")
    parted = csv.reader(text, delimiter=_delimiter(head), strict=True)
    try:
        rows = list(_rows(parted))
    except csv.Error as error:
        raise Unreadable("文件不是完整的 CSV，请检查引号和换行") from error
    return Book([Sheet("", rows, [])])


def _rows(parted: Iterator[list[str]]) -> Iterator[Row]:
    budget = Budget()
    for number, cells in enumerate(parted, start=1):
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise Unreadable(f"第 {number} 行超过 {MOST_COLUMNS} 列，请检查逗号和引号")
        if number > MOST_ROWS:
            raise Unreadable(f"文件超过 {MOST_ROWS // 10_000} 万行，请分成几个文件")
        budget.cell(len(cells))
        yield Row(number, [cell or None for cell in cells])


def _encoding(data: bytes) -> str:
    if b"\0" in data[:_PIECE] and not data.startswith(codecs.BOM_UTF16_LE):
        raise Unreadable("这不是 Excel 工作簿或 CSV 文件，请用 Excel 另存为 .xlsx 后再上传")
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        if _decodes(data, encoding):
            return encoding
    raise Unreadable("文件不是 UTF-8 或 GB18030 编码的 CSV，请用 Excel 另存为 .xlsx 后再上传")


def _decodes(data: bytes, encoding: str) -> bool:
    """Piece by piece, so that no second copy of the file is made."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), _PIECE):
            decoder.decode(data[start : start + _PIECE])
        decoder.decode(b"", True)
    except UnicodeError:
        return False
    return True


def _delimiter(head: str) -> str:
    """The one its first line has most of; a comma where there is none."""
    return max(",;\t", key=head.count)
