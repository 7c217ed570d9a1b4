"""Looks at the head of a picture: that it is one, and how many dots it has."""

import struct
from collections.abc import Callable

from documents.book import Unreadable

MOST_DOTS = 100_000_000
"""Width by height: a few bytes may say a picture that fills a reader's memory."""
_BROKEN = "图片已损坏，请重新另存后再上传"
_TOO_LARGE = "图片的尺寸过大，请缩小后再上传"
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset(range(0xD0, 0xDA)) | {0x01}


def check_picture(data: bytes, kind: str) -> None:
    """Unreadable for a picture that is broken or enormous."""
    try:
        wide, high = _SIZES[kind](data)
    except (struct.error, IndexError) as error:
        raise Unreadable(_BROKEN) from error
    if not wide or not high:
        raise Unreadable(_BROKEN)
    if wide * high > MOST_DOTS:
        raise Unreadable(_TOO_LARGE)


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR" or b"IEND" not in data:
        raise Unreadable(_BROKEN)
    wide, high = struct.unpack_from(">II", data, 16)
    return int(wide), int(high)


def _gif(data: bytes) -> tuple[int, int]:
    wide, high = struct.unpack_from("<HH", data, 6)
    return int(wide), int(high)


def _jpeg(data: bytes) -> tuple[int, int]:
    """Walk the segments to the one that says the size."""
    at = 2
    while data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1
        elif kind in _JPEG_ALONE:
            at += 2
        elif kind in _JPEG_SIZES:
            high, wide = struct.unpack_from(">HH", data, at + 5)
            return int(wide), int(high)
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + max(int(length), 2)
    raise Unreadable(_BROKEN)


def _webp(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            wide = int.from_bytes(data[24:27], "little") + 1
            return wide, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            wide, high = struct.unpack_from("<HH", data, 26)
            return wide & 0x3FFF, high & 0x3FFF
        case _:
            raise Unreadable(_BROKEN)


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "png": _png,
    "gif": _gif,
    "jpeg": _jpeg,
    "webp": _webp,
}
