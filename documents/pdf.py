"""Looks into a PDF: what must not be in it, and whether its text bears a mark.

The file is not interpreted: its streams are unpacked within bounds, and what they hold is searched.
A scan has no text. Pages are unpacked whichever of the five filters of texts pack them, in a row
too; what else packs a page is refused, and so are objects that anything but Flate packs.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from documents.book import Unreadable
from documents.pdf_danger import check_objects
from documents.pdf_filters import UNSEEN
from documents.pdf_streams import Stream, streams
from documents.pdf_text import Texts

_BROKEN = "PDF 已损坏或不完整，请重新另存后再上传"
_FLATE = re.compile(rb"/Filter\s*(?:\[\s*/(?:FlateDecode|Fl)\s*\]|/(?:FlateDecode|Fl)\b)")
_PACKING = re.compile(rb"/(?:F|FFilter|FDecodeParms|Filter|DecodeParms|DP)\b")
_SKIPPED = rb"(?:[\0\t\n\f\r ]|%[^\r\n]*+[\r\n])"
_LIKE_OBJECTS = re.compile(_SKIPPED + rb"*+[+-]?\d++" + _SKIPPED + rb"++[+-]?\d")
"""Packed objects begin with their numbers and places; so do some pages, which lose nothing by it
but that a name like these in their text is no longer excused."""
_FIRST = re.compile(rb"/First\s+(\d{1,9})\b(?!\s+\d+\s+R)")


def check_pdf(data: bytes) -> None:
    """Unreadable, with what to do, for a file that must not be taken."""
    if b"startxref" not in data:
        raise Unreadable(_BROKEN)
    check_objects(data)
    texts = Texts()
    for stream in streams(data):
        if stream.of_objects:
            _check_packed(stream)
            texts.page(stream.text)  # titles and outlines
            continue
        if _LIKE_OBJECTS.match(stream.text):  # whatever its head says, or what hides that
            check_objects(stream.text, range(len(stream.text)))
        if b"begincmap" in stream.text:
            texts.font(stream.text)
        elif b"Tj" in stream.text or b"TJ" in stream.text:
            texts.page(stream.text)
    texts.look(data)  # titles and outlines in the open


def _check_packed(stream: Stream) -> None:
    """Objects are seen only where nothing but Flate packs them, whole and once."""
    packing = _PACKING.findall(stream.head)
    if packing and not (packing == [b"/Filter"] and _FLATE.search(stream.head)):
        raise Unreadable(UNSEEN)
    if not stream.whole:
        raise Unreadable(_BROKEN)
    check_objects(stream.text, _places(stream))


def _places(stream: Stream) -> Iterable[int]:
    """Where the objects of a stream begin; anywhere for one that does not say so plainly."""
    named = _FIRST.findall(stream.head)
    first = int(named[0]) if len(named) == stream.head.count(b"/First") == 1 else 0
    numbers = stream.text[:first].split()
    if not numbers or not all(one.isdigit() and len(one) < 10 for one in numbers):
        return range(len(stream.text))
    places = [first + int(one) for one in numbers[1::2]]
    if any(later < one for one, later in pairwise(places)):
        return range(len(stream.text))
    return places
