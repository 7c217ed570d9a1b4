"""The zip of an .xlsx, unpacked piece by piece and never further than the bounds.

Nothing of it is believed: what is counted is what really comes out. Every XML part passes
:func:`parse`, which refuses what a stranger could fill memory or reach files with.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn
from xml.parsers import expat

from documents.book import Unreadable

MOST_PARTS = 2_000
MOST_UNPACKED = 400 * 1024 * 1024
"""A million formatted rows of ten cells are about 250 MB of XML; it is never in memory at once."""
_PIECE = 1 << 18
_LONGEST_TOKEN = 1 << 20
_MOST_NAMES = 4_000
_DEEPEST = 200
_MOST_ELEMENTS = 8_000_000
_ENTRY = b"PK\x01\x02"
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = "文件内容已损坏，请用 Excel 打开后另存为 .xlsx"
_NO_EXCEL = "这不是 Excel 文件（.xlsx），或者文件不完整"
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


def broken() -> Unreadable:
    """The error for a file that no Excel wrote."""
    return Unreadable(_BROKEN)


class Package:
    """The parts of an archive. ``names`` by their lower-case names, as Excel compares them."""

    def __init__(self, data: bytes) -> None:
        if data.count(_ENTRY) > MOST_PARTS:  # before the list of them is made in memory
            raise Unreadable("文件解压后过大，没有读取")
        with _zip_errors():
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._left = MOST_UNPACKED
        self.names: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            if self.names.setdefault(info.filename.lower(), info) is not info:
                raise Unreadable("文件结构有重复，没有读取")

    def pieces(self, name: str) -> Iterator[bytes]:
        """A part, unpacked, in pieces; nothing for one that is not there."""
        info = self.names.get(name.lower())
        if info is None:
            return
        if info.compress_type not in _PLAIN:  # only these can be unpacked piece by piece
            raise Unreadable(_NO_EXCEL)
        with _zip_errors(), self._archive.open(info) as part:
            while piece := part.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    raise Unreadable("文件解压后过大，没有读取")
                yield piece


def parse(pieces: Iterator[bytes], start: Start, end: End, text: Text | None = None) -> None:
    """Parse one XML part with handlers that get names without their prefix.

    Refuses DOCTYPE and entities (they name files and grow), tokens longer than 1 MB, thousands of
    different names and deep nesting: expat would keep all of these in memory. Millions of elements
    are refused because of the time they take.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate(intern=names)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    parser.StartElementHandler, parser.EndElementHandler = _nested(start, end)
    if text is not None:
        parser.buffer_text = True
        parser.CharacterDataHandler = text
    fed = 0
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            fed += len(piece)
            if fed - parser.CurrentByteIndex > _LONGEST_TOKEN or len(names) > _MOST_NAMES:
                raise broken()
        if fed:
            parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise broken() from error


def _nested(start: Start, end: End) -> tuple[Start, End]:
    depth, left = 0, _MOST_ELEMENTS

    def opened(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth, left
        depth += 1
        left -= 1
        if depth > _DEEPEST:
            raise broken()
        if left < 0:
            raise Unreadable("文件中的内容太多，没有读取，请只留下要读的表")
        start(tag.rpartition(":")[2] if ":" in tag else tag, attributes)

    def closed(tag: str) -> None:
        nonlocal depth
        depth -= 1
        end(tag.rpartition(":")[2] if ":" in tag else tag)

    return opened, closed


@contextmanager
def _zip_errors() -> Iterator[None]:
    try:
        yield
    except Unreadable:
        raise
    except _BROKEN_ZIP as error:
        raise Unreadable(_NO_EXCEL) from error


def _refuse_doctype(*_: object) -> NoReturn:
    raise Unreadable("文件中有 DOCTYPE 声明，可能有害，没有读取")
