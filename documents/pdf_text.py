"""The text of a PDF as its codes, and the marks of classified papers in it.

Text is found where a font says what its codes mean (ToUnicode) or uses UCS-2, UTF-8 or GBK, which
is what Office, WPS and browsers write. The work is bounded whatever the file holds.
"""

import re
from collections.abc import Iterator

from documents.marks import Marked, marks_in
from documents.pdf_filters import Bound

Codes = dict[str, bytes]
"""The codes of the letters of marks in one font."""
_OF_MARKS = "绝机秘密级★☆:：()（）【】[]〔〕 \u3000"
_WANTED = {ord(letter): letter for letter in _OF_MARKS}
_IN_ALL = "密"
"""Every mark has this letter."""
_AROUND = 192
"""Bytes before and behind it in which a mark is looked for."""
_MOST_LOOKED, _LOOK = 4 << 30, 1 << 15
"""Bytes that all fonts together are looked for in, and how many of them one closer look counts."""
_MOST_STRINGS, _MOST_CODES = 4_000_000, 8 << 20
_SHOWN = re.compile(rb"\(((?:[^()\\]++|\\.)*+)|<([0-9A-Fa-f\s]++)>", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_CODE = rb"<([0-9A-Fa-f]{1,8})>"
_PAIR = re.compile(_CODE + rb"\s*" + _CODE)
_RANGE = re.compile(_CODE + rb"\s*" + _CODE + rb"\s*" + _CODE)
_LIST = re.compile(_CODE + rb"\s*" + _CODE + rb"\s*\[([^\[\]]*)")
_CODES = re.compile(_CODE)
_BEGIN, _END = b"beginbf", b"endbf"


class Texts:
    """Takes what the streams of one file show, and looks for marks in it."""

    def __init__(self) -> None:
        self._fonts: list[Codes] = []
        self._shown: list[bytes] = []
        self._strings, self._codes = Bound(_MOST_STRINGS), Bound(_MOST_CODES)
        self._looks = Bound(_MOST_LOOKED)

    def font(self, cmap: bytes) -> None:
        """What one font's codes mean."""
        self._codes.take(len(cmap))
        self._fonts.append(_font(cmap))

    def page(self, content: bytes) -> None:
        """What a page shows: the strings in it, as if there were nothing between them."""
        self._shown.append(b"".join(self._said(content)))

    def look(self, *plain: bytes) -> None:
        """:class:`~documents.marks.Marked` for a mark on a page or in the ``plain`` texts."""
        for encoding in ("utf-16-be", "gbk", "utf-8"):
            codes = {letter: letter.encode(encoding, "ignore") for letter in _OF_MARKS}
            self._look(codes, [*self._shown, *plain])
        seen: set[bytes] = set()
        for codes in self._fonts:
            self._look(codes, self._shown, seen)

    def _look(self, codes: Codes, texts: list[bytes], seen: set[bytes] | None = None) -> None:
        marks, letter = marks_in(codes.get), codes.get(_IN_ALL, b"")
        if marks is None or not letter or (seen is not None and marks.pattern in seen):
            return
        if seen is not None:
            seen.add(marks.pattern)
        for text in texts:
            self._looks.take(len(text))
            at = 0
            while (found := text.find(letter, at)) >= 0:
                self._looks.take(_LOOK)
                at = found + _AROUND
                if marks.search(text, max(found - _AROUND, 0), at + _AROUND):
                    raise Marked

    def _said(self, content: bytes) -> Iterator[bytes]:
        for found in _SHOWN.finditer(content):
            literal, hexadecimal = found.groups()
            self._strings.take(1)
            if hexadecimal is None:
                self._strings.take(literal.count(b"\\"))
                yield _ESCAPE.sub(_unescaped, literal) if b"\\" in literal else literal
            else:
                digits = b"".join(hexadecimal.split())
                yield bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())


def _unescaped(found: re.Match[bytes]) -> bytes:
    said = found[1]
    if said.isdigit():
        return bytes([int(said, 8) & 0xFF]) if said[0] < ord("8") else said
    return b"" if said in (b"\r\n", b"\n", b"\r") else _PLAIN.get(said, said)


def _font(cmap: bytes) -> Codes:
    codes: Codes = {}
    at = 0
    while (at := cmap.find(_BEGIN, at)) >= 0:
        end = cmap.find(_END, at)
        if end < 0:
            break
        block, at = cmap[at + len(_BEGIN) : end], end
        if block.startswith(b"char"):
            for code, text in _PAIR.findall(block):
                _note(codes, code, int(text, 16), 0)
        elif block.startswith(b"range"):
            _ranges(codes, block)
    return codes


def _ranges(codes: Codes, block: bytes) -> None:
    for low, high, text in _RANGE.findall(block):
        _note(codes, low, int(text, 16), int(high, 16) - int(low, 16))
    for low, _, texts in _LIST.findall(block):
        for place, text in enumerate(_CODES.findall(texts)):
            _note(codes, b"%0*x" % (len(low), int(low, 16) + place), int(text, 16), 0)


def _note(codes: Codes, code: bytes, text: int, more: int) -> None:
    """``more`` codes follow ``code``, for the letters that follow ``text``."""
    numbers = _WANTED if more > 0 else _WANTED.keys() & (text,)
    for number in numbers:
        if text <= number <= text + more:
            long = (len(code) + 1) // 2
            codes[_WANTED[number]] = (int(code, 16) + number - text).to_bytes(long + 1, "big")[1:]
