"""What the checker found, in words that name the rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong: with a promise, with the record, or with where a case stands."""

    LOST = "lost"
    DOUBLED = "doubled"
    CHANGED = "changed"
    REFUSED = "refused, yet applied"
    STATE = "state"
    TIME = "time"
    EFFECT = "effect"
    COURSE = "course"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that does not hold, and the ids of the rows it is about."""

    kind: Kind
    what: str
    ids: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        named = ", ".join(f"{name} {value}" for name, value in self.ids.items())
        return f"{self.kind.value}: {self.what} ({named})"


@dataclass(frozen=True, slots=True)
class Findings:
    """``lost`` and ``doubled`` count decisions, rungs, messages and effects alike.

    ``unknown_settled``: keys whose outcome was unknown until a repetition told it;
    ``unknown_left``: those that nobody asked about again.
    """

    decisions: int
    unknown_settled: int
    unknown_left: int
    violations: tuple[Violation, ...]

    @property
    def lost(self) -> int:
        """How many things that were promised are missing."""
        return self._count(Kind.LOST)

    @property
    def doubled(self) -> int:
        """How many things are there twice."""
        return self._count(Kind.DOUBLED)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    def _count(self, kind: Kind) -> int:
        return sum(violation.kind is kind for violation in self.violations)
