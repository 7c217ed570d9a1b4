"""What the form of a step is filled with when it is shown: proposals, options, drafts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from models.base import table
from models.casework import Case
from models.organisation import Level, Organisation, Post, PostKind, RelationKind
from policy.calendar import local_day
from policy.completion import LONGEST as MOST_OF_A_CLAIM
from policy.completion import Completion
from services import problem_page
from services.naming import post_within, unit_within
from services.posts import organ
from services.rectification_completion import latest_review
from services.rectification_report import LONGEST, draft_report
from services.rectification_roles import (
    discipline_organ,
    lacks_discipline_organ,
    superior_of,
)
from services.rectification_roles_form import FIELDS, proposed_roles
from services.vacancy import candidates, vacant_post, waits_on

_cases = table(Case)
_organisations = table(Organisation)
_posts = table(Post)
_SUPERVISING = (PostKind.SECRETARY, PostKind.MEMBER, PostKind.HEAD)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose from."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class RolesForm:
    """The four roles of every problem: what is proposed, and what may be chosen for each.

    ``gap``: the discipline organ that the unit lacks, in Chinese; '' for none.
    """

    proposed: dict[str, dict[str, int]]
    options: dict[str, tuple[Option, ...]]
    gap: str


@dataclass(frozen=True, slots=True)
class PlanForm:
    """How far the plan is: tasks, and the numbers of the problems that have none yet."""

    tasks: int
    without: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReportForm:
    """The draft from the data, and how long a report may be."""

    text: str
    longest: int


@dataclass(frozen=True, slots=True)
class HolderForm:
    """Who may be named for a vacant post, and how much waits on it: with none, nobody need be."""

    options: tuple[Option, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class CompletionForm:
    """What may be claimed of a problem, and the last day to look at it again."""

    choices: tuple[str, ...]
    latest: date
    longest: int


Form = RolesForm | PlanForm | ReportForm | HolderForm | CompletionForm | None


def step_form(db: Connection, name: str, case_id: int, on: date) -> Form:
    """What a form is filled with on a day; None for one that needs nothing."""
    if name == "name_holder":
        return _holder(db, case_id, on)
    if name in ("completion", "standing"):
        return CompletionForm(tuple(Completion), latest_review(db, case_id, on), MOST_OF_A_CLAIM)
    fill = _FORMS.get(name)
    return fill(db, case_id) if fill else None


def _roles(db: Connection, case_id: int) -> RolesForm:
    proposed = proposed_roles(db, case_id)
    unit = db.execute(
        select(_cases.c.organisation_id, _cases.c.opened_at, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
        .where(_cases.c.id == case_id)
    ).one()
    used = {field: {roles[field] for roles in proposed.values()} for field in FIELDS}
    named = used["takes_topic"] | used["sets_topic"]
    leaders = _posts_of(db, [unit.organisation_id], named, unit.short_name)
    options = {
        "sets_topic": leaders,
        "takes_topic": leaders,
        "responsible_unit": _departments(db, unit, used["responsible_unit"]),
        "supervisor": _supervisors(db, unit, used["supervisor"]),
    }
    opened = local_day(unit.opened_at)
    return RolesForm(proposed, options, lacks_discipline_organ(db, unit.organisation_id, opened))


def _posts_of(
    db: Connection, organisation_ids: Sequence[int], also: set[int], committee: str
) -> tuple[Option, ...]:
    """The posts of organisations that decide, and those named besides, by rank."""
    own = _posts.c.organisation_id.in_(organisation_ids) & _posts.c.kind.in_(_SUPERVISING)
    rows = db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(own | _posts.c.id.in_(also))
        .order_by(_organisations.c.path, _posts.c.rank, _posts.c.id)
    )
    return tuple(Option(row.id, post_within(committee, row.short_name, row.title)) for row in rows)


def _departments(db: Connection, unit: Row[Any], also: set[int]) -> tuple[Option, ...]:
    """The unit and what stands directly below it, its 居村 left out."""
    own = unit.organisation_id
    below = (_organisations.c.parent_id == own) & (_organisations.c.level != Level.VILLAGE)
    mine = below | _organisations.c.id.in_(also | {own})
    rows = db.execute(
        select(_organisations.c.id, _organisations.c.short_name)
        .where(mine)
        .order_by(_organisations.c.code)
    )
    return tuple(Option(row.id, unit_within(unit.short_name, row.short_name)) for row in rows)


def _supervisors(db: Connection, unit: Row[Any], also: set[int]) -> tuple[Option, ...]:
    on, above = local_day(unit.opened_at), superior_of(db, unit.organisation_id)
    organs = [
        discipline_organ(db, unit.organisation_id, on),
        discipline_organ(db, above, on),
        organ(db, above, RelationKind.INSPECTION_OFFICE, on),
    ]
    return _posts_of(db, organs, also, unit.short_name)


def _plan(db: Connection, case_id: int) -> PlanForm:
    lines = problem_page.lines_of_case(db, case_id)
    return PlanForm(
        sum(line.tasks for line in lines), tuple(line.number for line in lines if not line.tasks)
    )


def _report(db: Connection, case_id: int) -> ReportForm:
    return ReportForm(draft_report(db, case_id), LONGEST)


def _holder(db: Connection, case_id: int, on: date) -> HolderForm:
    named = tuple(Option(one.id, one.name) for one in candidates(db, case_id, on))
    return HolderForm(named, waits_on(db, vacant_post(db, case_id)))


_FORMS: dict[str, Callable[[Connection, int], Form]] = {
    "assign_roles": _roles,
    "task_list": _plan,
    "report": _report,
}
