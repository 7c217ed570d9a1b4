"""The form of ``assign-roles``: four roles for every problem of the case, proposed and checked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from models.base import table
from models.casework import Case, Decision, Slot, Step
from models.organisation import Organisation, Post, RelationKind
from models.problem import Manifestation, ManifestationUnit, Problem, Task
from policy.calendar import local_day
from services.casework import Here, form
from services.errors import Invalid
from services.posts import holder, leader_in_charge, leading_post, organ
from services.rectification_roles import Roles, discipline_organ, superior_of

_cases = table(Case)
_decisions = table(Decision)
_manifestations = table(Manifestation)
_organisations = table(Organisation)
_posts = table(Post)
_problems = table(Problem)
_slots = table(Slot)
_steps = table(Step)
_tasks = table(Task)
_units = table(ManifestationUnit)
FIELDS = ("sets_topic", "takes_topic", "responsible_unit", "supervisor")
"""点题 and 领题 (posts), 责任部门 (an organisation), 监督 (a post): the fields of each problem."""


class RolesIncomplete(Invalid):
    """每个问题都要明确点题、领题、责任部门和监督。"""

    code = "roles_incomplete"


class RoleOutsideUnit(Invalid):
    """点题、领题和责任部门须在被巡察单位之内，监督须是纪检或巡察机构的职务。"""

    code = "role_outside_unit"


class SupervisorIsOwner(Invalid):
    """监督人不能同时是点题人、领题人或责任部门负责人。"""

    code = "supervisor_is_owner"


def proposed_roles(
    db: Connection, case_id: int, on: date | None = None
) -> dict[str, dict[str, int]]:
    """What the form of ``assign-roles`` is filled with, by problem id, ready to be submitted.

    From the plan's tasks where they were imported, else from the units a problem names and the
    portfolios on ``on`` (the day the case was opened). LookupError with the gap named.
    """
    case = db.execute(
        select(_cases.c.organisation_id, _cases.c.opened_at).where(_cases.c.id == case_id)
    ).one()
    unit, day = int(case.organisation_id), on or local_day(case.opened_at)
    sets_topic = leading_post(db, unit)
    watches = leading_post(db, discipline_organ(db, unit, day))
    proposed = {}
    for problem in db.execute(_problems_of(case_id)):
        department = _likely_department(db, problem.id, unit)
        proposed[str(problem.id)] = {
            "sets_topic": sets_topic,
            "takes_topic": _likely_leader(db, problem, department, day) or sets_topic,
            "responsible_unit": department,
            "supervisor": watches,
        }
    return proposed


class LeaderIsHead(Invalid):
    """领题人签署销号申请，不能由提出申请的责任部门负责人兼任。"""

    code = "leader_is_head"


@form("assign_roles")
def check_roles(here: Here, payload: Any) -> dict[str, dict[str, int]]:
    """The roles as they are stored; without a payload what was proposed is accepted.

    :class:`RolesIncomplete`, :class:`RoleOutsideUnit`, :class:`SupervisorIsOwner` or
    :class:`LeaderIsHead`, each with the number of the problem.
    """
    given = proposed_roles(here.db, here.case_id, here.on) if payload is None else payload
    problems = {str(row.id): row.number for row in here.db.execute(_problems_of(here.case_id))}
    if not isinstance(given, Mapping) or not problems or set(given) != set(problems):
        raise RolesIncomplete
    roles = {id_: _complete(given[id_], number) for id_, number in problems.items()}
    posts, units = _owners_within(here)
    watchers = watchers_of(here)
    for id_, role in roles.items():
        inside = {role["sets_topic"], role["takes_topic"]} <= posts
        if (
            not inside
            or role["responsible_unit"] not in units
            or role["supervisor"] not in watchers
        ):
            raise RoleOutsideUnit(problem=problems[id_])
        require_four_eyes(here, role, problems[id_])
    return roles


def save_roles(here: Here) -> dict[str, Any]:
    """Write the roles of the latest ``assign-roles`` onto the problems of the case."""
    decided = here.db.execute(
        select(_decisions.c.payload)
        .join(_steps, _steps.c.id == _decisions.c.step_id)
        .join(_slots, _slots.c.id == _decisions.c.slot_id)
        .where(
            _slots.c.added_to.is_(None),  # whoever was added (加签) fills in nothing
            _steps.c.branch_id == here.branch_id,
            _steps.c.key == "assign-roles",
            _steps.c.voided.is_(False),
        )
        .order_by(_steps.c.round.desc())
        .limit(1)
    ).scalar_one()
    for problem_id, role in decided.items():
        roles = Roles(*(role[field] for field in FIELDS))
        here.db.execute(
            update(_problems).where(_problems.c.id == int(problem_id)).values(asdict(roles))
        )
    return {"problems": len(decided)}


def _problems_of(case_id: int) -> Any:
    return (
        select(_problems.c.id, _problems.c.number, _problems.c.area)
        .where(_problems.c.case_id == case_id)
        .order_by(_problems.c.number)
    )


def _complete(role: Any, number: int) -> dict[str, int]:
    whole = isinstance(role, Mapping) and set(role) == set(FIELDS)
    if not whole or not all(type(role[field]) is int for field in FIELDS):
        raise RolesIncomplete(problem=number)
    return {field: role[field] for field in FIELDS}


def _below(here: Here) -> ColumnElement[bool]:
    unit = select(_organisations.c.path).where(_organisations.c.id == here.organisation_id)
    path = here.db.execute(unit).scalar_one()
    return _organisations.c.path.startswith(path, autoescape=True)


def _owners_within(here: Here) -> tuple[set[int], set[int]]:
    """The posts and units of the inspected unit: itself and what stands below it."""
    units = set(here.db.execute(select(_organisations.c.id).where(_below(here))).scalars())
    posts = select(_posts.c.id).join(_organisations).where(_below(here))
    return set(here.db.execute(posts).scalars()), units


def watchers_of(here: Here) -> set[int]:
    """The posts that may supervise: of discipline organs and inspection office, own and above."""
    unit = here.organisation_id
    above = superior_of(here.db, unit)
    organs = {discipline_organ(here.db, one, here.on) for one in (unit, above)}
    organs.add(organ(here.db, above, RelationKind.INSPECTION_OFFICE, here.on))
    posts = select(_posts.c.id).where(_posts.c.organisation_id.in_(sorted(organs)))
    return set(here.db.execute(posts).scalars())


def require_four_eyes(here: Here, role: Mapping[str, int], number: int) -> None:
    """Nobody signs what they apply for, and nobody verifies what they own, over all posts."""
    head = leading_post(here.db, role["responsible_unit"])
    leads, applies = (_at(here, post) for post in (role["takes_topic"], head))
    if leads & applies:
        raise LeaderIsHead(problem=number)
    if (leads | applies | _at(here, role["sets_topic"])) & _at(here, role["supervisor"]):
        raise SupervisorIsOwner(problem=number)


def _at(here: Here, post_id: int) -> set[tuple[str, int]]:
    """A post and, where it is filled, the person in it."""
    found = holder(here.db, post_id, here.on)
    return {("post", post_id)} | ({("person", found.person_id)} if found else set())


def _likely_department(db: Connection, problem_id: int, unit: int) -> int:
    """The unit that leads most of its tasks, else the first department it names, else the unit."""
    leads = select(_tasks.c.lead_unit_id).where(_tasks.c.problem_id == problem_id)
    named = (
        select(_units.c.unit_id)
        .join(_manifestations, _manifestations.c.id == _units.c.manifestation_id)
        .where(
            _manifestations.c.problem_id == problem_id,
            _units.c.unit_id.is_not(None),
            _units.c.unit_id != unit,
        )
    )
    return _most_common(db, leads) or _most_common(db, named) or unit


def _likely_leader(db: Connection, problem: Any, department: int, on: date) -> int | None:
    leaders = select(_tasks.c.leader_post_id).where(_tasks.c.problem_id == problem.id)
    return _most_common(db, leaders) or leader_in_charge(db, department, problem.area, on)


def _most_common(db: Connection, query: Any) -> int | None:
    counted = Counter(db.execute(query).scalars())
    if not counted:
        return None
    return int(min(counted, key=lambda found: (-counted[found], found)))
