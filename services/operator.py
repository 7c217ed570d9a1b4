"""Who is told what the system cannot mend by itself: a person, found when a process starts."""

from datetime import date

from sqlalchemy import Connection, func, select

from models.account import Account
from models.base import table
from models.organisation import Appointment, Organisation, Post, PostKind
from services.scope import in_force

_accounts = table(Account)
_appointments = table(Appointment)
_organisations = table(Organisation)
_posts = table(Post)


def operator_person(db: Connection, on: date, login: str = "") -> int | None:
    """The person of the account ``login``, or who holds the topmost operator's post on the day.

    None when there is no such account, or nobody holds such a post.
    """
    if login:
        named = select(_accounts.c.person_id).where(_accounts.c.login == login)
        return db.execute(named).scalar()
    topmost = (
        select(_appointments.c.person_id)
        .join(_posts, _posts.c.id == _appointments.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_posts.c.kind == PostKind.OPERATOR, in_force(_appointments.c, on))
        .order_by(func.length(_organisations.c.path), _posts.c.id)
        .limit(1)
    )
    return db.execute(topmost).scalar()
