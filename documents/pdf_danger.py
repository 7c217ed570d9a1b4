"""Whether a PDF names what runs, fetches or holds something else, said as such and not as text.

The names are looked for everywhere. One in a string, a comment or a stream does nothing, so it is
excused; but only as far as the file reads the same wherever a reader may enter it. From the first
doubt on nothing is excused.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from documents.book import Unreadable

_ENCRYPTED = "PDF 设了密码或限制，不能检查内容，请去掉后再上传"
_ACTIVE = "PDF 中含有脚本或会启动其他程序，请打印为普通 PDF 后再上传"
_INSIDE = "PDF 中嵌入了其他文件，请取出后分别上传"
_SAID = {
    "Encrypt": _ENCRYPTED,
    **dict.fromkeys(("JavaScript", "JS", "Launch", "XFA", "RichMedia"), _ACTIVE),
    **dict.fromkeys(("EmbeddedFile", "EmbeddedFiles", "EF"), _INSIDE),
}
_BLANK = b"\0\t\n\f\r "
_OPENED = {b">>": b"<<", b"]": b"["}


def _named(name: str) -> bytes:
    """A name, any letter of which may be written as its code: ``/J#61vaScript``."""
    letters = (rb"(?:%c|#(?i:%02x))" % (ord(letter), ord(letter)) for letter in name)
    return b"(?P<%s>%s)" % (name.encode(), b"".join(letters))


_NAMES = re.compile(
    b"/(?:" + b"|".join(map(_named, _SAID)) + rb")(?=[" + _BLANK + rb"()<>\[\]{}/%]|\Z)"
)
_ENTRY = re.compile(rb"obj|xref(?=[" + _BLANK + rb"%<\d]|\Z)|trailer")
"""Where a reader may begin to read: an object, if it is numbered; the index, the trailer."""
_BESIDE_A_NUMBER = re.compile(rb"(?:\A|\d)[" + _BLANK + rb"]*+%")
"""A line with a comment between a number and what follows."""
_NUMBER, _NEAR = b"+-.0123456789", 256
_TOKEN = re.compile(
    rb"(?P<comment>%[^\r\n]*+)|(?P<text>\()|(?P<bracket><<|>>|[\[\]])"
    rb"|(?P<hex><[0-9A-Fa-f" + _BLANK + rb"]*+>)|(?P<stream>(?<!/)\bstream(?=[\r\n]))|[<>)]"
)
_PAREN = re.compile(rb"[()]|\\.", re.DOTALL)
_MOST_TOKENS, _MOST_EXCUSED, _LONGEST_TEXT = 1_000_000, 10_000, 1 << 20
_END = b"endstream"


def check_objects(data: bytes, entries: Iterable[int] | None = None) -> None:
    """Unreadable for what must not be in a file or in a stream of objects.

    ``entries`` are the places where a reader may begin, in order; None for a file, where they say
    so themselves.
    """
    excused: Iterator[tuple[int, int]] | None = None
    start = end = 0
    for count, found in enumerate(_NAMES.finditer(data)):
        excused = excused or _nothing_said(data, entries)
        while end <= found.start():
            start, end = next(excused, (len(data), len(data) + 1))
        if start > found.start() or count > _MOST_EXCUSED:
            raise Unreadable(_SAID[str(found.lastgroup)])


def _nothing_said(data: bytes, entries: Iterable[int] | None) -> Iterator[tuple[int, int]]:
    """The comments, strings and streams, while it is beyond doubt that they are such."""
    if entries is None:
        entries = _entries(data)
    entering = chain(entries, repeat(len(data) + 1))
    entry, at, over = next(entering), 0, -1
    inside: list[bytes] = []
    for _ in range(_MOST_TOKENS):
        found = _TOKEN.search(data, at)
        if found is None:
            return
        start = found.start()
        while entry <= start and not inside:  # who begins there sees what follows as this does
            entry = next(entering)
        at = _end_of(data, found, over, inside)
        if entry < at or at < 0:
            return
        over = _over(found, at, over, inside)
        yield start, at


def _entries(data: bytes) -> Iterator[int]:
    """Where a reader may begin, by the file itself; a picture may have the bare words by chance."""
    for found in _ENTRY.finditer(data):
        if found[0] != b"obj" or _numbered(data, found.start()):
            yield found.start()


def _numbered(data: bytes, at: int) -> bool:
    """Whether two numbers may stand before a place, with blanks and comments between."""
    for _ in range(2):
        near = data[max(at - _NEAR, 0) : at]
        bare = near.rstrip(_BLANK)
        apart = near[len(bare) :]
        if b"\n" in apart or b"\r" in apart:
            line = re.split(rb"[\r\n]", bare)[-1]
            if _BESIDE_A_NUMBER.search(line):
                return True
        rest = bare.rstrip(_NUMBER)
        if not rest:
            return len(near) == _NEAR  # it goes on further than one looks
        if rest == bare:
            return False
        at -= len(near) - len(rest)
    return True


def _end_of(data: bytes, found: re.Match[bytes], over: int, inside: list[bytes]) -> int:
    """Where a token ends; -1 when that is in doubt. ``over``: see :func:`_over`."""
    kind, at = found.lastgroup, found.end()
    if kind == "stream":
        follows = over >= 0 and not data[over : found.start()].strip(_BLANK)
        return data.find(_END, at) if follows else -1
    if kind == "text":
        return _after_text(data, at)
    if kind == "bracket" and not _nested(inside, found[0]):
        return -1
    return at if kind else -1


def _over(found: re.Match[bytes], at: int, over: int, inside: list[bytes]) -> int:
    """Where a dictionary is over that a stream may follow; -1 where none is."""
    if found.lastgroup == "comment":
        return at if over >= 0 else -1
    return at if found[0] == b">>" and not inside else -1


def _nested(inside: list[bytes], bracket: bytes) -> bool:
    """Note a bracket; False for one that closes another than was opened."""
    if bracket in (b"<<", b"["):
        inside.append(bracket)
        return True
    return bool(inside) and inside.pop() == _OPENED[bracket]


def _after_text(data: bytes, at: int) -> int:
    """Where a string ends whose first parenthesis stands before; -1 when it does not soon."""
    depth = 1
    for found in _PAREN.finditer(data, at, at + _LONGEST_TEXT):
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return -1
