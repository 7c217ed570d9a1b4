"""Who commands a case from above: ends it before its time (终止), pauses it (暂停).

It is for the office that opens such cases for the unit (inspection or Party office, where it is not
the unit's own), and for the unit's superiors in line (CK-8). A discipline organ supervises and
commands none but its own line. Being asked in a case gives no right to command it.
"""

from contextlib import suppress
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.casework import Case
from models.organisation import Organisation, OrganisationKind, Post
from services.errors import NotFound
from services.offices import serving_offices
from services.posts import leading_post, superiors
from services.scope import HeldPost, Standing, visible_case

_DISCIPLINE = (OrganisationKind.DISCIPLINE, OrganisationKind.STATIONED)
_cases = table(Case)
_organisations = table(Organisation)
_posts = table(Post)


def case_of(db: Connection, case_id: int) -> Row[Any] | None:
    """A case with its organisation, as :func:`commands` needs it."""
    columns = (_cases.c[name] for name in ("number", "mechanism", "organisation_id", "state"))
    return db.execute(
        select(*columns, *(_organisations.c[name] for name in ("short_name", "path", "kind")))
        .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
        .where(_cases.c.id == case_id)
    ).first()


def seen_case(db: Connection, who: Standing, case_id: int) -> Row[Any]:
    """:func:`case_of` for who may see it; NotFound for everybody else."""
    visible_case(db, who, case_id)
    case = case_of(db, case_id)
    if case is None:
        raise NotFound
    return case


def commands(db: Connection, who: Standing, case: Row[Any]) -> HeldPost | None:
    """The post by which this person commands the case; who also holds a post in the unit, or
    stands in for somebody there, has none."""
    concerned = *who.posts, *(one.post for one in who.behalf)
    if any(post.path.startswith(case.path) for post in concerned):
        return None
    allowed = {*_superiors(db, case, who.on)}
    allowed |= serving_offices(db, case.organisation_id, case.path, who.on)
    return next((post for post in who.posts if post.id in allowed), None)


def _superiors(db: Connection, case: Row[Any], on: date) -> list[int]:
    with suppress(LookupError):
        above = superiors(db, leading_post(db, case.organisation_id), on)
        of = select(_posts.c.id).join(
            _organisations, _organisations.c.id == _posts.c.organisation_id
        )
        if case.kind not in _DISCIPLINE:
            of = of.where(_organisations.c.kind.not_in(_DISCIPLINE))
        return list(db.execute(of.where(_posts.c.id.in_(above))).scalars())
    return []
