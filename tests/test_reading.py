"""A file from a stranger is read within bounds, or refused with a reason in Chinese."""

import io
import struct
import zipfile
from contextlib import suppress
from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.book import Cell, Merge, NoValue, Sheet, Unreadable
from documents.reading import LARGEST_FILE, read_book
from tests.sheets import SHEET, Rows, feedback, repacked, sheet_part, with_cells, workbook

GOOD = feedback()
"""Made once: a workbook carries the second in which it was made."""


def _refused(data: bytes, filename: str = "") -> str:
    with pytest.raises(Unreadable) as refused:
        read_book(data, filename)
    return str(refused.value)


def _cells(sheet: Sheet) -> dict[tuple[int, int], Cell]:
    return {
        (row.number, place): cell
        for row in sheet.rows
        for place, cell in enumerate(row.cells, start=1)
        if cell is not None
    }


def test_cells_keep_their_place_and_type() -> None:
    noon = datetime(2027, 1, 27, 12)  # noqa: DTZ001
    rows: Rows = [["", "b"], [], [1, date(2027, 1, 27), True, "2027年1月27日", 1.5, noon]]
    (sheet,) = read_book(workbook({"甲": rows})).sheets
    assert sheet.name == "甲"
    assert _cells(sheet) == {
        (1, 2): "b",
        (3, 1): 1,
        (3, 2): date(2027, 1, 27),
        (3, 3): True,
        (3, 4): "2027年1月27日",
        (3, 5): 1.5,
        (3, 6): noon,
    }


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A1" t="inlineStr"><is><t>甲</t></is></c>', "甲"),
        ('<c r="A1" t="inlineStr"><is><r><t>甲</t></r><rPh><t>jia</t></rPh></is></c>', "甲"),
        ('<c r="A1" t="str"><f>B1</f><v>甲_x000D_</v></c>', "甲\r"),
        ('<c r="A1"><f>1+1</f><v>2</v></c>', 2),
        ('<c r="A1" t="d"><v>2027-01-27</v></c>', date(2027, 1, 27)),
        ('<c r="A1" t="b"><v>0</v></c>', False),
        ("<c><v>7</v></c>", 7),
        ('<x:c xmlns:x="u" r="A1"><x:v>7</x:v></x:c>', 7),
    ],
)
def test_a_value_is_read_however_it_is_written(cell: str, value: Cell) -> None:
    assert _cells(read_book(with_cells(f"<row>{cell}</row>")).sheets[0]) == {(1, 1): value}


@pytest.mark.parametrize("cell", ["<f>A2</f>", "<f>A2</f><v/>", "<f>A2</f><v> </v>"])
def test_a_formula_without_its_result_has_no_value(cell: str) -> None:
    found = _cells(read_book(with_cells(f'<row r="1"><c r="A1">{cell}</c></row>')).sheets[0])
    value = found[1, 1]
    assert isinstance(value, NoValue)
    assert "没有保存计算结果" in value.why


def test_a_formula_that_gives_an_empty_text_is_an_empty_cell() -> None:
    cell = '<row r="1"><c r="A1" t="str"><f>""</f><v></v></c></row>'
    assert read_book(with_cells(cell)).sheets[0].rows == []


def test_a_formula_that_ends_in_an_error_has_no_value() -> None:
    found = read_book(with_cells('<row><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row>')).sheets[0]
    value = _cells(found)[1, 1]
    assert isinstance(value, NoValue)
    assert "#DIV/0!" in value.why


@pytest.mark.parametrize(
    ("style", "value"),
    [("yyyy-m-d", date(2026, 1, 1)), ('[$-804]yyyy"年"m"月"', date(2026, 1, 1)), ("0.00", 46023)]
    + [("h:mm", datetime(2026, 1, 1)), ("0_);[Red]0", 46023), ('"day" 0', 46023)],  # noqa: DTZ001
)
def test_a_number_is_a_date_where_it_is_shown_as_one(style: str, value: Cell) -> None:
    data = workbook({"甲": [[46023]]}, number_format=style)
    found = _cells(read_book(data).sheets[0])[1, 1]
    assert found == (value if style != "h:mm" else datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_time_of_day_is_a_time() -> None:
    data = workbook({"甲": [[0.5]]}, number_format="h:mm")
    assert _cells(read_book(data).sheets[0])[1, 1] == time(12)


def test_days_may_count_from_1904() -> None:
    data = workbook({"甲": [[1]]}, number_format="yyyy-m-d")
    book = repacked(
        data,
        "xl/workbook.xml",
        _part(data, "xl/workbook.xml").replace(b"<workbookPr ", b'<workbookPr date1904="1" '),
    )
    sheet = read_book(book).sheets[0]
    assert (sheet.epoch_1904, _cells(sheet)[1, 1]) == (True, date(1904, 1, 2))


def _part(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


def test_merged_blocks_hidden_rows_and_hidden_sheets_are_known() -> None:
    cells = '<row r="1" hidden="1"><c r="A1"><v>1</v></c></row>'
    part = sheet_part(cells, '<mergeCells><mergeCell ref="A1:B3"/></mergeCells>')
    data = workbook({"甲": [[1]], "乙": [[2]]}, hidden=("乙",))
    first, second = read_book(repacked(data, SHEET, part)).sheets
    assert (first.merges, first.hidden_rows) == ([Merge(1, 1, 3, 2)], 1)
    assert (second.name, second.hidden, second.rows) == ("乙", True, [])


def test_rows_that_are_only_formatted_are_no_rows() -> None:
    blank = "".join(f'<row r="{n}"><c r="A{n}" s="1"/></row>' for n in range(2, 3000))
    data = with_cells(f'<row r="1"><c r="A1"><v>1</v></c></row>{blank}')
    assert len(read_book(data).sheets[0].rows) == 1


@pytest.mark.parametrize(
    ("data", "filename", "reason"),
    [
        (b"", "", "空的"),
        (b"hello", "甲.xlsx", "不是 Excel"),
        (b"%PDF-1.7", "甲.xlsx", "PDF"),
        (b"\xef\xbb\xbf <html><table>", "甲.xls", "网页文件"),
        (b"\x89PNG\r\n", "甲.csv", "图片"),
        (b"a\0b", "甲.csv", "不是 Excel 工作簿或 CSV"),
        (b"\xff\xff\xff", "甲.csv", "UTF-8 或 GB18030"),
        (b'a,"b\n', "甲.csv", "不是完整的 CSV"),
        (b"0" * (LARGEST_FILE + 1), "甲.csv", "超过 20 MB"),
        (feedback()[:2000], "甲.xlsx", "不完整"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(
    data: bytes, filename: str, reason: str
) -> None:
    assert reason in _refused(data, filename)


def test_a_word_file_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as word:
        word.writestr("word/document.xml", "<w/>")
    assert "Word" in _refused(out.getvalue())


def test_a_zip_bomb_is_refused_by_what_comes_out() -> None:
    bomb = repacked(GOOD, SHEET, sheet_part(" " * 450_000_000))
    assert len(bomb) < LARGEST_FILE
    assert "解压后过大" in _refused(bomb)


def test_what_is_not_read_may_be_as_large_as_it_likes() -> None:
    with_picture = repacked(GOOD, "xl/media/zeros.bin", b"\0" * 50_000_000)
    assert len(read_book(with_picture).sheets) == 2


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    part = sheet_part("<row/>" * 200_000)
    bomb = bytearray(repacked(GOOD, SHEET, part))
    real = struct.pack("<I", len(part))
    assert real in bomb
    assert "不完整" in _refused(bytes(bomb.replace(real, struct.pack("<I", 1000))))


def test_an_archive_packed_in_a_way_no_spreadsheet_uses_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_LZMA)
    assert "不是 Excel" in _refused(out.getvalue())


def test_too_many_parts_are_refused_before_they_are_listed() -> None:
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as archive:
        for number in range(2100):
            archive.writestr(f"xl/media/{number}.bin", b"")
    assert "过大" in _refused(out.getvalue())


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ('<row r="1"><c r="XFD1"><v>1</v></c></row>', "超过 200 列"),
        (f"<row>{'<c><v>1</v></c>' * 201}</row>", "超过 200 列"),
        ('<row r="1048577"><c><v>1</v></c></row>', "损坏"),
        ('<row r="2"><c><v>1</v></c></row><row r="1"><c><v>1</v></c></row>', "损坏"),
        ('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>', "损坏"),
        ("<row><c><v>1</v></c></row>" * 100_001, "超过 10 万行"),
        (f"<row>{'<c><v>1</v></c>' * 200}</row>" * 5_001, "100 万个"),
        (f'<row><c t="str"><v>{"长" * 24_000_001}</v></c></row>', "2400 万字"),
    ],
    ids=["far", "wide", "deep", "backwards", "mixed", "rows", "cells", "text"],
)
def test_a_sheet_that_would_become_huge_is_refused(cells: str, reason: str) -> None:
    assert reason in _refused(with_cells(cells))


@pytest.mark.parametrize(
    "part",
    [
        f'<worksheet a="{"x" * 2_000_000}"/>',
        f"<worksheet>{'<a>' * 300}{'</a>' * 300}</worksheet>",
        f"<worksheet>{''.join(f'<a{n}/>' for n in range(30_000))}</worksheet>",
        f"<worksheet><!--{'x' * 2_000_000}--></worksheet>",
    ],
    ids=["attribute", "depth", "names", "comment"],
)
def test_xml_that_would_fill_the_parser_is_refused(part: str) -> None:
    assert "损坏" in _refused(repacked(GOOD, SHEET, part.encode()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_a_doctype_is_refused_in_any_encoding_and_part(encoding: str, part: str) -> None:
    text = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet>&e;</worksheet>'
    assert "DOCTYPE" in _refused(repacked(GOOD, part, text.encode(encoding)))


@pytest.mark.parametrize("xml", [b"<worksheet>", b"<a r='1'><b></a>", b"\xff\xfe\x00"])
def test_broken_xml_is_refused(xml: bytes) -> None:
    assert "损坏" in _refused(repacked(GOOD, SHEET, xml))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_in_the_encodings_offices_use(encoding: str, delimiter: str) -> None:
    text = f'编码{delimiter}名称\r\n\r\n1{delimiter}"甲{delimiter}乙"\r\n'
    (sheet,) = read_book(text.encode(encoding), "甲.csv").sheets
    assert (sheet.name, [row.number for row in sheet.rows]) == ("", [1, 3])
    assert sheet.rows[1].cells == ["1", f"甲{delimiter}乙"]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_read_but_never_anything_else(data: st.DataObject) -> None:
    good = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Unreadable):
        read_book(bytes(good))


CELLS = st.sampled_from(
    [
        '<c r="A1" t="s"><v>99999999</v></c>',
        '<c r="A1" t="s"><v>-1</v></c>',
        '<c r="A1" s="99"><v>46000</v></c>',
        '<c r="A1" s="1"><v>1e308</v></c>',
        '<c r="A1" s="1"><v>-99999999999</v></c>',
        '<c r="A1" t="d"><v>2027-13-45</v></c>',
        '<c r="A1" t="b"><v>7</v></c>',
        '<c r="A1" t="e"><v>#REF!</v></c>',
        '<c r="A1" t="str"><f>1/0</f><v/></c>',
        '<c r="A1" t="n"><v>nan</v></c>',
        '<c r="A1" t="zzz"><v>1</v></c>',
        '<c r="a1"><v>1</v></c>',
        '<c r="A0"><v>1</v></c>',
        '<c r=""><v>1</v></c>',
        '<c t="inlineStr"><is><t>甲</t></is></c>',
        '<c r="B2"><v>1</v></c>',
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS, max_size=5), st.sampled_from(["", ' r="1"', ' r="0"', ' r="x"', ' r="7"']))
def test_odd_cells_are_refused_or_read_but_never_anything_else(cells: list[str], row: str) -> None:
    with suppress(Unreadable):
        read_book(with_cells(f"<row{row}>{''.join(cells)}</row>"))
