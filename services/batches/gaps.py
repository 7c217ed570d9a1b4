"""What an import leaves empty: posts without a holder, organisations without an organ or leader."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy import Connection

from models.organisation import Level, OrganisationKind
from services.batches.difference import Difference, Ref
from services.posts import COMMITTEES
from services.whose import Gap, Superior, Whose


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
    posts = [post_id for post_id in posts if post_id not in taken_up]
    whose = Whose(db, on)
    whose.know([unit_id for unit_id, _, _ in units], posts)
    told = [*_of_units(whose, units), *(_of_post(whose, post_id) for post_id in posts)]
    return list(dict.fromkeys(words for words in told if words))


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
    held = whose.who(post_id)
    if not isinstance(held, Gap):
        return ""
    above = whose.superior(post_id)
    if isinstance(above, Superior):
        return f"{held.words}，上级是{above.seat.name}"
    return f"{held.words}；{above.words}"
