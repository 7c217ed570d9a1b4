"""How answers make one, against every way in which a step can go on."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from

from policy.outcome import AGREE, IN_TURN, RATIOS, RETURN, Answered, outcome

SEVERAL = ("any", "all", IN_TURN, *RATIOS)
ANSWERS = (AGREE, RETURN)


def in_the_end(mode: str, answers: Sequence[str]) -> str:
    """What a step comes to if everybody were heard, in this order."""
    agreed = answers.count(AGREE)
    return {
        "any": answers[0],
        "all": AGREE if agreed == len(answers) else RETURN,
        "in_turn": AGREE if agreed == len(answers) else RETURN,
        "majority": AGREE if 2 * agreed > len(answers) else RETURN,
        "two_thirds": AGREE if 3 * agreed >= 2 * len(answers) else RETURN,
    }[mode]


def of(answers: Sequence[str], to_come: int) -> list[Answered]:
    return [*(Answered(answer) for answer in answers), *[Answered(None)] * to_come]


@given(sampled_from(SEVERAL), lists(sampled_from(ANSWERS), max_size=5), integers(0, 5))
def test_a_step_is_decided_exactly_when_no_continuation_could_change_it(
    mode: str, answers: list[str], to_come: int
) -> None:
    if not answers and not to_come:
        return
    ends = {in_the_end(mode, [*answers, *rest]) for rest in product(ANSWERS, repeat=to_come)}
    expected = ends.pop() if len(ends) == 1 else None
    assert outcome(mode, of(answers, to_come)) == expected


@given(sampled_from(SEVERAL), lists(sampled_from(ANSWERS), min_size=1, max_size=7), integers(0, 7))
def test_one_more_agreement_never_makes_a_return_of_it(
    mode: str, answers: list[str], place: int
) -> None:
    better = list(answers)
    better[place % len(better)] = AGREE
    if outcome(mode, of(answers, 0)) == AGREE:
        assert outcome(mode, of(better, 0)) == AGREE


@given(
    sampled_from(("all", IN_TURN)),
    lists(sampled_from((*ANSWERS, None)), min_size=1, max_size=4),
    lists(sampled_from((*ANSWERS, None)), max_size=3),
)
def test_where_all_must_agree_whoever_was_added_is_one_more_of_them(
    mode: str, answers: list[str | None], added: list[str | None]
) -> None:
    voices = [Answered(answer) for answer in answers]
    together = [*voices[:-1], Answered(answers[-1], tuple(added))]
    flat = [*(Answered(answer) for answer in added), *voices]
    assert outcome(mode, together) == outcome(mode, flat)


@given(sampled_from(ANSWERS), lists(sampled_from((*ANSWERS, None)), min_size=1, max_size=3))
def test_of_either_one_who_added_others_speaks_once_they_all_have(
    own: str, added: list[str | None]
) -> None:
    said = outcome("any", [Answered(own, tuple(added)), Answered(None)])
    expected = None if None in added else own
    assert said == (RETURN if RETURN in (own, *added) else expected)
    assert outcome("any", [Answered(None, tuple(a for a in added if a)), Answered(own)]) is not None


@given(sampled_from(("one", *SEVERAL)), integers(1, 9))
def test_silence_decides_nothing(mode: str, asked: int) -> None:
    assert outcome(mode, of([], asked)) is None


@pytest.mark.parametrize(
    ("mode", "agreed", "against", "silent", "said"),
    [
        ("majority", 2, 0, 1, AGREE),
        ("majority", 2, 0, 2, None),
        ("majority", 1, 2, 1, RETURN),
        ("two_thirds", 2, 1, 0, AGREE),
        ("two_thirds", 2, 1, 1, None),
        ("two_thirds", 0, 2, 1, RETURN),
    ],
)
def test_a_vote_counts_all_who_are_entitled(
    mode: str, agreed: int, against: int, silent: int, said: str | None
) -> None:
    answers = [AGREE] * agreed + [RETURN] * against
    assert outcome(mode, of(answers, silent)) == said


def test_what_makes_no_sense_is_refused() -> None:
    for mode, slots in (("all", []), ("lottery", of([AGREE], 0))):
        with pytest.raises(ValueError, match=r"without slots|unknown mode"):
            outcome(mode, slots)
