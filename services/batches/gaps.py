"""What an import leaves empty: posts without a holder, organisations without an organ or leader."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy import Connection, exists, select

from models.base import table
from models.organisation import Appointment, Level, OrganisationKind, Post
from services.batches.difference import Difference, Ref
from services.batches.units import AT_ONCE
from services.posts import COMMITTEES
from services.scope import in_force
from services.whose import Gap, Superior, Whose

_appointments, _posts = table(Appointment), table(Post)


def gaps_left(db: Connection, found: Difference, ids: dict[Ref, int], on: date) -> list[str]:
    """The gaps of the units and posts that an import made, in Chinese, each with who is above.

    A vacancy says whose it is to fill; a new unit says which of its four subjects it lacks (R6-2)
    and whether nobody is in charge of it. A post that somebody takes up later is no gap. Read
    after the import was written.
    """
    units = [
        (ids[Ref("organisation", one.key)], one.values["kind"], one.values["level"])
        for one in found.inserts
        if one.table == "organisation"
    ]
    posts = [ids[Ref("post", one.key)] for one in found.inserts if one.table == "post"]
    posts += sorted(found.shifted)
    taken_up = {
        ids[one.values["post_id"]]
        for one in found.inserts
        if one.table == "appointment" and one.values["starts_on"] > on
    }
    posts = _vacant(db, [post_id for post_id in posts if post_id not in taken_up], on)
    whose = Whose(db, on)
    whose.know([unit_id for unit_id, _, _ in units], posts)
    told = [*_of_units(whose, units), *(_of_post(whose, post_id) for post_id in posts)]
    return list(dict.fromkeys(words for words in told if words))


def _vacant(db: Connection, post_ids: Sequence[int], on: date) -> list[int]:
    """Those that nobody holds."""
    held = exists().where(_appointments.c.post_id == _posts.c.id, in_force(_appointments.c, on))
    query = select(_posts.c.id).where(~held).order_by(_posts.c.id)
    found: list[int] = []
    for start in range(0, len(post_ids), AT_ONCE):
        some = _posts.c.id.in_(post_ids[start : start + AT_ONCE])
        found += db.execute(query.where(some)).scalars()
    return found


def _of_units(whose: Whose, units: Sequence[tuple[int, OrganisationKind, Level]]) -> Iterator[str]:
    for unit_id, kind, level in units:
        leader = whose.leader_in_charge(unit_id)
        if isinstance(leader, Gap):
            yield leader.words
        if kind in COMMITTEES and level is not Level.VILLAGE:
            yield from _words(whose.subjects(unit_id).values())


def _words(answers: Iterable[object]) -> Iterator[str]:
    return (answer.words for answer in answers if isinstance(answer, Gap))


def _of_post(whose: Whose, post_id: int) -> str:
    held, above = whose.who(post_id), whose.superior(post_id)
    assert isinstance(held, Gap)
    if isinstance(above, Superior):
        return f"{held.words}，上级是{above.seat.name}"
    return f"{held.words}；{above.words}"
