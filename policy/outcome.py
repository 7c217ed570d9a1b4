"""How the answers of several people make one (rule A): 或签, 会签, 依次 and 票决."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

AGREE, RETURN = "agree", "return"
IN_TURN = "in_turn"
"""依次: each is asked when the one before agreed."""
_WITHOUT_REASON = frozenset({"done", "agree", "urged", "issued", "retry", "enter"})


@dataclass(frozen=True, slots=True)
class Share:
    """How many of those entitled have to agree: this part of them, or more than it."""

    part: Fraction
    more: bool

    def reached(self, agreed: int, entitled: int) -> bool:
        """Whether so many are enough."""
        wanted = self.part * entitled
        return agreed > wanted if self.more else agreed >= wanted


RATIOS: Mapping[str, Share] = {
    "majority": Share(Fraction(1, 2), more=True),
    "two_thirds": Share(Fraction(2, 3), more=False),
}
"""票决, a vote by name: 过半数 and 三分之二以上 of all who are asked, not of those who answered."""


def needs_reason(answer: str) -> bool:
    """Whether an answer has to say why: everything but going on as asked."""
    return answer not in _WITHOUT_REASON


@dataclass(frozen=True, slots=True)
class Answered:
    """One slot: its answer, or None while it is open or its turn has not come."""

    answer: str | None


def outcome(mode: str, slots: Sequence[Answered]) -> str | None:
    """The answer of a step, or None while somebody is still to be heard.

    ``one`` and ``any``: the first answer. ``all`` and ``in_turn``: the first return ends it;
    otherwise the last slot's answer once every slot has answered. Of :data:`RATIOS`: ``agree`` or
    ``return``, as soon as those who have not answered cannot change it. ValueError for an unknown
    mode or no slots.
    """
    if not slots:
        raise ValueError("a step without slots has no outcome")
    given = [slot.answer for slot in slots if slot.answer is not None]
    if mode in ("one", "any"):
        return given[0] if given else None
    if mode in RATIOS:
        return _voted(RATIOS[mode], given, len(slots))
    if mode not in ("all", IN_TURN):
        raise ValueError(f"unknown mode: {mode}")
    if RETURN in given:
        return RETURN
    return given[-1] if len(given) == len(slots) else None


def _voted(share: Share, given: Sequence[str], entitled: int) -> str | None:
    agreed = given.count(AGREE)
    if share.reached(agreed, entitled):
        return AGREE
    at_most = entitled - (len(given) - agreed)
    return None if share.reached(at_most, entitled) else RETURN
