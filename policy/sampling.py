"""抽查: which of many are looked at again, drawn so that anybody can draw the same again.

Each is given a number from the recorded seed and its id; those with the lowest are drawn. Whoever
knows the seed can check the draw, and nobody who does not can tell beforehand who will be drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True)
class Portion:
    """How many of a hundred are drawn (at least one), on what basis, and what of."""

    percent: int
    legal_basis: str
    label: str

    def of(self, number: int) -> int:
        """How many of ``number`` are drawn: rounded up, none of none."""
        return -(-number * self.percent // 100)

    def as_json(self) -> dict[str, Any]:
        """As it is frozen onto a case."""
        return {"percent": self.percent, "legal_basis": self.legal_basis, "label": self.label}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Portion":
        """What :meth:`as_json` wrote; KeyError for anything else."""
        return cls(data["percent"], data["legal_basis"], data["label"])


def draw(seed: str, ids: Sequence[int], count: int) -> list[int]:
    """The drawn ones, in the order of ``ids``: those whose SHA-256 of ``seed:id`` is lowest."""
    ranked = sorted(ids, key=lambda id_: sha256(f"{seed}:{id_}".encode()).digest())
    drawn = set(ranked[:count])
    return [id_ for id_ in ids if id_ in drawn]
