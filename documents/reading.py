"""Reads the files people send (.xlsx, .xls, .csv) into a :class:`~documents.book.Book`."""

from documents.book import Book, Unreadable
from documents.delimited import read_delimited
from documents.old_excel import read_old_excel
from documents.xlsx import read_xlsx

LARGEST_FILE = 20 * 1024 * 1024
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = (
    (b"%PDF", "这是 PDF 文件，请上传 Excel（.xlsx、.xls）或 CSV 文件"),
    (b"<", "这是网页文件，不是真正的 Excel 文件，请用 Excel 打开后另存为 .xlsx"),
    (b"{\\rtf", "这是 RTF 文件，请上传 Excel（.xlsx、.xls）或 CSV 文件"),
    (b"\x89PNG", "这是图片，请上传 Excel（.xlsx、.xls）或 CSV 文件"),
    (b"\xff\xd8\xff", "这是图片，请上传 Excel（.xlsx、.xls）或 CSV 文件"),
)


def read_book(data: bytes, filename: str = "") -> Book:
    """The sheets of a file, whatever its name says: its kind is told by its content.

    ``filename`` only tells a damaged workbook from a CSV. :class:`~documents.book.Unreadable` for
    anything that is no plain table, is harmful, or is larger than the bounds; memory stays bounded
    for any input (``docs/decisions/workbooks-read-as-a-stream.md``).
    """
    if not data:
        raise Unreadable("文件是空的，请重新选择")
    if len(data) > LARGEST_FILE:
        raise Unreadable(f"文件超过 {LARGEST_FILE // 1024 // 1024} MB，请删去图片等无关内容")
    if data.startswith(_ZIP):
        return read_xlsx(data)
    if data.startswith(_OLD_EXCEL):
        return read_old_excel(data)
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, reason in _OTHERS:
        if start.startswith(mark):
            raise Unreadable(reason)
    if filename.lower().endswith((".xlsx", ".xlsm", ".xls", ".et")):
        raise Unreadable("这不是 Excel 文件（.xlsx），或者文件不完整")
    return read_delimited(data)
