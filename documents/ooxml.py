"""Looks into a .docx or .xlsx: what must not be in it, and whether its text bears a mark.

Nothing of it is carried out, unpacked to the disk or fetched. Every XML part is read through
:mod:`documents.package`, which refuses DOCTYPE, entities and bombs.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from documents.book import Unreadable
from documents.marks import Marks
from documents.package import Package, parse

MOST_TEXT = 150 << 20
"""Bytes of XML in one file, unpacked."""
_BOMB = "文件解压后过大，没有保存"
_MAIN = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml"}
_READ = (".xml", ".rels")
_ENDS_LINE = frozenset(
    ("p", "si", "is", "row", "title", "subject", "keywords", "description", "category")
    + tuple(f"{which}{what}" for which in ("odd", "even", "first") for what in ("Header", "Footer"))
)
_MACROS = "文件含有宏，请另存为不含宏的文件后再上传"
_OBJECTS = "文件中嵌入了其他程序的对象，请删去后再上传"
_OUTSIDE = "文件会从别处读取模板、图片或对象，请去掉这些链接后再上传"
_BROKEN = "文件已损坏，请重新另存后再上传"
_CHUNK = "文件中嵌入了另一个文件的内容，请打开后另存，再上传"
_FIELD = "文件中含有会启动其他程序或从别处读取内容的域，请选中后按 Ctrl+Shift+F9 变为文字，再上传"
_RUN_FROM = frozenset(("oleobject", "frame", "subdocument", "control"))
"""Relations that may not lead out of the file: what opens it would run them."""
_FETCHED = frozenset(("attachedtemplate", "image", "audio", "video"))
"""Those that may not lead into a network: it would be told who opens the file. To a place on their
own machine they lead in many files, whose writer had pasted a picture."""
_NEAR = re.compile(
    r"(?:file:/{0,3})?[a-z]:/|file:(?:/|///)(?!/)|(?!//|[a-z][a-z0-9+.-]*+:)", re.IGNORECASE
)
_RUN = re.compile(
    r"\s*+(?:DDE(?:AUTO)?\b|(?!HYPERLINK\b)\w++\s++\"?\s*+(?:\\{2}|//|file:))", re.IGNORECASE
)
"""Fields that start a program, or read from another machine (UNC)."""
_LINKS = frozenset(("ddeLink", "oleLink"))
_DEEPEST = 2


def kind_of_package(data: bytes) -> str:
    """``docx``, ``xlsx``, or '' for another archive. Unreadable for what is no archive."""
    names = _package(data).names
    return next((kind for kind, main in _MAIN.items() if main in names), "")


def check_package(data: bytes, depth: int = 0) -> None:
    """Unreadable, with what to do, for a file that must not be taken."""
    package = _package(data)
    for name in package.names:
        _check_name(name)
    read = [name for name in package.names if name.endswith(_READ)]
    if sum(package.names[name].file_size for name in read) > MOST_TEXT:  # no more is unpacked
        raise Unreadable(_BOMB)
    for name in package.names:
        if name.endswith(_READ):
            _check_part(package, name)
        elif "/embeddings/" in name:
            _check_embedded(package, name, depth)


def _package(data: bytes) -> Package:
    try:
        return Package(data)
    except Unreadable as error:
        raise _said(error) from error


def _said(error: Unreadable) -> Unreadable:
    """Words about workbooks, said of any file of this kind."""
    return Unreadable(_BROKEN) if "Excel" in str(error) else error


def _check_name(name: str) -> None:
    if name.endswith(("vbaproject.bin", "vbadata.xml")) or "/macrosheets/" in name:
        raise Unreadable(_MACROS)
    if "/activex/" in name or name.rpartition("/")[2].startswith("oleobject"):
        raise Unreadable(_OBJECTS)


def _check_embedded(package: Package, name: str, depth: int) -> None:
    """The workbook behind a chart is looked into like the file itself; anything else is refused."""
    if not name.endswith((".xlsx", ".docx")) or depth >= _DEEPEST:
        raise Unreadable(_OBJECTS)
    try:
        inner = b"".join(package.pieces(name))
    except Unreadable as error:
        raise _said(error) from error
    check_package(inner, depth + 1)


class _Part:
    """What one part of XML says: its elements, its fields and its text."""

    def __init__(self) -> None:
        self._marks = Marks()
        self._field: list[str] = []
        self._in_field = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        _check_start(tag, attributes)
        self._in_field = tag == "instrText"
        if tag == "fldChar":
            self._field_over()
        elif tag == "fldSimple":
            _check_field(_named(attributes, "instr"))
        elif tag == "textpath":  # a watermark
            self._marks.end()
            self._marks.text(attributes.get("string", ""))
            self._marks.end()

    def end(self, tag: str) -> None:
        """An element ends."""
        self._in_field = False
        if tag in _ENDS_LINE:
            self._marks.end()

    def text(self, more: str) -> None:
        """Some of the text of an element. What a field does may be spread over several."""
        if self._in_field:
            self._field.append(more)
        self._marks.text(more)

    def over(self) -> None:
        """The part is over."""
        self._field_over()
        self._marks.end()

    def _field_over(self) -> None:
        _check_field("".join(self._field))
        self._field.clear()


def _check_part(package: Package, name: str) -> None:
    part = _Part()
    try:
        parse(package.pieces(name), part.start, part.end, part.text)
    except Unreadable as error:
        raise _said(error) from error
    part.over()


def _check_field(code: str) -> None:
    if _RUN.match(code):
        raise Unreadable(_FIELD)


def _named(attributes: Mapping[str, str], name: str) -> str:
    """An attribute, whatever prefix its namespace has; '' for none."""
    found = (value for key, value in attributes.items() if key.rpartition(":")[2] == name)
    return next(found, "")


def _check_start(tag: str, attributes: Mapping[str, str]) -> None:
    if tag in ("Override", "Default") and "macroEnabled" in attributes.get("ContentType", ""):
        raise Unreadable(_MACROS)
    if tag in _LINKS:
        raise Unreadable(_OBJECTS)
    if tag != "Relationship":
        return
    kind = attributes.get("Type", "").rpartition("/")[2].lower()
    if kind == "afchunk":
        raise Unreadable(_CHUNK)
    if attributes.get("TargetMode") != "External":
        return
    near = _NEAR.match(unquote(attributes.get("Target", "")).strip().replace("\\", "/"))
    if kind in _RUN_FROM or kind in _FETCHED and not near:
        raise Unreadable(_OUTSIDE)
