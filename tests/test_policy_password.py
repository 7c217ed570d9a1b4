"""Which passwords are refused: what a guesser tries first does not count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.guessable import GUESSABLE
from policy.password import LONGEST, SHORTEST, plain, weakness
from services.password import new_password

NAMES = ("梧桐路街道党工委", "书记", "wutonglu")


def refused(password: str) -> bool:
    return weakness(password, login="3199A.clerk", names=NAMES) is not None


@pytest.mark.parametrize(
    "password",
    [
        "k3vw9htr2mp",  # eleven
        "Password2026!",
        "P@ssw0rd!!2026",
        "zhongguo12345678",
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "1qaz2wsx3edc4rfv",
        "qwertyuiopasdfgh",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "3199A.clerk.3199A",
        "clerk-clerk-2026",
        "wutonglu-wutonglu1",
        "梧桐路街道党工委书记2026",
        "ｐａｓｓｗｏｒｄ１２３４５６",
        "x" * (LONGEST + 1),
    ],
)
def test_what_is_easily_guessed_is_refused(password: str) -> None:
    assert refused(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "k3vw9htr2mp8",
        "three-rivers-meet",
        "秋天的河岸上有三只白鹭在走",
        "Shanghai@2026#dw",
        "password of seven rivers",
    ],
)
def test_what_is_hard_to_guess_is_taken_whatever_it_is_made_of(password: str) -> None:
    assert not refused(password)


def test_a_refusal_does_not_repeat_what_it_was_given() -> None:
    said = weakness("Password2026!")
    assert said is not None
    assert "Password" not in said
    assert "2026" not in said


def test_a_full_width_digit_is_the_digit() -> None:
    assert plain("ｋ３ｖｗ") == "k3vw"
    assert weakness("ｋ３ｖｗ９ｈｔｒ２ｍｐ") is not None


def test_the_list_holds_words_in_lower_case_that_are_long_enough_to_matter() -> None:
    assert all(word == word.lower() and len(word) >= 3 for word in GUESSABLE)


@given(st.lists(st.sampled_from(sorted(GUESSABLE)), min_size=1, max_size=6), st.integers(0, 9999))
def test_listed_words_and_a_number_are_never_enough(words: list[str], number: int) -> None:
    assert refused("".join(words) + str(number))


@given(st.text(min_size=SHORTEST, max_size=60))
def test_whatever_is_taken_still_has_enough_without_its_log_in(password: str) -> None:
    if not refused(password):
        assert len(plain(password).casefold().replace("clerk", "")) >= 8


def test_passwords_that_we_make_are_taken_by_the_rule() -> None:
    assert not any(refused(new_password()) for _ in range(300))
