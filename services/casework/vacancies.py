"""缺位 as cases (rule O): one for each vacant post that work waits on, whatever waits there.

Every process tends them beside its drain: a vacancy that was noted gets its case, one whose post is
held again is ended, and what waits on an abolished post goes to its successor. Terms begin and end
by the day: so every open slot is looked at by the watch. Each is done under its own lock.
"""

import logging
import secrets
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, and_, bindparam, exists, or_, select, update

from models.audit import Command
from models.base import table
from models.casework import Origin, Slot, SlotState, Step, StepState
from models.organisation import Appointment, Post
from models.vacancy import Vacancy
from policy.calendar import local_day
from services.batch import each_apart
from services.casework.branch import branches, cases, known_edition, lock_branch
from services.casework.gap import heirs, note_vacant
from services.casework.opening import new_case, root_of, start_case
from services.casework.replay import advance
from services.casework.rerouting import reroute
from services.casework.steps import OVERTAKEN, end_step
from services.command import SYSTEM, Work, execute
from services.database import reading
from services.env import Env
from services.errors import NotFound
from services.handover import hand_over_begun
from services.numbering import next_number
from services.scope import in_force

MECHANISM, SERIES = "vacancy", "缺位"
_appointments = table(Appointment)
_commands = table(Command)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)
_vacancies = table(Vacancy)
_log = logging.getLogger(__name__)
_ON: ColumnElement[Any] = bindparam("p_on", type_=Date)


def _held(post_id: ColumnElement[int]) -> ColumnElement[bool]:
    of_post = _appointments.c.post_id == post_id, in_force(_appointments.c, _ON)
    return exists().where(*of_post)


_open = _vacancies.c.ended_at.is_(None)
_abolished = exists().where(_posts.c.id == _vacancies.c.post_id, _posts.c.successor_id.is_not(None))
_over = or_(_held(_vacancies.c.post_id), _abolished)
_NOTED = select(_vacancies.c.id).where(_open, _vacancies.c.case_id.is_(None), ~_over)
_FILLED = (
    select(_vacancies.c.id, _vacancies.c.case_id)
    .outerjoin(cases, cases.c.id == _vacancies.c.case_id)
    .where(_open, _over)
)
_LEFT_OVER = (
    select(_slots.c.branch_id)
    .join(_posts, _posts.c.id == _slots.c.post_id)
    .join(branches, branches.c.id == _slots.c.branch_id)
    .join(cases, cases.c.id == branches.c.case_id)
    .where(_posts.c.successor_id.is_not(None), _slots.c.state == SlotState.OPEN)
    .distinct()
    .order_by(_slots.c.branch_id)
)
_WAITED_FOR = (
    select(_slots.c.post_id)
    .join(_posts, _posts.c.id == _slots.c.post_id)
    .where(
        _slots.c.state == SlotState.OPEN,
        _posts.c.successor_id.is_(None),
        ~_held(_slots.c.post_id),
        ~exists().where(_open, _vacancies.c.post_id == _slots.c.post_id),
    )
    .distinct()
    .order_by(_slots.c.post_id)
)


def tend(env: Env, limit: int = 100) -> int:
    """Bring up to ``limit`` vacancies and branches each to where they should be; how many were.

    What another version of the mechanism would have to do is left to it (rule F).
    """
    with reading(env.engine) as db:
        today = {"p_on": local_day(env.clock())}
        known = or_(cases.c.id.is_(None), known_edition(env))
        filled = db.execute(_FILLED.where(known).limit(limit), today).all()
        noted: list[int] = []
        if any(name == MECHANISM for name, _ in env.mechanisms):
            noted = list(db.execute(_NOTED.order_by(_vacancies.c.id).limit(limit), today).scalars())
        moved = list(db.execute(_LEFT_OVER.where(known_edition(env)).limit(limit)).scalars())
    return (
        each_apart(_log, filled, lambda row: _end(env, row.id, row.case_id))
        + each_apart(_log, noted, lambda vacancy_id: _open_case(env, vacancy_id))
        + each_apart(_log, moved, lambda branch_id: _follow(env, branch_id))
    )


def find_vacancies(env: Env) -> int:
    """Note the posts that are vacant today while something waits on them; how many. Whoever took
    one over by the day is handed what is open.

    Once a day, and again whenever a post was missed: what opened a step while its post's holder was
    leaving saw them there still, and who let them go saw nothing wait.
    """
    on = local_day(env.clock())
    done_today = f"vacancies:{on.isoformat()}"

    def act(work: Work) -> dict[str, int]:
        found = list(work.db.execute(_WAITED_FOR, {"p_on": work.today}).scalars())
        for post_id in found:
            note_vacant(work, post_id)
        return {"posts": len(found), "lists": hand_over_begun(work)}

    with reading(env.engine) as db:
        done = db.execute(select(_commands.c.id).where(_commands.c.key == done_today)).first()
        if done and db.execute(_WAITED_FOR.limit(1), {"p_on": on}).first() is None:
            return 0
    key = f"{done_today}:{secrets.token_hex(8)}" if done else done_today
    return int(execute(env, SYSTEM, "vacancy.find", key, {}, act)["posts"])


def fill(work: Work, post_id: int) -> None:
    """End the vacancy of a post by its own case, whose branch is locked."""
    of_post = _vacancies.c.post_id == post_id, _open
    work.db.execute(update(_vacancies).where(*of_post).values(ended_at=work.now))


def _open_case(env: Env, vacancy_id: int) -> int:
    """The vacancy's row is taken once, so a new key doubles nothing."""

    def act(work: Work) -> dict[str, int]:
        row = work.db.execute(_still(vacancy_id, _vacancies.c.case_id.is_(None))).first()
        if row is None:
            raise NotFound(vacancy=vacancy_id)
        of_post = select(_posts.c.organisation_id).where(_posts.c.id == row.post_id)
        case_id = new_case(
            work,
            mechanism=MECHANISM,
            organisation_id=work.db.execute(of_post).scalar_one(),
            number=next_number(work, SERIES),
        )
        mine = _vacancies.c.id == vacancy_id
        work.db.execute(update(_vacancies).where(mine).values(case_id=case_id))
        start_case(work, case_id)
        return {"case": case_id}

    execute(env, SYSTEM, "vacancy.open", _key("open", vacancy_id), {"vacancy": vacancy_id}, act)
    return 1


def _end(env: Env, vacancy_id: int, case_id: int | None) -> int:
    """The post is held again, or is no more: nobody has to name a holder. Branch before vacancy,
    as a decision on it does."""

    def act(work: Work) -> dict[str, int]:
        branch = lock_branch(work, root_of(work.db, case_id)) if case_id is not None else None
        if work.db.execute(_still(vacancy_id, _over), {"p_on": work.today}).first() is None:
            raise NotFound(vacancy=vacancy_id)
        mine = _vacancies.c.id == vacancy_id
        work.db.execute(update(_vacancies).where(mine).values(ended_at=work.now))
        if branch is not None and branch.case_open:
            for step_id in work.db.execute(_asked_in(branch.id)).scalars().all():
                end_step(branch, step_id, StepState.CLOSED, OVERTAKEN)
            advance(branch)
            branch.save()
        return {"vacancy": vacancy_id}

    execute(env, SYSTEM, "vacancy.end", _key("end", vacancy_id), {"vacancy": vacancy_id}, act)
    return 1


def _follow(env: Env, branch_id: int) -> int:
    """What waits in a branch on abolished posts goes to their successors."""

    def act(work: Work) -> dict[str, int]:
        branch = lock_branch(work, branch_id, skip_locked=True)
        query = select(_slots.c.id, _slots.c.post_id).where(
            _slots.c.branch_id == branch_id, _slots.c.state == SlotState.OPEN
        )
        rows = work.db.execute(query.order_by(_slots.c.id)).all()
        heir_of = heirs(work.db, [row.post_id for row in rows])
        moved = sum(
            reroute(branch, row.id, heir_of[row.post_id]) for row in rows if row.post_id in heir_of
        )
        branch.save()
        return {"slots": moved}

    body = {"branch": branch_id}
    return int(execute(env, SYSTEM, "slot.follow", _key("follow", branch_id), body, act)["slots"])


def _still(vacancy_id: int, condition: ColumnElement[bool]) -> Select[Any]:
    mine = and_(_vacancies.c.id == vacancy_id, _open, condition)
    return select(_vacancies.c.post_id).where(mine).with_for_update(skip_locked=True)


def _asked_in(branch_id: int) -> Select[tuple[int]]:
    waits = _steps.c.state == StepState.OPEN, _steps.c.origin == Origin.SCRIPT
    return select(_steps.c.id).where(_steps.c.branch_id == branch_id, *waits)


def _key(act: str, about: int) -> str:
    return f"vacancy.{act}:{about}:{secrets.token_hex(8)}"
