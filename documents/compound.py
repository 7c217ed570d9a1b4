"""Looks into a .doc or .xls (and what Office encrypts): its directory, its flags, its text.

The directory of such a file is not walked: an entry is 128 bytes that begin with its name, filled
up with zeros, and the name's length, and that is looked for. A file cannot have an entry that
Office would find and this would not.
"""

import struct
from io import BytesIO

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from documents.book import Unreadable
from documents.marks import Marked, Marks, marks_in

_ENCRYPTED = "文件设了密码，请去掉密码后再上传"
_MACROS = "文件含有宏，请另存为不含宏的文件后再上传"
_OBJECTS = "文件中嵌入了其他程序的对象，请删去后再上传"
_BROKEN = "文件已损坏，请重新另存后再上传"
_WORD_MAGIC, _SECTOR = b"\xec\xa5", 512
_FLAGS_AT, _ENCRYPTED_FLAG = 10, 0x0100
"""Where the first block of a Word document holds its flags, and the one of encryption (MS-DOC)."""
_MOST_SECTORS = 1 << 20


def kind_of_compound(data: bytes) -> str:
    """``doc``, ``xls``, or '' for another file of this build. Unreadable for an encrypted one."""
    if _has(data, "EncryptedPackage") or _has(data, "EncryptionInfo"):
        raise Unreadable(_ENCRYPTED)
    if _has(data, "WordDocument"):
        return "doc"
    return "xls" if _has(data, "Workbook") or _has(data, "Book") else ""


def check_compound(data: bytes, kind: str) -> None:
    """Unreadable, with what to do, for a file that must not be taken."""
    if any(_has(data, name) for name in ("_VBA_PROJECT", "_VBA_PROJECT_CUR", "Macros", "VBA")):
        raise Unreadable(_MACROS)
    if any(_has(data, name) for name in ("\x01Ole10Native", "ObjectPool", "Package")):
        raise Unreadable(_OBJECTS)
    if kind == "doc":
        _check_word(data)
    else:
        _check_workbook(data)


def _has(data: bytes, name: str) -> bool:
    raw = name.encode("utf-16-le")
    return raw.ljust(64, b"\0") + struct.pack("<H", len(raw) + 2) in data


def _check_word(data: bytes) -> None:
    starts = range(_SECTOR, min(len(data), _MOST_SECTORS * _SECTOR), _SECTOR)
    first = next((at for at in starts if data.startswith(_WORD_MAGIC, at)), None)
    if first is None or first + _FLAGS_AT + 2 > len(data):
        raise Unreadable(_BROKEN)
    (flags,) = struct.unpack_from("<H", data, first + _FLAGS_AT)
    if flags & _ENCRYPTED_FLAG:
        raise Unreadable(_ENCRYPTED)
    marks = marks_in(lambda letter: letter.encode("utf-16-le"))
    if marks and marks.search(data):
        raise Marked


def _check_workbook(data: bytes) -> None:
    marks = Marks()
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        for about in book.sheets_metadata:
            if about.typ not in (SheetTypeEnum.WorkSheet, SheetTypeEnum.ChartSheet):
                raise Unreadable(_MACROS)
            if about.typ is SheetTypeEnum.WorkSheet:
                for row in book.get_sheet_by_name(about.name).iter_rows():
                    for cell in row:
                        if isinstance(cell, str) and cell:
                            marks.text(cell)
                            marks.end()
    except CalamineError as error:
        said = _ENCRYPTED if "assword" in type(error).__name__ else _BROKEN
        raise Unreadable(said) from error
