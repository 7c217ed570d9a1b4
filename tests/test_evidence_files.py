"""What a file must be to be taken: name and content agree, nothing active, nothing classified."""

import io
import struct
import subprocess
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import inspecting
from documents.book import Unreadable
from documents.inspecting import inspect, wrong_with
from documents.turns import Turns
from policy.evidence import (
    ENDINGS,
    LONGEST_NAME,
    FileKind,
    kind_by_name,
    name_refusal,
    note_refusal,
    tidy_name,
)
from tests.evidence_scene import docx, packed, pdf, png, stream, xlsx

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\0" * 9 + b"\xff\xc0\x00\x11\x08\x00\x03\x00\x04"
GIF = b"GIF89a\x04\x00\x03\x00\x80\x00\x00"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + struct.pack("<I", 3 | 2 << 14)
RELATION = (
    '<Relationships><Relationship Id="r1" Type="http://x/attachedTemplate"'
    ' Target="http://elsewhere.example/t.dotm" TargetMode="External"/></Relationships>'
)
CMAP = (
    b"begincmap 4 beginbfchar <0003> <79D8> <0004> <5BC6> <0005> <2605> endbfchar"
    b" 1 beginbfrange <0010> <0012> <673A> endbfrange endcmap"
)


def entry(name: str) -> bytes:
    """What the directory of a compound file says of a stream."""
    raw = name.encode("utf-16-le")
    return raw.ljust(64, b"\0") + struct.pack("<H", len(raw) + 2) + b"\0" * 62


def doc(text: str = "", *names: str, flags: int = 0) -> bytes:
    """As much of a Word 97 file as matters here."""
    block = b"\xec\xa5\xc1\0" + b"\0" * 6 + struct.pack("<H", flags)
    names_ = b"".join(entry(name) for name in ("Root Entry", "WordDocument", *names))
    return OLE.ljust(512, b"\0") + block.ljust(512, b"\0") + text.encode("utf-16-le") + names_


TAKEN = {
    "pdf": pdf(b"BT (report) Tj ET"),
    "docx": docx("整改情况说明", "机密级文件的管理已经规范"),
    "xlsx": xlsx("整改台账"),
    "doc": doc("整改情况说明"),
    "png": png(),
    "jpeg": JPEG,
    "gif": GIF,
    "webp": WEBP,
}
REFUSED = (
    ("docx", b"", "空的"),
    ("pdf", png(), "文件名与内容不符"),
    ("png", pdf(), "文件名与内容不符"),
    ("docx", xlsx(), "文件名与内容不符"),
    ("xlsx", docx(), "文件名与内容不符"),
    ("pdf", b"MZ\x90\0 a program", "不是 PDF"),
    ("pdf", b"<!doctype html><script>", "不是 PDF"),
    ("docx", packed({"a.txt": "x"}), "不是 PDF"),
    ("docx", docx("a")[:-30], "已损坏"),
    ("pdf", b"%PDF-1.7 and no more", "不完整"),
    ("docx", docx(parts={"word/vbaProject.bin": b"x"}), "含有宏"),
    ("xlsx", packed({"xl/workbook.xml": "<w/>", "xl/macrosheets/s1.xml": "<s/>"}), "含有宏"),
    ("docx", docx(parts={"[Content_Types].xml": '<T><D ContentType="macroEnabled"/></T>'}), ""),
    (
        "docx",
        docx(parts={"[Content_Types].xml": '<T><Default ContentType="a.macroEnabled.b"/></T>'}),
        "含有宏",
    ),
    ("docx", docx(parts={"word/activeX/activeX1.xml": "<x/>"}), "其他程序"),
    ("docx", docx(parts={"word/embeddings/oleObject1.bin": b"x"}), "其他程序"),
    ("docx", docx(parts={"word/embeddings/a.exe": b"x"}), "其他程序"),
    ("docx", docx(parts={"word/embeddings/a.docx": docx("秘密★5年")}), "密级标志"),
    ("docx", docx(parts={"word/_rels/settings.xml.rels": RELATION}), "别处"),
    ("docx", docx(parts={"word/document.xml": "<!DOCTYPE d><d/>"}), "DOCTYPE"),
    (
        "docx",
        docx(
            parts={"word/header1.xml": '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc">]><d>&e;</d>'}
        ),
        "DOCTYPE",
    ),
    ("docx", docx(parts={"word/document.xml": "<a><b></a>"}), "已损坏"),
    ("docx", docx("机密★1年"), "密级标志"),
    ("docx", docx("绝 密 ★ 长 期"), "密级标志"),
    ("docx", docx("密级：秘密"), "密级标志"),
    ("docx", docx("机密"), "密级标志"),
    ("docx", docx(parts={"word/header1.xml": '<h><textpath string="绝密"/></h>'}), "密级标志"),
    ("docx", docx("一" * 5000 + "秘密★"), "密级标志"),
    ("xlsx", xlsx("秘密★10年"), "密级标志"),
    ("docx", OLE + entry("EncryptedPackage"), "密码"),
    ("doc", doc(flags=0x0100), "密码"),
    ("doc", doc("", "Macros"), "含有宏"),
    ("doc", doc("", "\x01Ole10Native"), "其他程序"),
    ("doc", doc("抄送：略 机密★五年"), "密级标志"),
    ("doc", OLE + entry("WordDocument"), "已损坏"),
    ("xls", OLE.ljust(2048, b"\0") + entry("Workbook"), "已损坏"),
    ("pdf", pdf(trailer=b"/Encrypt 9 0 R"), "密码"),
    ("pdf", pdf(b"", b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"), "脚本"),
    ("pdf", pdf(b"", b"<< /S /J#61vaScript >>"), "脚本"),
    ("pdf", pdf(b"", b"<< /S /Launch >>"), "脚本"),
    ("pdf", pdf(b"", b"<< /Type /EmbeddedFile >>"), "嵌入"),
    (
        "pdf",
        pdf(b"", stream(zlib.compress(b"1 0 << /S /JavaScript >>"), b"/Type /ObjStm /Filter /Fl")),
        "脚本",
    ),
    ("pdf", pdf(b"BT <79D85BC62605> Tj ET"), "密级标志"),
    ("pdf", pdf(b"BT (" + "机密★".encode("gbk") + b") Tj ET"), "密级标志"),
    ("pdf", pdf(b"BT [<0003> -20 <0004>] TJ <0005> Tj ET", stream(CMAP)), "密级标志"),
    ("pdf", pdf(b"BT <0010000400050031> Tj ET", stream(CMAP)), "密级标志"),
    ("png", png(100_000, 100_000), "尺寸过大"),
    ("png", png()[:20], "已损坏"),
    ("jpeg", b"\xff\xd8\xff\xe0\x00\x10", "已损坏"),
    ("gif", b"GIF89a", "已损坏"),
    ("gif", b"GIF89a\0\0\0\0", "已损坏"),
    ("webp", b"RIFF\0\0\0\0WEBPJUNK", "已损坏"),
)


@pytest.mark.parametrize("kind", TAKEN)
def test_a_file_that_is_what_it_says_is_taken(kind: str) -> None:
    assert wrong_with(TAKEN[kind], FileKind(kind)) == ""


@pytest.mark.parametrize(("kind", "data", "said"), [one for one in REFUSED if one[2]])
def test_a_file_is_refused_with_what_to_do(kind: str, data: bytes, said: str) -> None:
    assert said in wrong_with(data, FileKind(kind))


def test_a_file_of_one_kind_is_no_other_kind() -> None:
    for kind, data in TAKEN.items():
        others = {other for other in FileKind if other.value != kind}
        assert all("文件名与内容不符" in wrong_with(data, other) for other in others), kind


def bomb() -> bytes:
    """A small .docx that unpacks to 160 MB."""
    to = io.BytesIO(docx())
    with (
        zipfile.ZipFile(to, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/header1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(160):
            part.write(b" " * (1 << 20))
    return to.getvalue()


def test_what_would_fill_the_memory_is_refused_by_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    packed_pdf = pdf(b"", stream(zlib.compress(b"\0" * (110 << 20)), b"/Filter /FlateDecode"))
    for data, kind in ((bomb(), FileKind.DOCX), (packed_pdf, FileKind.PDF)):
        path.write_bytes(data)
        with pytest.raises(Unreadable, match="解压后过大"):
            inspect(path, kind)


def test_a_part_that_says_it_is_small_is_read_no_further(tmp_path: Path) -> None:
    small, real = struct.pack("<I", 1000), struct.pack("<I", 160 << 20)
    assert real in (lying := bomb())
    assert "已损坏" in wrong_with(lying.replace(real, small), FileKind.DOCX)


def test_a_process_that_does_not_answer_refuses_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(TAKEN["pdf"])
    inspect(path, FileKind.PDF)
    monkeypatch.setattr(inspecting, "__name__", "documents.no_such_module")
    with pytest.raises(Unreadable, match="不能检查"):
        inspect(path, FileKind.PDF)


@pytest.mark.parametrize("waiting", [0, 1])
def test_who_would_wait_too_long_or_behind_too_many_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """Nobody waits where no place is left, however long they might; else as long as they may."""
    path, entered, over = tmp_path / "file", Semaphore(0), Event()
    path.write_bytes(TAKEN["pdf"])
    looks = subprocess.run

    def slowly(*command: Any, **options: Any) -> Any:
        entered.release()
        over.wait()
        return looks(*command, **options)

    turn = Turns(inspecting.AT_ONCE, waiting, 0 if waiting else 3600, inspecting.Crowded)
    monkeypatch.setattr(inspecting, "turn", turn)
    monkeypatch.setattr(subprocess, "run", slowly)
    with ThreadPoolExecutor(inspecting.AT_ONCE) as threads:
        looking = [threads.submit(inspect, path, FileKind.PDF) for _ in range(inspecting.AT_ONCE)]
        for _ in looking:
            entered.acquire()
        try:
            with pytest.raises(inspecting.Crowded):
                inspect(path, FileKind.PDF)
        finally:
            over.set()
    assert [one.result() for one in looking] == [None] * inspecting.AT_ONCE
    inspect(path, FileKind.PDF)


@given(st.text(max_size=300))
def test_whatever_it_is_called_a_tidy_name_is_one_harmless_line(name: str) -> None:
    tidy = tidy_name(name)
    assert len(tidy) <= LONGEST_NAME
    assert not set(tidy) & set('/\\\0\r\n\t<>:"|?*\u202e\u200b')
    assert tidy == tidy.strip(" .")
    assert tidy_name(tidy) == tidy


@given(
    st.text(st.characters(exclude_characters="/\\"), max_size=300), st.sampled_from(sorted(ENDINGS))
)
def test_a_tidy_name_keeps_its_ending(name: str, ending: str) -> None:
    assert kind_by_name(tidy_name(f"佐证{name}.{ending}")) is ENDINGS[ending]


@given(st.binary(max_size=400), st.sampled_from(FileKind))
def test_no_bytes_break_what_looks_at_them(data: bytes, kind: FileKind) -> None:
    for start in (b"", b"PK\x03\x04", OLE, b"%PDF-1.4 startxref", b"\xff\xd8\xff", b"GIF89a", WEBP):
        assert isinstance(wrong_with(start + data, kind), str)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("整改报告.pdf", None),
        ("保密工作会议纪要.docx", None),
        ("秘密★1年 通知.pdf", "密级"),
        ("【机密】通知.docx", "密级"),
        ("（绝密）.docx", "密级"),
        ("机密.docx", "密级"),
        ("程序.exe", "只收"),
        ("无后缀", "只收"),
        ("台账.xlsm", "含有宏"),
        ("照片.heic", "另存为 .jpg"),
        ("材料.zip", "压缩包"),
        ("文件.wps", "另存为 .docx"),
    ],
)
def test_a_name_alone_may_be_reason_enough(name: str, said: str | None) -> None:
    wrong = name_refusal(name)
    assert (wrong is None) == (said is None)
    assert said is None or said in str(wrong)


def test_a_sentence_about_a_file_is_needed_short_and_unmarked() -> None:
    assert note_refusal("清单已经印发") is None
    assert "一句话" in str(note_refusal(""))
    assert "最长" in str(note_refusal("长" * 201))
    assert "密级" in str(note_refusal("机密★"))
