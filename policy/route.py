"""Who of a route is asked (rule N): the first post that is filled by somebody not yet concerned."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import StrEnum


class Passed(StrEnum):
    """Why a post on the route is not asked."""

    VACANT = "vacant"
    OWNER = "owner"
    """Its holder is the one who has not answered, through whatever post, or stands in for them, or
    is represented by them (离岗委托)."""
    ASKED = "asked"
    """The post, or its holder through another post or 离岗委托, was asked for this slot before."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A post on the route and the person who holds it today, None for a vacant one.

    ``substitutes``: who stands in for that person in this matter.
    """

    post_id: int
    person_id: int | None
    substitutes: frozenset[int] = frozenset()

    @property
    def people(self) -> frozenset[int]:
        """Everybody who may answer in this post."""
        return self.substitutes if self.person_id is None else self.substitutes | {self.person_id}


@dataclass(frozen=True, slots=True)
class Choice:
    """The post to ask, None when the route has nobody left, and whom it passed over and why."""

    post_id: int | None
    passed_over: tuple[tuple[int, Passed], ...] = ()


def choose(route: Iterable[Seat], owner: Seat, asked: Iterable[Seat]) -> Choice:
    """The first seat up the route to ask about ``owner``'s slot; ``asked`` were asked already."""
    before = tuple(asked)
    posts = {seat.post_id for seat in before}
    people = frozenset[int]().union(*(seat.people for seat in before))
    passed: list[tuple[int, Passed]] = []
    for seat in route:
        reason = _reason(seat, owner, posts, people)
        if reason is None:
            return Choice(seat.post_id, tuple(passed))
        passed.append((seat.post_id, reason))
    return Choice(None, tuple(passed))


def _reason(seat: Seat, owner: Seat, posts: Set[int], people: Set[int]) -> Passed | None:
    if seat.person_id is None:
        return Passed.VACANT
    if seat.post_id == owner.post_id or seat.people & owner.people:
        return Passed.OWNER
    if seat.post_id in posts or seat.people & people:
        return Passed.ASKED
    return None
