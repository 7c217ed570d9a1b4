"""What packs a stream of a PDF, as its dictionary says and as its first bytes show, undone.

Each is undone as far as it goes, as readers do; what comes out of each counts against the bounds.
"""

import base64
import re
import zlib
from collections.abc import Callable, Iterator

from documents.book import Unreadable

Undone = tuple[bytes, bool]
"""What was packed, as far as it can be unpacked; whether that is all."""
UNSEEN = "PDF 的内部写法不能检查，请打印为普通 PDF 后再上传"
_BOMB = "PDF 解压后过大，没有保存"
_PIECE, _HEAD = 1 << 14, 2
_MOST_CHAINS, _LONGEST_CHAIN = 4, 4
_BLANK = b"\0\t\n\f\r "
_SKIPPED = rb"(?:[\0\t\n\f\r ]|%[^\r\n]{0,99}+[\r\n]){0,99}+"
_FILTER = re.compile(rb"/Filter(?=[\0\t\n\f\r ()<>\[\]{}/%]|\Z)")
_SAID = re.compile(
    rb"/Filter"
    + _SKIPPED
    + rb"(?:\[([^\[\]]{0,299}+)\]|(/[^\0\t\n\f\r ()<>\[\]{}/%]{1,99}+)(?=[^a-z]))"
)
_NAME = re.compile(rb"/([^\0\t\n\f\r ()<>\[\]{}/%]++)")
_PREDICTED = re.compile(rb"/Predictor" + _SKIPPED + rb"(?!1\b)")
_LATE = re.compile(rb"/EarlyChange" + _SKIPPED + rb"0\b")
_NOT_HEX = re.compile(rb"[^0-9A-Fa-f]")
_NOT_85 = re.compile(rb"[^!-uz]")
_LIKE_85 = re.compile(rb"[!-uz\0\t\n\f\r ]*+(?:~>?)?")
_LIKE_HEX = re.compile(rb"[0-9A-Fa-f\0\t\n\f\r ]*+>?")
_CLEAR, _END, _FULL = 256, 257, 4096


class Bound:
    """So much work and no more: Unreadable once it is used up."""

    def __init__(self, most: int) -> None:
        self.left = most

    def take(self, much: int) -> None:
        """So much of it is done now."""
        self.left -= much
        if self.left < 0:
            raise Unreadable(_BOMB)


def chains(head: bytes, packed: memoryview) -> list[tuple[str, ...]]:
    """The filters of a stream, in the order in which they are undone: for each way in which it may
    be read, whatever hides in its head what is said there. () for none.

    Unreadable for filters that are not said plainly, are too many, or foretell bytes.
    """
    found: list[tuple[str, ...]] = []
    said = _SAID.findall(head)
    if len(said) != len(_FILTER.findall(head)):
        raise Unreadable(UNSEEN)
    for several, one in said:
        names = tuple(_FILTERS.get(name, "") for name in _NAME.findall(several or one))
        unlike_names = _NAME.sub(b"", several).translate(None, _BLANK)
        if unlike_names or not all(names) or len(names) > _LONGEST_CHAIN:
            raise Unreadable(UNSEEN)
        found.append(names)
    if any(found) and b"/XRef" not in head and _PREDICTED.search(head):
        raise Unreadable(UNSEEN)
    unlike = list(dict.fromkeys([*(found or [()]), _shown(packed)]))
    if len(unlike) > _MOST_CHAINS:
        raise Unreadable(UNSEEN)
    return [chain for chain in unlike if chain or not any(found)]


def undone(
    chain: tuple[str, ...], head: bytes, packed: memoryview, read: Bound, out: Bound
) -> Undone:
    """What the filters of one chain give, one after the other."""
    text, whole = packed, True
    for name in chain:
        given, good = _one(name, head, text, read, out)
        text, whole = memoryview(given), whole and good
    if chain and chain[-1] in ("hex", "85") and (more := _shown(text)) in (("flate",), ("lzw",)):
        given, whole = _one(more[0], head, text, read, out)
        return given, whole
    if not chain:
        out.take(len(text))
    return bytes(text), whole


def _one(name: str, head: bytes, packed: memoryview, read: Bound, out: Bound) -> Undone:
    if name == "flate":
        return _flate(packed, read, out)
    if name == "lzw":
        return _lzw(packed, read, out, 0 if _LATE.search(head) else 1)
    read.take(len(packed))
    return _UNDO[name](bytes(packed), out)


def _shown(packed: memoryview) -> tuple[str, ...]:
    """What its bytes look like."""
    first, last = bytes(packed[:256]).strip(_BLANK), bytes(packed[-8:]).rstrip(_BLANK)
    if last.endswith(b">") and _LIKE_HEX.fullmatch(first):
        return ("hex",)
    if last.endswith(b"~>") and _LIKE_85.fullmatch(first):
        return ("85",)
    if _is_flate(packed):
        return ("flate",)
    return ("lzw",) if first[:1] == b"\x80" else ()


def _is_flate(packed: memoryview) -> bool:
    return (
        len(packed) >= _HEAD
        and packed[0] & 15 == zlib.DEFLATED
        and (packed[0] << 8 | packed[1]) % 31 == 0
    )


def _flate(packed: memoryview, read: Bound, out: Bound) -> Undone:
    if not _is_flate(packed):
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


def _codes(packed: memoryview, read: Bound, early: int, known: list[bytes]) -> Iterator[int]:
    """The codes, whose length grows with what is ``known`` so far."""
    bits = held = 0
    for at, byte in enumerate(packed):
        if at % _PIECE == 0:
            read.take(min(_PIECE, len(packed) - at))
        held, bits = (held << 8 | byte) & 0xFFFFF, bits + 8
        wide = min(max((len(known) + early).bit_length(), 9), 12)
        if bits >= wide:
            bits -= wide
            yield held >> bits & (1 << wide) - 1


def _lzw(packed: memoryview, read: Bound, out: Bound, early: int) -> Undone:
    first = [bytes([n]) for n in range(256)] + [b"", b""]
    known, last = first[:], b""
    pieces: list[bytes] = []
    for code in _codes(packed, read, early, known):
        if code == _END:
            return b"".join(pieces), True
        if code == _CLEAR:
            known[:], last = first, b""
            continue
        if code < len(known):
            entry = known[code]
        elif last and code == len(known):
            entry = last + last[:1]
        else:
            break
        out.take(len(entry))
        pieces.append(entry)
        if last and len(known) < _FULL:
            known.append(last + entry[:1])
        last = entry
    return b"".join(pieces), False


def _hex(packed: bytes, out: Bound) -> Undone:
    digits, closed, _ = packed.translate(None, _BLANK).partition(b">")
    wrong = _NOT_HEX.search(digits)
    digits = digits[: wrong.start()] if wrong else digits
    out.take(len(digits) // 2)
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()), bool(closed) and not wrong


def _85(packed: bytes, out: Bound) -> Undone:
    letters, closed, _ = packed.translate(None, _BLANK).partition(b"~")
    wrong = _NOT_85.search(letters)
    letters = letters[: wrong.start()] if wrong else letters
    out.take(len(letters) + 3 * letters.count(b"z"))
    try:
        return base64.a85decode(letters), bool(closed) and not wrong
    except ValueError as error:
        raise Unreadable(UNSEEN) from error


def _runs(packed: bytes, out: Bound) -> Undone:
    pieces: list[bytes] = []
    at = 0
    while at < len(packed):
        long, at = packed[at], at + 1
        if long == 128:
            return b"".join(pieces), True
        if long < 128:
            pieces.append(packed[at : at + long + 1])
            at += long + 1
        else:
            pieces.append(packed[at : at + 1] * (257 - long))
            at += 1
        out.take(len(pieces[-1]))
    return b"".join(pieces), False


_UNDO: dict[str, Callable[[bytes, Bound], Undone]] = {"hex": _hex, "85": _85, "runs": _runs}
_FILTERS = {
    **dict.fromkeys((b"FlateDecode", b"Fl"), "flate"),
    **dict.fromkeys((b"LZWDecode", b"LZW"), "lzw"),
    **dict.fromkeys((b"ASCIIHexDecode", b"AHx"), "hex"),
    **dict.fromkeys((b"ASCII85Decode", b"A85"), "85"),
    **dict.fromkeys((b"RunLengthDecode", b"RL"), "runs"),
}
