"""Which accounts an administrator sees, and which are theirs to act on, as SQL conditions."""

from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select

from models.account import Administrator
from models.base import table
from models.organisation import Appointment, Organisation, Post
from models.substitution import Substitution
from services.scope import in_force

_administrators = table(Administrator)
_appointments = table(Appointment)
_organisations = table(Organisation)
_posts = table(Post)
_substitutions = table(Substitution)


def account_in(path: str, person: ColumnElement[int], on: date) -> ColumnElement[bool]:
    """Whether an administrator at ``path`` sees the account of a person: those they answer for, and
    who is, or was, an administrator below: what they did stays to be read."""
    below = (
        select(_administrators.c.id)
        .join(_organisations, _organisations.c.id == _administrators.c.organisation_id)
        .where(
            _administrators.c.person_id == person,
            _organisations.c.path.startswith(path, autoescape=True),
        )
    )
    return or_(answers_for(path, person, on), below.exists())


def held_below(
    path: str, person: ColumnElement[int], on: ColumnElement[date]
) -> ColumnElement[bool]:
    """Whether a person held posts at ``path`` or below it on a day, and none elsewhere: what was
    done then stays with the administrator there, wherever the person moved."""
    held = (
        select(_appointments.c.id)
        .join(_posts, _posts.c.id == _appointments.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_appointments.c.person_id == person, in_force(_appointments.c, on))
    )
    here = _organisations.c.path.startswith(path, autoescape=True)
    return and_(held.where(here).exists(), ~held.where(~here).exists())


def answers_for(path: str, person: ColumnElement[int], on: date) -> ColumnElement[bool]:
    """Whether an administrator at ``path`` may act on the account of a person.

    Everything the person holds, is to hold, or stands in for is below, or what they held last; one
    post elsewhere, and a password set here would open what is not to be seen from here. No
    administrator acts on another's.
    """
    held = (
        select(_appointments.c.id)
        .join(_posts, _posts.c.id == _appointments.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_appointments.c.person_id == person)
    )
    here = _organisations.c.path.startswith(path, autoescape=True)
    administrator = select(_administrators.c.id).where(
        _administrators.c.person_id == person, _administrators.c.ended_at.is_(None)
    )
    coming = or_(_appointments.c.ends_on.is_(None), _appointments.c.ends_on > on)
    stands_in = (
        select(_substitutions.c.id)
        .join(_posts, _posts.c.id == _substitutions.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(
            _substitutions.c.substitute_id == person,
            _substitutions.c.ended_at.is_(None),
            _substitutions.c.ends_on > on,
        )
    )
    return and_(
        held.where(here).exists(),
        ~held.where(~here, coming).exists(),
        ~stands_in.where(~here).exists(),
        ~administrator.exists(),
    )
