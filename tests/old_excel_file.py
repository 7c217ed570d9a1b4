"""Writes an .xls as Excel 97 did (BIFF8 in a compound file): no library we have does it."""

import struct
from collections.abc import Sequence
from datetime import date

from tests.sheets import Rows

_SECTOR = 512
_END, _FREE, _TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_DATE_STYLE = 1


def old_excel(
    sheets: dict[str, Rows],
    *,
    merges: Sequence[tuple[int, int, int, int]] = (),
    hidden: Sequence[str] = (),
    far: int = 0,
) -> bytes:
    """The file; ``merges`` are of the first sheet, as (first row, last row, first, last column).

    ``far`` puts a number into this column of the last row that such a sheet can have.
    """
    texts = [cell for rows in sheets.values() for row in rows for cell in row if type(cell) is str]
    bodies = [
        _sheet(rows, texts, merges if not place else (), far=far)
        for place, rows in enumerate(sheets.values())
    ]
    size = len(_globals(list(sheets), texts, [0] * len(sheets), hidden))
    places = [size + sum(map(len, bodies[:n])) for n in range(len(bodies))]
    return _compound(_globals(list(sheets), texts, places, hidden) + b"".join(bodies))


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _text(text: str, length: str) -> bytes:
    return struct.pack(f"<{length}B", len(text), 1) + text.encode("utf-16-le")


def _begin(kind: int) -> bytes:
    return _record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6))


def _globals(
    names: Sequence[str], texts: Sequence[str], places: Sequence[int], hidden: Sequence[str]
) -> bytes:
    style = struct.pack("<HH", 0, 0) + b"\0" * 16
    dates = struct.pack("<HH", 0, 14) + b"\0" * 16
    listed = b"".join(
        _record(0x0085, struct.pack("<IBB", place, name in hidden, 0) + _text(name, "B"))
        for name, place in zip(names, places, strict=True)
    )
    shared = struct.pack("<II", len(texts), len(texts)) + b"".join(_text(t, "H") for t in texts)
    return (
        _begin(0x0005)
        + _record(0x0042, struct.pack("<H", 1200))
        + _record(0x00E0, style)
        + _record(0x00E0, dates)
        + listed
        + _record(0x00FC, shared)
        + _record(0x000A, b"")
    )


def _sheet(
    rows: Rows, texts: Sequence[str], merges: Sequence[tuple[int, int, int, int]], *, far: int
) -> bytes:
    cells = b"".join(
        _cell(row, column, cell, texts)
        for row, line in enumerate(rows)
        for column, cell in enumerate(line)
        if cell != ""
    )
    if far:
        cells += _record(0x0203, struct.pack("<HHHd", 65_535, far, 0, 1.0))
    blocks = struct.pack("<H", len(merges)) + b"".join(struct.pack("<HHHH", *m) for m in merges)
    return _begin(0x0010) + cells + _record(0x00E5, blocks) + _record(0x000A, b"")


def _cell(row: int, column: int, cell: object, texts: Sequence[str]) -> bytes:
    at = struct.pack("<HH", row, column)
    if isinstance(cell, bool):
        return _record(0x0205, at + struct.pack("<HBB", 0, cell, 0))
    if isinstance(cell, str):
        return _record(0x00FD, at + struct.pack("<HI", 0, texts.index(cell)))
    if isinstance(cell, date):
        days = (cell - date(1899, 12, 30)).days
        return _record(0x0203, at + struct.pack("<Hd", _DATE_STYLE, days))
    return _record(0x0203, at + struct.pack("<Hd", 0, cell))


def _compound(stream: bytes) -> bytes:
    """The stream ``Workbook`` in a compound file: its table, its directory, its sectors."""
    stream = stream.ljust(4096, b"\0")
    stream += b"\0" * (-len(stream) % _SECTOR)
    count = len(stream) // _SECTOR
    chain = [_TABLE, _END, *range(3, count + 2), _END]
    table = struct.pack("<128I", *chain, *[_FREE] * (128 - len(chain)))
    head = struct.pack(
        "<8s16sHHHHH6xIIIIIIIIII",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6),
        *(0, 1, 1, 0, 4096, _END, 0, _END, 0, 0),
    )
    directory = _entry("Root Entry", 5, 1, _END, 0) + _entry("Workbook", 2, _FREE, 2, len(stream))
    directory += (b"\0" * 68 + struct.pack("<III", _FREE, _FREE, _FREE) + b"\0" * 48) * 2
    return head.ljust(_SECTOR, b"\xff") + table + directory + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, _FREE, _FREE, child)
        + b"\0" * 36
        + struct.pack("<IQ", start, size)
    )
