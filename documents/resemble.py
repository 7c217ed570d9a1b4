"""Names that resemble one nobody knows, so that a fault can say what was perhaps meant."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from difflib import SequenceMatcher
from heapq import nsmallest

_CANDIDATES = 24
_LEAST = 0.1


class Resembling:
    """A list of names, prepared to be asked many times."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted({name for name in names if name})
        self._holding: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(self._names):
            for letter in set(name):
                self._holding[letter].append(place)

    def nearest(
        self, name: str, most: int = 3, *, means: Callable[[str], Hashable] | None = None
    ) -> list[str]:
        """At most ``most`` names, the nearest first; never one that has no letter in common.

        By common letters first, then by common runs of letters in their order; equal ones by
        their spelling. Of names that mean the same (``means``) only the nearest is given.
        """
        shared: Counter[int] = Counter()
        for letter in set(name):
            shared.update(self._holding.get(letter, ()))
        scored = nsmallest(
            _CANDIDATES,
            (
                (-2 * count / (len(name) + len(self._names[place])), self._names[place])
                for place, count in shared.items()
            ),
        )
        ranked = sorted((-_likeness(name, other), other) for _, other in scored)
        found: dict[Hashable, str] = {}
        for score, other in ranked:
            if -score >= _LEAST:
                found.setdefault(means(other) if means else other, other)
        return list(found.values())[:most]

    def hint(self, name: str, *, means: Callable[[str], Hashable] | None = None) -> str:
        """``，相近的有：“甲”、“乙”、“丙”`` to end a message with; empty when nothing is near."""
        near = "、".join(f"“{other}”" for other in self.nearest(name, means=means))
        return f"，相近的有：{near}" if near else ""


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
