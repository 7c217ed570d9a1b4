"""The streams of a PDF, found in one pass and unpacked, with an upper bound of the work.

Nothing of the file's own index is believed: whatever begins like a stream is one, also where the
index or a string says otherwise, so that nothing is overlooked by what it stands in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from documents.pdf_filters import Bound, chains, undone

MOST_UNPACKED = 80 << 20
"""Bytes that come out of all streams, beside as many as the file has."""
_MOST_OVERLAP = 24 << 20
"""Bytes that are read beside the file twice: streams overlap."""
_WORD, _END = b"stream", b"endstream"
_UNREAD = re.compile(rb"/(?:Image|DCTDecode|JPXDecode|CCITTFaxDecode|JBIG2Decode)\b")
_FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
_ESCAPED_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
_OF_OBJECTS = re.compile(rb"/(?:ObjStm|First)\b")
_NEAR = re.compile(rb"/ObjStm\b|/First\s+\d++(?!\s+\d+\s+R)")
"""What a dictionary of packed objects says, and no other: whatever cuts its head short."""
_EOL = re.compile(rb"[\r\n]")
_BLANK, _DELIMITERS = b"\0\t\n\f\r ", b"\0\t\n\f\r ()<>[]{}/%"


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream holds, unpacked. ``head`` is what stands before it, at least its dictionary."""

    head: bytes
    text: bytes
    of_objects: bool
    """Whether it is said that objects are packed in it."""
    whole: bool
    """Whether it was unpacked to its end and without an error."""


def streams(data: bytes) -> Iterator[Stream]:
    """Every stream, pictures left out. Unreadable where they hold more than the bounds."""
    read, out = Bound(2 * len(data) + _MOST_OVERLAP), Bound(len(data) + MOST_UNPACKED)
    for before, start, end in _found(data, read):
        near = _ESCAPED_NAME.sub(lambda found: bytes([int(found[1], 16)]), before)
        named = _head(near)
        of_objects = bool(_OF_OBJECTS.search(named) or _NEAR.search(near))
        if _UNREAD.search(named) and not of_objects:
            continue
        packed = memoryview(data)[start:end]
        plain = ("flate",) if _FLATE.search(named) else ()
        for chain in [plain] if of_objects else chains(named, packed):
            text, good = undone(chain, named, packed, read, out)
            yield Stream(named, text, of_objects, good)


def _found(data: bytes, read: Bound) -> Iterator[tuple[bytes, int, int]]:
    """What stands before each stream, and where it begins and ends. Streams may overlap.

    It begins with the line after its word, as readers have it. Only what follows a dictionary ends
    what stands before the next one: a word in a string hides nothing.
    """
    at = over = end = line = until = 0
    while (word := data.find(_WORD, at)) >= 0:
        at = word + len(_WORD)
        if data.startswith(_END, max(word - 3, 0)) or data[at : at + 1].strip(_DELIMITERS):
            continue
        line = _line_end(data, at) if line < at else line
        start = _after_line(data, line)
        if start == line:
            return
        if start <= end:  # within the last one
            read.take(word - over)
            yield data[over:word], start, end
            continue
        if until < start:
            until = data.find(_END, start)
            until = len(data) if until < 0 else until
        read.take(word - end)
        before = data[end:word]
        yield before, start, until
        if before.rstrip(_BLANK).endswith(b">>"):
            over, end = end, until


def _head(before: bytes) -> bytes:
    """The dictionary that ends there, with its object's own words left out if it has any."""
    last = before.rfind(b"obj")
    head = before[last + 3 :] if last >= 0 else before
    return head if head.lstrip(_BLANK).startswith(b"<<") else before


def _line_end(data: bytes, at: int) -> int:
    found = _EOL.search(data, at)
    return found.start() if found else len(data)


def _after_line(data: bytes, at: int) -> int:
    """Where the next line begins if the present one ends here."""
    if data.startswith(b"\r\n", at):
        return at + 2
    return at + 1 if data.startswith((b"\n", b"\r"), at) else at
