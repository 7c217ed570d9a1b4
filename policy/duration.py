"""Typed durations: so many working days are not so many times 24 hours (trap 5)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

DEFAULT_FROM = date(2026, 1, 1)


class DurationKind(StrEnum):
    """What a duration counts."""

    WORKING_DAYS = "wd"
    DAYS = "days"
    MONTHS = "months"
    FIXED = "fixed"
    """The next such day of a year, ``day`` as ``MM-DD``."""
    ROW = "row"
    """No duration: the date of the row (a task's 完成时限) is the date."""


@dataclass(frozen=True)
class Duration:
    """How long something may take, and on what basis; editable data, never a number in a script.

    ``amount`` counts working days, days or months by ``kind``; ``day`` is for ``fixed`` only.
    ``legal_basis`` and ``label`` are Chinese texts for the rules page.
    """

    kind: DurationKind
    amount: int = 0
    legal_basis: str = ""
    label: str = ""
    effective_from: date = DEFAULT_FROM
    day: str = ""

    def __post_init__(self) -> None:
        counted = self.kind in _COUNTED
        if counted != (self.amount > 0) or (self.kind is DurationKind.FIXED) != bool(self.day):
            raise ValueError(f"not a {self.kind} duration: amount {self.amount}, day {self.day!r}")
        if self.day:
            date.fromisoformat(f"2024-{self.day}")

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, which :meth:`from_json` reads back equal."""
        return {
            "kind": self.kind.value,
            "amount": self.amount,
            "legal_basis": self.legal_basis,
            "label": self.label,
            "effective_from": self.effective_from.isoformat(),
            "day": self.day,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Duration":
        """The duration that :meth:`as_json` wrote; KeyError or ValueError for anything else."""
        kind, since = DurationKind(data["kind"]), date.fromisoformat(data["effective_from"])
        return Duration(
            kind, data["amount"], data["legal_basis"], data["label"], since, data["day"]
        )


_COUNTED = {DurationKind.WORKING_DAYS, DurationKind.DAYS, DurationKind.MONTHS}
