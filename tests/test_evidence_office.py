"""Word and Excel files that would start a program or read from elsewhere when they are opened."""

import pytest

from documents.inspecting import wrong_with
from policy.evidence import FileKind
from tests.evidence_scene import docx, packed, xlsx

_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def related(kind: str, target: str, mode: str = "External") -> bytes:
    """A Word file with a relation to something."""
    mode = f' TargetMode="{mode}"' if mode else ""
    one = f'<Relationship Id="r1" Type="{_KIND}{kind}" Target="{target}"{mode}/>'
    return docx("说明", parts={"word/_rels/document.xml.rels": f"<R>{one}</R>"})


def field(*pieces: str) -> bytes:
    """A Word file with a field whose code stands in these pieces."""
    runs = "".join(f"<w:r><w:instrText>{piece}</w:instrText></w:r>" for piece in pieces)
    return body(f'<w:fldChar w:fldCharType="begin"/>{runs}<w:fldChar w:fldCharType="end"/>')


def body(xml: str) -> bytes:
    """A Word file of this."""
    return docx(parts={"word/document.xml": f'<w:document xmlns:w="w">{xml}</w:document>'})


def linked(xml: str) -> bytes:
    """A workbook with a link of this kind."""
    whole = f'<x:externalLink xmlns:x="x">{xml}</x:externalLink>'
    return packed({"xl/workbook.xml": "<w/>", "xl/externalLinks/externalLink1.xml": whole})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (related("aFChunk", "afchunk.mht", ""), "另一个文件的内容"),
        (related("aFChunk", "http://elsewhere.example/a.html"), "另一个文件的内容"),
        (related("image", r"\\10.0.0.1\share\a.png"), "别处"),
        (related("image", "file://10.0.0.1/a.png"), "别处"),
        (related("image", "http://elsewhere.example/a.png"), "别处"),
        (related("image", "//10.0.0.1/share/a.png"), "别处"),
        (related("image", "file:%5C%5C10.0.0.1%5Cshare%5Ca.png"), "别处"),
        (related("image", "file://///10.0.0.1/share/a.png"), "别处"),
        (related("attachedTemplate", "https://elsewhere.example/t.dotm"), "别处"),
        (related("oleObject", r"C:\a.xlsx"), "别处"),
        (related("video", r"\\10.0.0.1\share\a.mp4"), "别处"),
        (field(r"DDEAUTO c:\\windows\\system32\\cmd.exe"), "域"),
        (field(" dde excel sheet"), "域"),
        (field(" " * 5_000, "DDE excel x"), "域"),
        (field("INCLUDETEXT", " " * 200_000, "file://10.0.0.1/a.docx"), "域"),
        (body("<w:instrText>DDEAUTO excel x</w:instrText>"), "域"),
        (field("DD", "EAU", r"TO c:\\windows"), "域"),
        (body(r'<w:fldSimple w:instr=" DDE excel x"/>'), "域"),
        (body(r'<w:fldSimple v:instr=" DDEAUTO excel x" xmlns:v="w"/>'), "域"),
        (field(r'INCLUDEPICTURE "\\\\10.0.0.1\\share\\a.png"'), "域"),
        (field("INCLUDETEXT file://10.0.0.1/a.docx"), "域"),
    ],
)
def test_what_would_be_run_or_fetched_by_a_word_file_is_refused(data: bytes, said: str) -> None:
    assert said in wrong_with(data, FileKind.DOCX)


@pytest.mark.parametrize("link", ['<x:ddeLink ddeService="cmd" ddeTopic="/c x"/>', "<x:oleLink/>"])
def test_a_workbook_that_calls_another_program_is_refused(link: str) -> None:
    assert "其他程序" in wrong_with(linked(link), FileKind.XLSX)


@pytest.mark.parametrize(
    "data",
    [
        related("hyperlink", r"\\server\share\台账.xlsx"),
        related("hyperlink", "http://www.example.gov.cn"),
        related("image", "media/image1.png", ""),
        related("image", "../图片/image1.png"),
        related("image", r"C:\Users\a\image1.png"),
        related("image", "file:///C:/Users/a/image%201.png"),
        related("attachedTemplate", r"file:///D:\模板\公文.dotx"),
        field(r'HYPERLINK "file:///D:\\台账.xlsx"'),
        field("PAGE"),
        field("PAGE", " " * 200_000, "x"),
        field('HYPERLINK "http://www.example.gov.cn"'),
        field(r'INCLUDEPICTURE "C:\\Users\\a\\image001.png" \* MERGEFORMATINET'),
        field("TOC \\o &quot;1-3&quot; \\h"),
        docx("DDE 是一种旧的写法"),
    ],
)
def test_what_only_refers_or_says_is_taken(data: bytes) -> None:
    assert wrong_with(data, FileKind.DOCX) == ""


def test_a_workbook_that_takes_values_of_another_is_taken() -> None:
    assert wrong_with(linked("<x:externalBook/>"), FileKind.XLSX) == ""
    assert wrong_with(xlsx("整改台账"), FileKind.XLSX) == ""
