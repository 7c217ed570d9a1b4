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
    """One slot: its answer, or None while it is open or its turn has not come.

    ``added``: those of the posts that its holder had answer as well (加签). They speak as one: the
    first return is the return of both, and it is heard once all of them have answered. Whoever was
    added agrees or returns, so what it comes to otherwise is the answer of who was asked.
    """

    answer: str | None
    added: tuple[str | None, ...] = ()

    @property
    def spoken(self) -> str | None:
        """What this post says together with those it added; None while one of them is silent."""
        said = (self.answer, *self.added)
        if RETURN in said:
            return RETURN
        return None if None in said else self.answer


def answers_for(answers: Sequence[str], *, added: bool) -> tuple[str, ...]:
    """What a slot of a step may be answered. Whoever was added (加签) agrees or returns, whatever
    the step asks of the others, and fills in nothing."""
    return (
        tuple(one for one in (AGREE, RETURN) if one != RETURN or one in answers)
        if added
        else (tuple(answers))
    )


def outcome(mode: str, slots: Sequence[Answered]) -> str | None:
    """The answer of a step, or None while somebody is still to be heard.

    ``one`` and ``any``: the first answer. ``all`` and ``in_turn``: the first return ends it;
    otherwise the last slot's answer once every slot has answered. Of :data:`RATIOS`: ``agree`` or
    ``return``, as soon as those who have not answered cannot change it. ValueError for an unknown
    mode or no slots.
    """
    if not slots:
        raise ValueError("a step without slots has no outcome")
    given = [spoken for spoken in (slot.spoken for slot in slots) if spoken is not None]
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
