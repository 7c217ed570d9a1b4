"""A large import is not kept as objects: what is made in order is packed, a text is kept once."""

import tracemalloc
from datetime import date

from documents.organisation_file import POSTS, SHEETS, read_organisation_file
from models.batch import LineAct
from services.batches.difference import Difference, Line
from services.batches.packed import Packed
from tests.sheets import with_cells

DAY = date(2026, 1, 1)
MANY = 50_000


def test_what_was_packed_comes_back_in_its_order_as_often_as_wanted() -> None:
    packed = Packed[tuple[int, str | None, date]]()
    put = [(n, None if n % 3 else f"第{n}行", DAY) for n in range(4_321)]
    for one in put:
        packed.add(one)
    assert packed.count == len(put)
    assert list(packed) == list(packed) == put


def test_a_difference_of_many_rows_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        found = Difference()
        for n in range(MANY):
            line = Line(POSTS, n, LineAct.NEW, f"第{n}街道联络员", (("类别", "", "联络员"),))
            found.lines.add(line)
            found.insert("appointment", {"post_id": -n - 1, "person_id": 7, "starts_on": DAY})
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3_000_000
    assert found.lines.counts()[POSTS][LineAct.NEW] == MANY
    assert [number for number, _ in found.inserts["appointment"]][-1] == -MANY


def test_new_rows_are_numbered_whatever_refers_to_them_first() -> None:
    found = Difference()
    later = found.number("organisation", "B")
    found.insert("organisation", {"code": "A"}, "A")
    found.insert("organisation", {"code": "B"}, "B")
    rows = {values["code"]: number for number, values in found.inserts["organisation"]}
    assert rows == {"A": -2, "B": later}


def test_texts_that_stand_in_many_cells_are_kept_once() -> None:
    header = [column.name for column in SHEETS[POSTS]]
    rows = [header, *([f"U{n}", "联络员", "联络员", "80"] for n in range(3))]
    cells = "".join(
        "<row>" + "".join(f'<c t="str"><v>{text}</v></c>' for text in row) + "</row>"
        for row in rows
    )
    posts = read_organisation_file(with_cells(cells)).posts
    assert [post.unit for post in posts] == ["U0", "U1", "U2"]
    assert all(post.title is posts[0].title for post in posts)
