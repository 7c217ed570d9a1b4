"""A name nobody has is answered with those that are near it."""

from hypothesis import given
from hypothesis import strategies as st

from documents.resemble import Resembling

NAMES = ("党建办", "党政办", "城市管理办", "平安建设办", "财务所", "梧桐路街道党工委")


def test_the_nearest_come_first_and_three_at_most() -> None:
    known = Resembling(NAMES)
    assert known.nearest("党建办公室") == ["党建办", "党政办", "平安建设办"]
    assert known.nearest("梧桐路党工委") == ["梧桐路街道党工委", "党建办", "党政办"]
    assert known.nearest("城管办")[0] == "城市管理办"
    assert known.nearest("党建办", 1) == ["党建办"]


def test_a_name_that_has_nothing_in_common_is_never_meant() -> None:
    assert Resembling(NAMES).nearest("旅游") == []
    assert Resembling(NAMES).hint("旅游") == ""
    assert Resembling(()).nearest("甲") == []


def test_of_names_that_mean_the_same_the_nearest_stands_for_all() -> None:
    ids = {"党建办": 1, "梧桐路街道党建办": 1, "党政办": 2}
    known = Resembling(ids)
    assert known.nearest("党建办事处", means=ids.__getitem__) == ["党建办", "党政办"]
    assert known.hint("党政", means=ids.__getitem__) == "，相近的有：“党政办”、“党建办”"


@given(st.lists(st.text("甲乙丙丁戊", min_size=1, max_size=6), max_size=12), st.text("甲乙己"))
def test_whatever_is_asked_the_answers_are_names_and_the_same_each_time(
    names: list[str], asked: str
) -> None:
    known = Resembling(names)
    near = known.nearest(asked)
    assert set(near) <= set(names)
    assert len(near) == len(set(near)) <= 3
    assert near == Resembling(reversed(names)).nearest(asked)
    assert not asked or asked not in names or near[0] == asked
