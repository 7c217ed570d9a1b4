"""A PDF is looked into within bounds, and what it says is told from what it does."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.book import Unreadable
from documents.inspecting import inspect, wrong_with
from policy.evidence import FileKind
from tests.evidence_scene import pdf, stream

FLATE = b"/Filter /FlateDecode"
PACKED = b"/Type /ObjStm /N 1 /First 4 "
SCRIPT = b"<< /S /JavaScript >>"
LARGE = 1 << 20
PIECES = (
    *(b"(", b")", b"\\", b"%", b"\n", b"<<", b">>", b"[", b"]", b"<41>", b"<", b"/A ", b"(a)"),
    *(b" 3 0 obj ", b"stream\n", b"endstream ", b"endobj ", b"xref ", b"<< >> stream\n", b"% b\n"),
)
AROUND = st.lists(st.sampled_from(PIECES), max_size=12)


def flate(content: bytes) -> bytes:
    """A PDF with a stream of this."""
    return pdf(b"", stream(zlib.compress(content), FLATE))


def objects(text: bytes, head: bytes = PACKED + FLATE) -> bytes:
    """A PDF with a stream of objects."""
    return pdf(b"", stream(zlib.compress(text), head))


def said(data: bytes) -> str:
    """What is wrong with it."""
    return wrong_with(data, FileKind.PDF)


@pytest.mark.parametrize(
    ("crafted", "answer"),
    [
        (pdf(b"", b"stream\n" * (LARGE // 8)), "解压后过大"),
        (flate(b"(" + b"\\(" * LARGE + b" Tj"), ""),
        (flate(b"begincmap " + b"beginbfchar" * (LARGE // 2)), ""),
        (flate(b"begincmap beginbfrange " + b"<1><9>[" * (LARGE // 2) + b"endbf"), ""),
        (flate(b"(" + "密级".encode("gbk") + b"\xa1\xa1" * LARGE + b") Tj"), ""),
    ],
    ids=["streams", "strings", "codes", "lists", "blanks"],
)
def test_no_crafted_file_takes_the_time_of_its_length_squared(
    tmp_path: Path, crafted: bytes, answer: str
) -> None:
    """The process that looks is ended after so many seconds, and then says something else."""
    path = tmp_path / "file"
    path.write_bytes(crafted)
    if not answer:
        inspect(path, FileKind.PDF)
        return
    with pytest.raises(Unreadable, match=answer):
        inspect(path, FileKind.PDF)


def test_a_large_file_is_read_whole_where_the_setting_takes_it() -> None:
    """``FOURDUTIES_EVIDENCE_MB`` goes up to 200."""
    packed = zlib.compress(b"x" * (66 * LARGE), 0)
    assert said(pdf(b"", stream(packed, FLATE))) == ""


@pytest.mark.parametrize(
    "plain",
    [
        b"<< /Title (how /JavaScript and \\(/Launch\\) are (/JS ) kept out) >>",
        b"<< /T (\\) /A " + SCRIPT + b" /B ) >>",
        b"<< /Title <FEFF> % no /EmbeddedFile here\n >>",
        stream(b"a text that names /Encrypt and /XFA "),
    ],
    ids=["string", "escaped", "comment", "stream"],
)
def test_a_name_in_a_text_does_nothing(plain: bytes) -> None:
    assert said(pdf(b"", plain)) == ""
    if not plain.endswith(b"endstream"):
        assert said(objects(b"5 0 " + plain)) == ""


@pytest.mark.parametrize(
    "hidden",
    [
        b"<< /T (7 0 obj " + SCRIPT + b" endobj) >>",
        b"<< /T <( > /A " + SCRIPT + b" /B <) > >>",
        b"<< /T (never closed /A " + SCRIPT + b" >>",
        b"[ << >> stream\n" + SCRIPT + b" endstream ]",
        b"[ >> stream\n" + SCRIPT + b" endstream ]",
        b"<< /T 1 % 7 0 obj " + SCRIPT + b" endobj\n >>",
        b"<< /T (\\\\) /A " + SCRIPT + b" /B (x) >>",
        b"<< /T (a) % ) (\n /A " + SCRIPT + b" /B (b) >>",
        stream(b"7 0 obj " + SCRIPT + b" endobj"),
        stream(b"7%x\n0 % y\r % z\n obj " + SCRIPT + b" endobj"),
        stream(b"7 0" + b" " * 300 + b"obj " + SCRIPT + b" endobj"),
        b"<< /A #4A >> /S /#4a#61vaScript",
    ],
)
def test_what_a_reader_may_carry_out_is_found_wherever_it_stands(hidden: bytes) -> None:
    assert "脚本" in said(pdf(b"", hidden))


def test_a_picture_may_hold_any_bytes_by_chance() -> None:
    """They are no object, no index and no name of a dictionary."""
    chance = b"5obj \nobj x 7\r\nobj a%b\nobj xrefs 0.5\xffobj" + b"\xfe" * 300 + b"\nobj /EF "
    picture = b"/Subtype /Image /Filter /DCTDecode"
    assert said(pdf(b"", stream(chance + b"/JS\n/EmbeddedFile/XFA(", picture))) == ""
    assert "嵌入" in said(pdf(b"", stream(b"7 0 obj << /EF 9 0 R >>", picture)))


@given(AROUND, AROUND, AROUND)
def test_an_object_is_found_whatever_stands_around_it(
    before: list[bytes], inside: list[bytes], after: list[bytes]
) -> None:
    """A reader may come to it by the index, whatever the file looks like from its beginning."""
    whole = b"".join([*before, b"\n7 0 obj [ (x) ", *inside, b"] [", SCRIPT, b"] endobj\n", *after])
    read_as_text = any(one in (b"(", b"%") or b" stream" in one for one in inside)
    assert read_as_text or "脚本" in said(b"%PDF-1.7\n" + whole + b"\nstartxref\n0")


def test_an_object_of_a_stream_may_begin_in_a_text() -> None:
    text = b"5 9 (x) (" + SCRIPT + b")"
    assert "脚本" in said(objects(text))
    assert said(objects(text.replace(b"5 9", b"5 0"))) == ""
    unsaid = PACKED.replace(b"/First 4", b"/First 9 0 R") + FLATE
    assert "脚本" in said(objects(text.replace(b"5 9", b"5 0"), unsaid))


@pytest.mark.parametrize(
    "head",
    [
        PACKED + b"/Filter /LZWDecode",
        PACKED + b"/Filter [/ASCII85Decode /FlateDecode]",
        PACKED + b"/Filter 9 0 R",
        PACKED + FLATE + b" /DecodeParms << /Predictor 12 >>",
        PACKED + FLATE + b" /F (elsewhere)",
        PACKED.replace(b"ObjStm", b"#4fbjStm") + b"/#46ilter /RunLengthDecode",
        b"/N 1 /First 4 /Subtype /Image /Filter /ASCIIHexDecode",
    ],
)
def test_objects_that_are_packed_otherwise_are_refused(head: bytes) -> None:
    assert "不能检查" in said(objects(b"5 0 << >>", head))


def test_objects_are_seen_to_the_end_or_refused() -> None:
    whole = objects(b"5 0 << >> " + b" " * 400)
    assert said(whole) == ""
    packed = zlib.compress(b"5 0 << >> " + b" " * 400)
    assert "已损坏" in said(whole.replace(packed, packed[:-6]))
    stored = zlib.compress(b"5 0 << /A /endstream >> " + SCRIPT, 0)
    assert said(pdf(b"", stream(stored, PACKED + FLATE))) != ""


def test_what_can_be_unpacked_of_a_broken_page_is_looked_at() -> None:
    packed = zlib.compress(b"BT (" + "机密★".encode("gbk") + b") Tj ET" + b" " * (1 << 20))
    assert "密级标志" in said(pdf(b"", stream(packed[:-4] + b"beef", FLATE)))


@pytest.mark.parametrize(
    ("before", "word"),
    [
        (b"<< " + PACKED + FLATE + b" >>", b"stream \n"),
        (b"<< " + PACKED + FLATE + b" >>", b"stream %x\r\n"),
        (b"<< /First 4 /X [/obj<</Y 1>>] " + FLATE + b" >>", b"stream\n"),
        (b"<< /First 4 /X (stream\nendstream) " + FLATE + b" >>", b"stream\n"),
        (b"<< /First 4 /X (>>stream\nendstream) " + FLATE + b" >>", b"stream\n"),
        (b"<< " + FLATE + b" >>", b"stream\n"),
    ],
)
def test_packed_objects_are_seen_whatever_hides_that_they_are(before: bytes, word: bytes) -> None:
    packed = zlib.compress(b"5 0 " + SCRIPT)
    whole = pdf(b"", b"7 0 obj " + before + word + packed + b"\nendstream endobj")
    assert "脚本" in said(whole)
    plain = zlib.compress(b"5 0 << /Title (x) >>")
    assert said(whole.replace(packed, plain)) == ""


def test_a_page_that_begins_with_numbers_is_taken() -> None:
    assert said(flate(b"1 0 0 1 50 50 cm BT (" + "整改报告".encode("gbk") + b") Tj ET")) == ""


def test_a_file_pinned_to_a_page_is_one_inside() -> None:
    pinned = b"<< /Subtype /FileAttachment /FS << /F (a.exe) /EF << /F 9 0 R >> >> >>"
    assert "嵌入" in said(pdf(b"", pinned))


def test_the_titles_of_packed_objects_are_read() -> None:
    title = b"5 0 << /Title <FEFF" + "秘密★1年".encode("utf-16-be").hex().encode() + b"> >>"
    assert "密级标志" in said(objects(title))
