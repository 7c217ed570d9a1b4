"""What an import leaves empty: posts without a holder, organisations without an organ or leader."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy import Connection, exists, select

from models.base import table
from models.organisation import Appointment, Level, Organisation, OrganisationKind, Post
from services.batches.difference import Difference
from services.batches.units import AT_ONCE
from services.batches.writing import Ids, id_of
from services.moves import lasting
from services.posts import COMMITTEES
from services.whose import Gap, Superior, Whose

_appointments, _organisations = table(Appointment), table(Organisation)
_posts = table(Post)
_KNOWN_AT_ONCE = 2_000
"""What is known of a unit is some kilobytes, and what stands above all of them is known at once."""


def gaps_left(db: Connection, found: Difference, ids: Ids, on: date) -> list[str]:
    """The gaps of the units and posts that an import made, in Chinese, each with who is above.

    A vacancy says whose it is to fill; a new unit, and one whose posts rank otherwise, says which
    of its four subjects it lacks (R6-2) and whether nobody is in charge of it. A post that somebody
    takes up later is no gap. Read after the import was written.
    """
    units = [
        (id_of(number, ids["organisation"]), values["kind"], values["level"])
        for number, values in found.inserts["organisation"]
    ]
    units += _reranked(db, found)
    posts = _vacant(db, [*ids["post"], *sorted(found.shifted)], on)
    told = dict.fromkeys(_of_units(db, units, on))
    told |= dict.fromkeys(_of_posts(db, posts, on))
    return list(told)


def _reranked(db: Connection, found: Difference) -> list[tuple[int, OrganisationKind, Level]]:
    """The units that are there and whose posts rank otherwise now: one may have lost its lead."""
    ids = [one.id for one in found.updates if one.table == "post" and "rank" in one.after]
    query = select(_organisations.c.id, _organisations.c.kind, _organisations.c.level).distinct()
    query = query.join(_posts, _posts.c.organisation_id == _organisations.c.id)
    units: dict[int, tuple[int, OrganisationKind, Level]] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = _posts.c.id.in_(ids[start : start + AT_ONCE])
        units |= {row.id: tuple(row) for row in db.execute(query.where(some))}
    return list(units.values())


def _vacant(db: Connection, post_ids: Sequence[int], on: date) -> list[int]:
    """Those that nobody holds, or takes up later."""
    held = exists().where(_appointments.c.post_id == _posts.c.id, lasting(_appointments.c, on))
    query = select(_posts.c.id).where(~held).order_by(_posts.c.id)
    found: list[int] = []
    for start in range(0, len(post_ids), AT_ONCE):
        some = _posts.c.id.in_(post_ids[start : start + AT_ONCE])
        found += db.execute(query.where(some)).scalars()
    return found


def _of_units(
    db: Connection, units: Sequence[tuple[int, OrganisationKind, Level]], on: date
) -> Iterator[str]:
    for start in range(0, len(units), _KNOWN_AT_ONCE):
        some, whose = units[start : start + _KNOWN_AT_ONCE], Whose(db, on)
        whose.know([unit_id for unit_id, _, _ in some])
        for unit_id, kind, level in some:
            leader = whose.leader_in_charge(unit_id)
            if isinstance(leader, Gap):
                yield leader.words
            if kind in COMMITTEES and level is not Level.VILLAGE:
                yield from _words(whose.subjects(unit_id).values())


def _of_posts(db: Connection, posts: Sequence[int], on: date) -> Iterator[str]:
    for start in range(0, len(posts), _KNOWN_AT_ONCE):
        some, whose = posts[start : start + _KNOWN_AT_ONCE], Whose(db, on)
        whose.know(posts=some)
        yield from (_of_post(whose, post_id) for post_id in some)


def _words(answers: Iterable[object]) -> Iterator[str]:
    return (answer.words for answer in answers if isinstance(answer, Gap))


def _of_post(whose: Whose, post_id: int) -> str:
    held, above = whose.who(post_id), whose.superior(post_id)
    assert isinstance(held, Gap)
    if isinstance(above, Superior):
        return f"{held.words}，上级是{above.seat.name}"
    return f"{held.words}；{above.words}"
