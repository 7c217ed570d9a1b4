"""The streams of a PDF, found in one pass and unpacked, with an upper bound of the work.

Nothing of the file's own index is believed: whatever begins like a stream is one, also where the
index or a string says otherwise, so that nothing is overlooked by what it stands in.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from documents.book import Unreadable

MOST_UNPACKED = 100 << 20
"""Bytes that come out of all streams."""
_MOST_READ = 64 << 20
"""Bytes that are read for it: a file of 20 MB twice, and what overlaps."""
_PIECE, _HEAD = 1 << 14, 2
_BOMB = "PDF 解压后过大，没有保存"
_WORD, _END = b"stream", b"endstream"
_UNREAD = re.compile(rb"/(?:Image|DCTDecode|JPXDecode|CCITTFaxDecode|JBIG2Decode)\b")
_FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
_ESCAPED_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
_OF_OBJECTS = re.compile(rb"/(?:ObjStm|First)\b")


class Bound:
    """So much work and no more: Unreadable once it is used up."""

    def __init__(self, most: int) -> None:
        self.left = most

    def take(self, much: int) -> None:
        """So much of it is done now."""
        self.left -= much
        if self.left < 0:
            raise Unreadable(_BOMB)


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream holds, unpacked. ``head`` is what stands before it, at least its dictionary."""

    head: bytes
    text: bytes
    whole: bool
    """Whether it was unpacked to its end and without an error."""

    @property
    def of_objects(self) -> bool:
        """Whether objects are packed in it."""
        return _OF_OBJECTS.search(self.head) is not None


def streams(data: bytes) -> Iterator[Stream]:
    """Every stream, pictures left out. Unreadable where they hold more than the bounds."""
    read, out = Bound(_MOST_READ), Bound(MOST_UNPACKED)
    for head, start, end in _found(data, read):
        named = _ESCAPED_NAME.sub(lambda found: bytes([int(found[1], 16)]), head)
        of_objects = _OF_OBJECTS.search(named)
        if _UNREAD.search(named) and not of_objects:
            continue
        with memoryview(data) as whole, whole[start:end] as packed:
            text, good = _unpacked(packed, read, out) if _FLATE.search(named) else (None, True)
        if text is None:
            text = data[start:end]
            out.take(len(text))
        yield Stream(named, text, good)


def _found(data: bytes, read: Bound) -> Iterator[tuple[bytes, int, int]]:
    """What stands before each stream, and where it begins and ends. Streams may overlap."""
    at = over = end = 0
    while (word := data.find(_WORD, at)) >= 0:
        at = word + len(_WORD)
        start = _after_line(data, at)
        if start == at or data.startswith(_END, max(word - 3, 0)):
            continue
        if start > end:
            over, end = end, data.find(_END, start)
            end = len(data) if end < 0 else end
        read.take(word - over)
        last = data.rfind(b"obj", over, word)
        head = data[last + 3 if last >= 0 else over : word]
        yield head if head.lstrip(b"\0\t\n\f\r ").startswith(b"<<") else data[over:word], start, end


def _after_line(data: bytes, at: int) -> int:
    """Where the next line begins if the present one ends here."""
    if data.startswith(b"\r\n", at):
        return at + 2
    return at + 1 if data.startswith((b"\n", b"\r"), at) else at


def _unpacked(packed: memoryview, read: Bound, out: Bound) -> tuple[bytes, bool]:
    """What was packed, as far as it can be unpacked, as readers do; whether that is all."""
    if len(packed) < _HEAD or packed[0] & 15 != zlib.DEFLATED or (packed[0] << 8 | packed[1]) % 31:
        return b"", False
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)  # without the sum that readers do not ask for
    pieces = []
    for at in range(_HEAD, len(packed), _PIECE):
        piece = bytes(packed[at : at + _PIECE])
        read.take(len(piece))
        while piece and not unpacker.eof:
            try:
                pieces.append(unpacker.decompress(piece, _PIECE))
            except zlib.error:
                return b"".join(pieces), False
            out.take(len(pieces[-1]))
            piece = unpacker.unconsumed_tail
        if unpacker.eof:
            break
    return b"".join(pieces), unpacker.eof
