"""How the answers of several people make one (rule A): any 或签, all 会签."""

from collections.abc import Sequence
from dataclasses import dataclass

RETURN = "return"
_WITHOUT_REASON = frozenset({"done", "agree", "urged", "issued", "retry", "enter"})


def needs_reason(answer: str) -> bool:
    """Whether an answer has to say why: everything but going on as asked."""
    return answer not in _WITHOUT_REASON


@dataclass(frozen=True, slots=True)
class Answered:
    """One slot: its answer, or None while it is open."""

    answer: str | None


def outcome(mode: str, slots: Sequence[Answered]) -> str | None:
    """The answer of a step, or None while somebody is still to be heard.

    ``one`` and ``any``: the first answer. ``all``: the first return ends it; otherwise the last
    slot's answer once every slot has answered. ValueError for an unknown mode or no slots.
    """
    if not slots:
        raise ValueError("a step without slots has no outcome")
    given = [slot.answer for slot in slots if slot.answer is not None]
    if mode in ("one", "any"):
        return given[0] if given else None
    if mode != "all":
        raise ValueError(f"unknown mode: {mode}")
    if RETURN in given:
        return RETURN
    return given[-1] if len(given) == len(slots) else None
