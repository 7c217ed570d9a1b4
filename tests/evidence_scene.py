"""Files as offices have them, and a rectification in which some are given as evidence."""

import io
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from services.command import Actor
from services.env import Env
from services.evidence import Added, add_evidence
from services.evidence_intake import Upload
from services.file_store import FileStore
from tests.rectification_cast import Rectification
from tests.sheets import workbook

NOTE = "工作清单已经印发"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"


def png(wide: int = 4, high: int = 3, shade: int = 0) -> bytes:
    """A grey picture."""
    rows = b"".join(b"\0" + bytes([shade]) * min(wide, 64) for _ in range(min(high, 64)))
    head = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def docx(*paragraphs: str, parts: dict[str, str | bytes] | None = None) -> bytes:
    """A Word file; ``parts`` are put in beside or instead."""
    said = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    body = f'<w:document xmlns:w="{_WORD}"><w:body>{said}</w:body></w:document>'
    whole: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"></Types>',
        "word/document.xml": body,
    }
    return packed(whole | (parts or {}))


def packed(parts: dict[str, str | bytes]) -> bytes:
    """An archive of these parts."""
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return to.getvalue()


def xlsx(*cells: str) -> bytes:
    """A workbook of one sheet."""
    return workbook({"佐证": [["内容"], *([cell] for cell in cells)]})


def pdf(content: bytes = b"", *objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of one page whose content stream is packed; ``objects`` stand beside it."""
    squeezed = zlib.compress(content)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R >>"
    whole = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        stream(squeezed, b"/Filter /FlateDecode"),
        *objects,
    ]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(whole, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(whole) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R %s >>\n" % (len(whole) + 1, trailer)
    return bytes(out) + b"startxref\n%d\n%%%%EOF\n" % start


def stream(data: bytes, head: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), head, data)


def keeping(case: Rectification, folder: Path, largest: int = 1 << 20) -> FileStore:
    """From now on the scene keeps files there."""
    store = FileStore(folder, largest)
    case.world.env = replace(case.env, files=store)
    return store


def give(
    case: Rectification,
    slot_id: int,
    post: str,
    files: dict[str, bytes],
    evidence_id: int | None = None,
    note: str = NOTE,
    key: str = "",
) -> Added:
    """The holder of a post gives files in a step."""
    by, key = case.world.actor(post), key or case.world.key()
    return give_as(case.env, by, slot_id, files, evidence_id, note, key)


def give_as(
    env: Env,
    actor: Actor,
    slot_id: int,
    files: dict[str, bytes],
    evidence_id: int | None = None,
    note: str = NOTE,
    key: str = "",
) -> Added:
    """Somebody gives files in a step."""
    return add_evidence(
        env,
        actor,
        slot_id=slot_id,
        uploads=[Upload(name, io.BytesIO(data)) for name, data in files.items()],
        note=note,
        key=key,
        evidence_id=evidence_id,
    )


def slot(case: Rectification, key: str, post: str = "") -> int:
    """An open slot of a step."""
    return next(
        found
        for found, step, asked in case.world.open_slots()
        if step == key and post in ("", asked)
    )
