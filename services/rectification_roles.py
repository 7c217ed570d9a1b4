"""Whose each step of a rectification is (R4.5-1): the posts behind 点题, 领题, 责任部门 and 监督.

A step is asked of a post; who holds it is looked up when it is shown and decided (rule O). Every
function raises ``LookupError`` with the gap named when the organisation lacks the post: the branch
is then blocked and tried again, and nobody is skipped.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, bindparam, select

from models.base import table
from models.organisation import Organisation, PostKind, RelationKind
from models.problem import Problem, Task
from services.casework import Here
from services.posts import (
    leader_in_charge,
    leading_post,
    leading_post_within,
    organ,
    post_of_kind,
    post_of_kind_within,
)

_organisations = table(Organisation)
_problems = table(Problem)
_tasks = table(Task)
_POSTS_OF_TASK = (
    select(
        _tasks.c.lead_unit_id,
        _tasks.c.leader_post_id,
        _problems.c.responsible_unit_id,
        leading_post_within(_tasks.c.lead_unit_id).label("head"),
        leading_post_within(_problems.c.responsible_unit_id).label("judge"),
        post_of_kind_within(_tasks.c.lead_unit_id, PostKind.CLERK).label("clerk"),
    )
    .join(_problems, _problems.c.id == _tasks.c.problem_id)
    .where(_tasks.c.id == bindparam("p_task"))
)
_REVIEWERS = (RelationKind.ORGANISATION_DEPT, RelationKind.INSPECTION_OFFICE)


def inspected_secretary(here: Here) -> int:
    """点题 is the main leader's: the post that leads the inspected unit."""
    return leading_post(here.db, here.organisation_id)


def inspected_clerk(here: Here) -> int:
    """The inspected unit's clerk (联络员), or its leading post where it has none."""
    return clerk_or_leader(here.db, here.organisation_id)


def reviewers(here: Here) -> list[int]:
    """Discipline commission, organisation department, inspection office one level up (R4.5-9)."""
    above = superior_of(here.db, here.organisation_id)
    organs = [discipline_organ(here.db, above, here.on)]
    organs += [organ(here.db, above, kind, here.on) for kind in _REVIEWERS]
    return [leading_post(here.db, organ_id) for organ_id in organs]


def leader_in_charge_of_unit(here: Here) -> int:
    """The superior leader in charge (分管) of the inspected unit, or that committee's head."""
    found = leader_in_charge(here.db, here.organisation_id, None, here.on)
    own = leading_post(here.db, here.organisation_id)
    if found is not None and found != own:
        return found
    return leading_post(here.db, superior_of(here.db, here.organisation_id))


def responsible_department(here: Here) -> int:
    """The head of the department that puts the problem of this branch right (责任部门)."""
    return leading_post(here.db, _roles(here.db, here.row).responsible_unit_id)


def topic_taker(here: Here) -> int:
    """领题: the leader who answers for the problem and signs what is to be closed (R4.5-4)."""
    return _roles(here.db, here.row).takes_topic_post_id


def supervisor(here: Here) -> int:
    """监督: who verifies; never one of the problem's owners (CK-14)."""
    return _roles(here.db, here.row).supervisor_post_id


def task_doer(here: Here) -> int:
    """Who reports that a task is done: the head of its lead unit.

    Where the lead unit is the responsible department itself, its clerk reports and its head
    confirms, so that nobody confirms their own work.
    """
    return _pair(here)[0]


def task_confirmer(here: Here) -> int:
    """Who confirms it: the head of the responsible department, or the task's leader.

    The leader (责任领导) is asked where the lead unit is the responsible department and has nobody
    but its head to report.
    """
    return _pair(here)[1]


def clerk_or_leader(db: Connection, organisation_id: int) -> int:
    """A unit's clerk, or its leading post where it has none; LookupError without either."""
    try:
        return post_of_kind(db, organisation_id, PostKind.CLERK)
    except LookupError:
        return leading_post(db, organisation_id)


def superior_of(db: Connection, organisation_id: int) -> int:
    """The organisation one level up; LookupError at the top of the tree."""
    query = select(_organisations.c.parent_id).where(_organisations.c.id == organisation_id)
    parent = db.execute(query).scalar()
    if parent is None:
        raise LookupError(f"organisation {organisation_id} has nobody above it")
    return int(parent)


def discipline_organ(db: Connection, organisation_id: int, on: date) -> int:
    """The discipline organ of a unit or, while it has none of its own, of the nearest one above.

    A 党组 whose 派驻机构 is missing (R6-2) is watched from above until it has one: a case does not
    wait for that. LookupError with the unit's gap where nobody above has one either.
    """
    try:
        return organ(db, organisation_id, RelationKind.DISCIPLINE, on)
    except LookupError:
        try:
            return discipline_organ(db, superior_of(db, organisation_id), on)
        except LookupError:
            pass
        raise


def lacks_discipline_organ(db: Connection, organisation_id: int, on: date) -> str:
    """That a unit has no discipline organ now, by its name, in Chinese; '' where it has one."""
    try:
        organ(db, organisation_id, RelationKind.DISCIPLINE, on)
    except LookupError as gap:
        return str(gap)
    return ""


@dataclass(frozen=True, slots=True)
class Roles:
    """The four roles of a problem."""

    sets_topic_post_id: int
    takes_topic_post_id: int
    responsible_unit_id: int
    supervisor_post_id: int


def roles_of(db: Connection, problem_id: int) -> Roles | None:
    """The roles of a problem, None while they are not assigned; LookupError if it is missing."""
    query = select(
        _problems.c.sets_topic_post_id,
        _problems.c.takes_topic_post_id,
        _problems.c.responsible_unit_id,
        _problems.c.supervisor_post_id,
    ).where(_problems.c.id == problem_id)
    row = db.execute(query).first()
    if row is None:
        raise LookupError(f"there is no problem {problem_id}")
    return None if None in row else Roles(*row)


def _roles(db: Connection, problem_id: int) -> Roles:
    found = roles_of(db, problem_id)
    if found is None:
        raise LookupError(f"problem {problem_id} has no roles yet")
    return found


def _pair(here: Here) -> tuple[int, int]:
    task = here.db.execute(_POSTS_OF_TASK, {"p_task": here.row}).one()
    head = task.head or leading_post(here.db, task.lead_unit_id)
    if task.lead_unit_id != task.responsible_unit_id:
        return head, task.judge or leading_post(here.db, task.responsible_unit_id)
    reports = task.clerk or head
    return (reports, head) if reports != head else (head, task.leader_post_id)
