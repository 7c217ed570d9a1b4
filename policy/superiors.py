"""The route upwards of a post (rule N, CK-8): who is asked next when its holder does not answer.

分管领导 → 书记 → the next committee up, and so on; at the top the discipline commission, and there
it stops. The discipline line goes to higher discipline commissions only. Whether a post on the
route is filled and may be asked is :mod:`policy.route`'s question.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Station:
    """One committee on the way up: its leader in charge (分管) of what is below, its secretary."""

    in_charge: int | None
    secretary: int | None


def committee_route(
    post_id: int, stations: Iterable[Station], top_discipline: int | None
) -> list[int]:
    """The posts above ``post_id``, nearest first, each once, itself left out.

    ``stations`` go from its own committee to the top; ``top_discipline`` leads the discipline
    commission of the top one.
    """
    return _once(post_id, (*_posts(stations), top_discipline))


def discipline_route(post_id: int, heads: Sequence[int | None], secretary: int | None) -> list[int]:
    """The route of a post of a discipline organ: DC → higher DC (CK-8).

    ``heads`` lead its own organ and the higher ones in order. Only the head of the topmost has no
    discipline commission above: its committee's ``secretary`` is asked.
    """
    return _once(post_id, heads) or _once(post_id, (secretary,))


def _posts(stations: Iterable[Station]) -> Iterator[int | None]:
    for station in stations:
        yield station.in_charge
        yield station.secretary


def _once(post_id: int, posts: Iterable[int | None]) -> list[int]:
    return [post for post in dict.fromkeys(posts) if post is not None and post != post_id]
