"""When somebody may stand in for somebody else (离岗委托): pure, over what is known of both.

A substitution is time-boxed and goes one step only: who is away stands in for nobody, and who
stands in hands nothing on (trap 11). For one day and one kind of matter a post has one substitute.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

LONGEST_DAYS = 366
"""A substitution is for an absence; who is away for longer is replaced (任免)."""


class Hindrance(StrEnum):
    """Why a substitution cannot be made."""

    BACKWARDS = "backwards"
    """It ends before it begins."""
    PAST = "past"
    """It begins before today: nobody decides on a basis that came afterwards."""
    TOO_LONG = "too_long"
    SELF = "self"
    """The substitute is the represented person, by another post."""
    TAKEN = "taken"
    """The post has a substitute for some of the days and matters already."""
    AWAY = "away"
    """The substitute is represented by somebody else on some of the days."""
    STANDS_IN = "stands_in"
    """The represented person stands in for somebody else on some of the days."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days and matters: ``starts_on`` to the day before ``ends_on``; None: every mechanism."""

    starts_on: date
    ends_on: date
    mechanisms: frozenset[str] | None = None

    def covers(self, on: date, mechanism: str) -> bool:
        """Whether a matter on a day is within it."""
        inside = self.starts_on <= on < self.ends_on
        return inside and (self.mechanisms is None or mechanism in self.mechanisms)

    def meets(self, other: "Span") -> bool:
        """Whether some matter on some day is within both."""
        days = self.starts_on < other.ends_on and other.starts_on < self.ends_on
        if self.mechanisms is None or other.mechanisms is None:
            return days
        return days and not self.mechanisms.isdisjoint(other.mechanisms)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A substitution that is or will be: who for whom, in which post, over which span."""

    id: int
    post_id: int
    person_id: int
    substitute_id: int
    span: Span


def hindrance(
    new: Arrangement, others: Iterable[Arrangement], today: date
) -> tuple[Hindrance, Arrangement | None] | None:
    """The first thing that forbids ``new``, with the other substitution it meets; None: nothing.

    ``others`` are the open ones that concern either person.
    """
    wrong = _of_itself(new, today)
    if wrong is not None:
        return wrong, None
    met = [other for other in others if other.span.meets(new.span)]
    for why, other in ((_against(new, other), other) for other in met):
        if why is not None:
            return why, other
    return None


def _of_itself(new: Arrangement, today: date) -> Hindrance | None:
    if new.span.ends_on <= new.span.starts_on:
        return Hindrance.BACKWARDS
    if new.span.starts_on < today:
        return Hindrance.PAST
    if new.span.ends_on - new.span.starts_on > timedelta(days=LONGEST_DAYS):
        return Hindrance.TOO_LONG
    return Hindrance.SELF if new.person_id == new.substitute_id else None


def _against(new: Arrangement, other: Arrangement) -> Hindrance | None:
    if other.post_id == new.post_id:
        return Hindrance.TAKEN
    if other.person_id == new.substitute_id:
        return Hindrance.AWAY
    if other.substitute_id == new.person_id:
        return Hindrance.STANDS_IN
    return None
