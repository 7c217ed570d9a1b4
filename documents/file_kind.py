"""What a file is by its content, whatever its name says, and whether it may be taken."""

from documents.book import Unreadable
from documents.compound import check_compound, kind_of_compound
from documents.ooxml import check_package, kind_of_package
from documents.pdf import check_pdf
from documents.picture import check_picture
from policy.evidence import PICTURES, FileKind

_ARCHIVE, _COMPOUND = (b"PK\x03\x04", b"PK\x05\x06"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STARTS = (
    (b"%PDF-", FileKind.PDF),
    (b"\x89PNG\r\n\x1a\n", FileKind.PNG),
    (b"\xff\xd8\xff", FileKind.JPEG),
    (b"GIF87a", FileKind.GIF),
    (b"GIF89a", FileKind.GIF),
)
_UNKNOWN = "文件的内容不是 PDF、Word、Excel 或图片，没有保存"


def kind_of(data: bytes) -> FileKind:
    """What the content is. Unreadable for anything else, and for what is encrypted."""
    if data.startswith(_ARCHIVE):
        return _known(kind_of_package(data))
    if data.startswith(_COMPOUND):
        return _known(kind_of_compound(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return FileKind.WEBP
    found = next((kind for start, kind in _STARTS if data.startswith(start)), None)
    if found is None:
        raise Unreadable(_UNKNOWN)
    return found


def check(data: bytes, kind: FileKind) -> None:
    """Unreadable, with what to do, for a file of this kind that must not be taken."""
    if kind is FileKind.PDF:
        check_pdf(data)
    elif kind in PICTURES:
        check_picture(data, kind)
    elif kind in (FileKind.DOC, FileKind.XLS):
        check_compound(data, kind)
    else:
        check_package(data)


def _known(kind: str) -> FileKind:
    if not kind:
        raise Unreadable(_UNKNOWN)
    return FileKind(kind)
