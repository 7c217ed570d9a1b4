"""Something that must hold and does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding: which invariant, what is wrong, and the ids of the rows. No business text."""

    invariant: str
    what: str
    ids: Mapping[str, Any]

    def __str__(self) -> str:
        ids = ", ".join(f"{name}={value}" for name, value in self.ids.items())
        return f"{self.invariant} {self.what}（{ids}）"
