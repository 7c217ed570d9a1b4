"""What the step of a vacancy is about, in few words: the post, and how much waits on it."""

from collections.abc import Collection

from sqlalchemy import Connection, and_, func, select

from models.base import table
from models.casework import Slot, SlotState
from models.organisation import Organisation, Post
from models.vacancy import Vacancy
from services.catalogue import translated
from services.scope import post_name

_organisations = table(Organisation)
_posts = table(Post)
_slots = table(Slot)
_vacancies = table(Vacancy)


def subjects(db: Connection, case_ids: Collection[int]) -> dict[int, str]:
    """``城管办主任缺位，9 项待办等候`` by case."""
    if not case_ids:
        return {}
    waits = and_(_slots.c.post_id == _posts.c.id, _slots.c.state == SlotState.OPEN)
    rows = db.execute(
        select(
            _vacancies.c.case_id,
            _posts.c.title,
            _organisations.c.short_name,
            func.count(_slots.c.id).label("n"),
        )
        .join(_posts, _posts.c.id == _vacancies.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .outerjoin(_slots, waits)
        .where(_vacancies.c.case_id.in_(sorted(set(case_ids))))
        .group_by(_vacancies.c.case_id, _posts.c.title, _organisations.c.short_name)
    )
    return {
        row.case_id: translated(
            "vacancy of %(post)s, %(n)s wait", post=post_name(row.short_name, row.title), n=row.n
        )
        for row in rows
    }
