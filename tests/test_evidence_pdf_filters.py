"""A page of a PDF is searched for marks of secrecy whichever filter packs it, within bounds."""

import base64
import zlib
from collections.abc import Callable

import pytest

from documents.inspecting import wrong_with
from documents.pdf_filters import Bound, undone
from policy.evidence import FileKind
from tests.evidence_scene import pdf, stream

MARKED = b"BT (" + "机密★".encode("gbk") + b") Tj ET" + bytes(range(65, 91)) * 60
PLAIN = MARKED.replace("密".encode("gbk"), "会".encode("gbk"))


def lzw(data: bytes, early: int = 1) -> bytes:
    """As old programs pack it."""
    known = {bytes([n]): n for n in range(256)}
    bits, held, size, word = "", b"", 258, 9
    out = [(256, 9)]
    for byte in data:
        if held + bytes([byte]) in known:
            held += bytes([byte])
            continue
        out.append((known[held], word))
        known[held + bytes([byte])] = size
        size += 1
        held = bytes([byte])
        word = min(max((size - 1 + early).bit_length(), 9), 12)
    out.append((known[held], word))
    out.append((257, min(max((size + early).bit_length(), 9), 12)))
    bits = "".join(f"{code:0{wide}b}" for code, wide in out)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def runs(data: bytes) -> bytes:
    """In pieces as they are."""
    pieces = (data[at : at + 128] for at in range(0, len(data), 128))
    return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces) + b"\x80"


def hexed(data: bytes) -> bytes:
    return data.hex().encode() + b">"


def ascii85(data: bytes) -> bytes:
    return base64.a85encode(data, wrapcol=70) + b"~>"


Pack = Callable[[bytes], bytes]
WAYS: list[tuple[bytes, list[Pack]]] = [
    (b"/LZWDecode", [lzw]),
    (b"/LZW", [lzw]),
    (b"/ASCII85Decode", [ascii85]),
    (b"/ASCIIHexDecode", [hexed]),
    (b"/RunLengthDecode", [runs]),
    (b"[/ASCII85Decode /FlateDecode]", [zlib.compress, ascii85]),
    (b"[/A85 /LZW]", [lzw, ascii85]),
    (b"[ /AHx/RL /Fl ]", [zlib.compress, runs, hexed]),
    (b"[/FlateDecode /FlateDecode]", [zlib.compress, zlib.compress]),
    (b"%x\n/L#5aWDecode", [lzw]),
    (b"/LZWDecode /DecodeParms << /EarlyChange 0 >>", [lambda data: lzw(data, 0)]),
]


def packed(data: bytes, by: list[Pack]) -> bytes:
    for pack in by:
        data = pack(data)
    return data


def said(data: bytes) -> str:
    return wrong_with(data, FileKind.PDF)


@pytest.mark.parametrize(("filters", "by"), WAYS, ids=[way[0].decode() for way in WAYS])
def test_a_mark_is_found_whichever_filters_pack_the_page(filters: bytes, by: list[Pack]) -> None:
    head = b"/Filter " + filters
    assert "密级标志" in said(pdf(b"", stream(packed(MARKED, by), head)))
    assert said(pdf(b"", stream(packed(PLAIN, by), head))) == ""


@pytest.mark.parametrize(
    "by",
    [[zlib.compress], [lzw], [ascii85], [hexed], [zlib.compress, ascii85], [lzw, hexed]],
    ids=["flate", "lzw", "85", "hex", "85 of flate", "hex of lzw"],
)
def test_a_string_that_looks_like_a_stream_hides_no_filter(by: list[Pack]) -> None:
    """Who reads the file finds the filter before the string; who reads it as bytes does not."""
    names = {zlib.compress: b"/Fl", lzw: b"/LZW", ascii85: b"/A85", hexed: b"/AHx"}
    filters = b"[" + b" ".join(names[pack] for pack in reversed(by)) + b"]"
    head = b"/Filter " + filters + b" /X (>>stream\nx endstream endobj 7 0 obj << /Y \\( )"
    assert "密级标志" in said(pdf(b"", stream(packed(MARKED, by), head)))


@pytest.mark.parametrize(
    "head",
    [
        b"/Filter 9 0 R",
        b"/Filter [9 0 R]",
        b"/Filter /Crypt",
        b"/Filter [/FlateDecode /Strange]",
        b"/Filter [/Fl /Fl /Fl /Fl /Fl]",
        b"/Filter /FlateDecode /DecodeParms << /Predictor 12 >>",
    ],
)
def test_what_cannot_be_looked_into_is_refused_and_said(head: bytes) -> None:
    assert "不能检查" in said(pdf(b"", stream(zlib.compress(MARKED), head)))


def test_a_picture_and_an_index_may_be_packed_by_anything() -> None:
    for head in (
        b"/Subtype /Image /Filter /JPXDecode",
        b"/Filter [/ASCII85Decode /DCTDecode]",
        b"/Type /XRef /W [1 2 1] /Filter /FlateDecode /DecodeParms << /Predictor 12 >>",
    ):
        assert said(pdf(b"", stream(zlib.compress(PLAIN), head))) == "", head


@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        ("lzw", lzw(b"a" * 400_000)),
        ("85", b"z" * 60_000 + b"~>"),
        ("runs", b"\x81a" * 2_000),
        ("hex", b"41" * 250_000 + b">"),
    ],
)
def test_what_comes_out_is_bounded(name: str, bomb: bytes) -> None:
    out = Bound(200_000)
    with pytest.raises(Exception, match="解压后过大"):
        undone((name,), b"", memoryview(bomb), Bound(1 << 20), out)


def test_what_is_broken_is_read_as_far_as_it_goes() -> None:
    for name, data in (("lzw", lzw(MARKED)), ("runs", runs(MARKED)), ("hex", hexed(MARKED))):
        text, whole = undone((name,), b"", memoryview(data[:-4]), Bound(1 << 20), Bound(1 << 20))
        assert (MARKED.startswith(text[:200]), len(text) > 200, whole) == (True, True, False)
