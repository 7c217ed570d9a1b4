"""The offices that serve an organisation and lead its cases: inspection and Party office."""

from contextlib import suppress
from datetime import date

from sqlalchemy import Connection, select

from models.base import table
from models.organisation import Organisation, RelationKind
from services.posts import leading_post, organ

_OFFICES = (RelationKind.INSPECTION_OFFICE, RelationKind.PARTY_OFFICE)
_organisations = table(Organisation)


def serving_offices(db: Connection, organisation_id: int, path: str, on: date) -> frozenset[int]:
    """The posts that lead them on a day, without an office that is the organisation's own.

    ``path``: the organisation's.
    """
    found = (_office(db, organisation_id, kind, path, on) for kind in _OFFICES)
    return frozenset(post_id for post_id in found if post_id is not None)


def _office(
    db: Connection, organisation_id: int, kind: RelationKind, path: str, on: date
) -> int | None:
    with suppress(LookupError):
        office = organ(db, organisation_id, kind, on)
        own = select(_organisations.c.path).where(_organisations.c.id == office)
        if not str(db.execute(own).scalar_one()).startswith(path):
            return leading_post(db, office)
    return None
