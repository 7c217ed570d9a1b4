"""巡视巡察整改 (R4.5-1, R4.5-4, R4.5-9): its start, its rows, who verifies, how it ends."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, exists, func, select, update

from models.base import table
from models.ledger import LedgerTask
from models.organisation import Organisation, RelationKind
from models.problem import Problem, ProblemState, Task, TaskState
from services.casework import Here, form, new_case, start_case
from services.casework.four_eyes import posts_of_interest
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.numbering import next_number
from services.posts import leading_post, organ
from services.rectification_roles import clerk_or_leader, roles_of, superior_of
from services.scope import standing

MECHANISM = "rectification"
SERIES = "巡改"
"""The series of a rectification's document number."""
_organisations = table(Organisation)
_problems = table(Problem)
_tasks = table(Task)
_told = table(LedgerTask)
_DUE_ON = select(_tasks.c.due_on).where(_tasks.c.id == bindparam("p_task"))
_FIRST_DUE_ON = select(func.coalesce(_tasks.c.original_due_on, _tasks.c.due_on)).where(
    _tasks.c.id == bindparam("p_task")
)


class NoProblems(Invalid):
    """该单位没有待整改的反馈问题，请先导入问题清单。"""

    code = "no_problems"


class NobodyAbove(Invalid):
    """该单位在系统中没有上级党组织，整改方案无人会审和审批，不能启动整改。"""

    code = "nobody_above"


class OwnerCannotVerify(NotAuthorised):
    """您的其他任职或者您所代的人承担这一问题的整改责任，按规定须由其他人核验。"""

    code = "owner_cannot_verify"


def start(
    env: Env,
    actor: Actor,
    *,
    organisation_id: int,
    batch: str,
    key: str,
    urgent: bool = False,
) -> int:
    """Open the rectification of a unit's imported feedback ``batch``; the id of the case.

    By the unit itself, its Party office, or the inspection or Party office one level up; the
    system may too. :class:`NoProblems` when the batch has none that is not in a case already.
    """
    body = {"organisation": organisation_id, "batch": batch, "urgent": urgent}

    def act(work: Work) -> Mapping[str, Any]:
        _require_launcher(work, organisation_id)
        return {"case": start_within(work, organisation_id, batch, urgent=urgent)}

    return int(execute(env, actor, "rectification.start", key, body, act, rows=("R4.5-1",))["case"])


def start_within(work: Work, organisation_id: int, batch: str, *, urgent: bool = False) -> int:
    """Open the case inside a command that has checked the authority (an import that starts it).

    :class:`NobodyAbove` for the top of the tree: nobody could review or approve its plan.
    """
    require_superior(work, organisation_id)
    mine = _waiting(organisation_id, batch)
    if work.db.execute(select(_problems.c.id).where(mine).with_for_update()).first() is None:
        raise NoProblems
    case_id = new_case(
        work,
        mechanism=MECHANISM,
        organisation_id=organisation_id,
        number=next_number(work, SERIES),
        urgent=urgent,
    )
    work.db.execute(update(_problems).where(mine).values(case_id=case_id))
    start_case(work, case_id)
    return case_id


def require_superior(work: Work, organisation_id: int) -> None:
    """:class:`NobodyAbove` for the top of the tree."""
    above = select(_organisations.c.parent_id).where(_organisations.c.id == organisation_id)
    if work.db.execute(above).scalar() is None:
        raise NobodyAbove


def problems_of_case(here: Here) -> list[int]:
    """The open problems of the case, in the order of the feedback."""
    mine = _problems.c.case_id == here.case_id, _problems.c.state == ProblemState.OPEN
    return _ids(here.db, select(_problems.c.id).where(*mine).order_by(_problems.c.number))


def tasks_of_problem(here: Here) -> list[int]:
    """The published tasks of the problem of this branch, in the order of the plan.

    Not a long-term one that had taken hold when the case was taken over.
    """
    done = exists().where(_told.c.task_id == _tasks.c.id, _told.c.done_on.is_not(None))
    mine = _tasks.c.problem_id == here.row, _tasks.c.state == TaskState.PUBLISHED, ~done
    return _ids(here.db, select(_tasks.c.id).where(*mine).order_by(_tasks.c.id))


def original_of_task(here: Here) -> date:
    """The first date that the plan set for the task of this branch (原定完成时限)."""
    first: date = here.db.execute(_FIRST_DUE_ON, {"p_task": here.row}).scalar_one()
    return first


def due_of_task(here: Here) -> date:
    """The date the plan set for the task of this branch (完成时限)."""
    due_on: date = here.db.execute(_DUE_ON, {"p_task": here.row}).scalar_one()
    return due_on


def move_task(here: Here, until: date) -> None:
    """Give the task of this branch another date (延期); its first one stays (原定完成时限)."""
    first = func.coalesce(_tasks.c.original_due_on, _tasks.c.due_on)
    moved = update(_tasks).where(_tasks.c.id == here.row)
    here.db.execute(moved.values(due_on=until, original_due_on=first))


def confirm(here: Here) -> dict[str, str]:
    """Note that a task is done. A long-term one (长期坚持) has taken hold, and stays in force."""
    here.db.execute(
        update(_tasks)
        .where(_tasks.c.id == here.row, _tasks.c.long_term.is_(False))
        .values(state=TaskState.CONFIRMED)
    )
    query = select(_tasks.c.state).where(_tasks.c.id == here.row)
    return {"state": TaskState(here.db.execute(query).scalar_one()).value}


@form("verify")
def check_verify(here: Here, payload: Any) -> Any:
    """The payload as it is; :class:`OwnerCannotVerify` for a holder of one of the owners' posts.

    ``apart_from`` keeps out who decided an earlier step of the problem; this keeps out who holds an
    owner's post beside the supervisor's and decided nothing yet, and who stands in for such a
    person, whichever of the two posts is verified by (CK-14, trap 11).
    """
    if here.by is not None and _owners(here) & posts_of_interest(
        here.db, here.by, here.on, MECHANISM
    ):
        raise OwnerCannotVerify
    return payload


def close(here: Here) -> dict[str, str]:
    """End a problem: 长期坚持 when all that remains of it is long-term, otherwise 销号.

    ValueError while a task that ends is not confirmed (it would be closed unfinished).
    """
    query = select(_tasks.c.long_term).where(
        _tasks.c.problem_id == here.row, _tasks.c.state == TaskState.PUBLISHED
    )
    remaining = here.db.execute(query).scalars().all()
    if not all(remaining):
        raise ValueError(f"problem {here.row} has tasks that are not confirmed")
    state = ProblemState.LONG_TERM if remaining else ProblemState.CLOSED
    here.db.execute(update(_problems).where(_problems.c.id == here.row).values(state=state))
    return {"state": state.value}


def _owners(here: Here) -> set[int]:
    roles = roles_of(here.db, here.row)
    tasks = here.db.execute(
        select(_tasks.c.leader_post_id, _tasks.c.lead_unit_id).where(
            _tasks.c.problem_id == here.row
        )
    ).all()
    units = {task.lead_unit_id for task in tasks}
    owners = {task.leader_post_id for task in tasks}
    if roles is not None:
        units.add(roles.responsible_unit_id)
        owners |= {roles.sets_topic_post_id, roles.takes_topic_post_id}
    for unit in units:
        owners |= {leading_post(here.db, unit), clerk_or_leader(here.db, unit)}
    return owners


def _waiting(organisation_id: int, batch: str) -> ColumnElement[bool]:
    return (
        (_problems.c.organisation_id == organisation_id)
        & (_problems.c.batch == batch)
        & (_problems.c.case_id.is_(None))
    )


def _ids(db: Connection, query: Select[Any]) -> list[int]:
    return [int(found) for found in db.execute(query).scalars()]


def _require_launcher(work: Work, organisation_id: int) -> None:
    if work.actor.person_id is None:
        return
    who = standing(work.db, work.actor.person_id, work.today)
    mine = {post.organisation_id for post in who.posts}
    if not mine & _launchers(work, organisation_id):
        raise NotAuthorised


def _launchers(work: Work, organisation_id: int) -> set[int]:
    try:
        above = superior_of(work.db, organisation_id)
    except LookupError:  # the top of the tree, or nothing at all
        return {organisation_id}
    wanted = (
        (organisation_id, RelationKind.PARTY_OFFICE),
        (above, RelationKind.PARTY_OFFICE),
        (above, RelationKind.INSPECTION_OFFICE),
    )
    found = {organisation_id}
    for of, kind in wanted:
        with suppress(LookupError):  # a unit without that office: one launcher less
            found.add(organ(work.db, of, kind, work.today))
    return found
