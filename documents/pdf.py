"""Looks into a PDF: what must not be in it, and whether its text bears a mark.

The file is not interpreted: its streams are unpacked within bounds, and what they hold is searched.
Text is found where a font says what its codes mean (ToUnicode) or uses UCS-2 or GBK, which is what
Office, WPS and browsers write. A scan has no text, and a stream packed otherwise is not seen.
"""

import re
import zlib
from collections.abc import Iterator

from documents.book import Unreadable
from documents.marks import Marked, marks_in

MOST_UNPACKED = 100 << 20
_MOST_FONTS = 400
_ENCRYPTED = "PDF 设了密码或限制，不能检查内容，请去掉后再上传"
_ACTIVE = "PDF 中含有脚本或会启动其他程序，请打印为普通 PDF 后再上传"
_INSIDE = "PDF 中嵌入了其他文件，请取出后分别上传"
_BROKEN = "PDF 已损坏或不完整，请重新另存后再上传"
_BOMB = "PDF 解压后过大，没有保存"
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_HEAD_BYTES = 4096
_UNREAD = re.compile(rb"/(?:Image|DCTDecode|JPXDecode|CCITTFaxDecode|JBIG2Decode)\b")
_FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
_ESCAPED_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
_FORBIDDEN = (
    (re.compile(rb"/Encrypt\b"), _ENCRYPTED),
    (re.compile(rb"/(?:JavaScript|JS|Launch|XFA|RichMedia)\b"), _ACTIVE),
    (re.compile(rb"/EmbeddedFiles?\b"), _INSIDE),
)
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]+)>", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_BLOCK = re.compile(rb"beginbf(char|range)(.*?)endbf", re.DOTALL)
_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_LIST = re.compile(rb"<([0-9A-Fa-f]+)>\s*<[0-9A-Fa-f]+>\s*\[(.*?)\]", re.DOTALL)
_OF_MARKS = "绝机秘密级★☆:：()（）【】[]〔〕 \u3000"
_FIXED = ("utf-16-be", "gbk", "utf-8")


def check_pdf(data: bytes) -> None:
    """Unreadable, with what to do, for a file that must not be taken."""
    if b"startxref" not in data:
        raise Unreadable(_BROKEN)
    _check_objects(_STREAM.sub(b"", data))
    fonts, shown = [_fixed(name) for name in _FIXED], []
    for head, unpacked in _streams(data):
        if b"/ObjStm" in head:
            _check_objects(unpacked)
        elif b"begincmap" in unpacked and len(fonts) < _MOST_FONTS:
            fonts.append(_font(unpacked))
        elif b"Tj" in unpacked or b"TJ" in unpacked:
            shown.append(b"".join(_strings(unpacked)))
    shown.append(data)  # titles and outlines stand in the open
    _look_for_marks(fonts, shown)


def _check_objects(text: bytes) -> None:
    plain = _ESCAPED_NAME.sub(lambda found: bytes([int(found[1], 16)]), text)
    for forbidden, said in _FORBIDDEN:
        if forbidden.search(plain):
            raise Unreadable(said)


def _streams(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The dictionary before each stream, and what the stream holds, pictures left out."""
    left = MOST_UNPACKED
    for found in _STREAM.finditer(data):
        before = data[max(found.start() - _HEAD_BYTES, 0) : found.start()]
        head = before[before.rfind(b" obj") + 1 :]
        if _UNREAD.search(head):
            continue
        unpacked = _unpacked(found[1], left) if _FLATE.search(head) else found[1]
        left -= len(unpacked)
        yield head, unpacked


def _unpacked(packed: bytes, most: int) -> bytes:
    """What was packed; what is broken in it is left out, as readers do."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, most + 1)
    except zlib.error:
        return b""
    if len(text) > most:
        raise Unreadable(_BOMB)
    return text


def _strings(content: bytes) -> Iterator[bytes]:
    for literal, hexadecimal in _SHOWN.findall(content):
        if hexadecimal:
            digits = b"".join(hexadecimal.split())
            yield bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
        else:
            yield _ESCAPE.sub(_unescaped, literal)


def _unescaped(found: re.Match[bytes]) -> bytes:
    said = found[1]
    if said.isdigit():
        return bytes([int(said, 8) & 0xFF])
    return b"" if said in (b"\r\n", b"\n", b"\r") else _PLAIN.get(said, said)


def _fixed(encoding: str) -> dict[str, bytes]:
    return {letter: letter.encode(encoding, "ignore") for letter in _OF_MARKS}


def _font(cmap: bytes) -> dict[str, bytes]:
    """The codes of the letters of marks in one font."""
    wanted = {ord(letter): letter for letter in _OF_MARKS}
    codes: dict[str, bytes] = {}
    for kind, block in _BLOCK.findall(cmap):
        if kind == b"char":
            for code, text in _PAIR.findall(block):
                _note(codes, wanted, code, int(text, 16), 0)
            continue
        for low, high, text in _RANGE.findall(block):
            _note(codes, wanted, low, int(text, 16), int(high, 16) - int(low, 16))
        for low, texts in _LIST.findall(block):
            for place, text in enumerate(re.findall(rb"<([0-9A-Fa-f]+)>", texts)):
                code = b"%0*x" % (len(low), int(low, 16) + place)
                _note(codes, wanted, code, int(text, 16), 0)
    return codes


def _note(codes: dict[str, bytes], wanted: dict[int, str], code: bytes, text: int, n: int) -> None:
    """``n`` more codes follow ``code``, for the letters that follow ``text``."""
    for number, letter in wanted.items():
        if text <= number <= text + n:
            bytes_ = (len(code) + 1) // 2
            codes[letter] = (int(code, 16) + number - text).to_bytes(bytes_ + 1, "big")[1:]


def _look_for_marks(fonts: list[dict[str, bytes]], shown: list[bytes]) -> None:
    seen = set()
    for codes in fonts:
        marks = marks_in(codes.get)
        if marks is None or marks.pattern in seen:
            continue
        seen.add(marks.pattern)
        if any(marks.search(text) for text in shown):
            raise Marked
