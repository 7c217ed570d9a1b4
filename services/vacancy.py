"""缺位: whose the naming of a holder is, and what the answer does (rule O).

The superior in line names who takes the post over; where nothing waits on it any more, they may
leave it unfilled (暂不配备). A holder who comes another way (任职登记, import) ends it as well.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from models.base import table
from models.casework import Decision, Slot, SlotState, Step
from models.organisation import Appointment, Organisation, Person, Post
from models.vacancy import Vacancy
from services.appointing import Abolished, Held, begin
from services.casework import Here, form
from services.casework.vacancies import fill
from services.errors import Invalid
from services.posts import COMMITTEES, holders, operator_post, superiors
from services.scope import in_force, post_name

_appointments = table(Appointment)
_decisions = table(Decision)
_organisations = table(Organisation)
_people = table(Person)
_posts = table(Post)
_slots = table(Slot)
_steps = table(Step)
_vacancies = table(Vacancy)
ASKED = "name-holder"
"""The key of the step in the script."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be named: a holder of another post of the unit, or of one above."""

    id: int
    name: str


def who_names(here: Here) -> int:
    """The nearest superior of the vacant post who is there, or else the 系统运维员.

    LookupError when the tree has neither: the case is then blocked, and tried again.
    """
    vacant = vacant_post(here.db, here.case_id)
    above = list(dict.fromkeys(_asked_in_turn(here, vacant)))
    held = holders(here.db, above, here.on)
    if not above:
        raise LookupError(f"职务 {vacant} 没有上级")
    return next((post_id for post_id in above if post_id in held), above[0])


def settle(here: Here) -> dict[str, int | None]:
    """Appoint who was named, from today on and, where somebody is registered for later, until then;
    None: the post is left unfilled. Whoever was appointed meanwhile stays, and an abolished post
    gets nobody.
    """
    post_id = vacant_post(here.db, here.case_id)
    answer = here.db.execute(
        select(_decisions.c.payload)
        .join(_steps, _steps.c.id == _decisions.c.step_id)
        .join(_slots, _slots.c.id == _decisions.c.slot_id)
        .where(_steps.c.branch_id == here.branch_id, _steps.c.key == ASKED)
        .where(_slots.c.added_to.is_(None))  # whoever was added (加签) fills in nothing
        .order_by(_decisions.c.id.desc())
    )
    person_id = (answer.scalars().first() or {}).get("person")
    if person_id is not None:
        with suppress(Held, Abolished):
            begin(here.work, post_id, person_id, here.on, until_next=True)
    fill(here.work, post_id)
    return {"person": person_id}


@form("name_holder")
def check_holder(here: Here, payload: Any) -> dict[str, int | None]:
    """``{"person": id}``; None leaves the post unfilled, which nothing may wait on. Invalid."""
    person_id = payload.get("person") if isinstance(payload, dict) else None
    post_id = vacant_post(here.db, here.case_id)
    if post_id in holders(here.db, [post_id], here.on):
        raise Invalid("此职务已有人担任，这一项即将自动结束。", field="person")
    if person_id is None:
        waiting = waits_on(here.db, post_id)
        if waiting:
            raise Invalid(f"还有 {waiting} 项待办在等这个职务，请指定接任人。", field="person")
    elif person_id not in {one.id for one in candidates(here.db, here.case_id, here.on)}:
        raise Invalid("请从名单中选择接任人。", field="person")
    return {"person": person_id}


def candidates(db: Connection, case_id: int, on: date) -> tuple[Candidate, ...]:
    """Who may be named for the vacant post of a case."""
    return people_near(db, vacant_post(db, case_id), on)


def people_near(db: Connection, post_id: int, on: date) -> tuple[Candidate, ...]:
    """Who holds a post in the unit of a post, in one above, or in an office of these, by unit and
    rank."""
    unit = db.execute(
        select(_organisations.c.path)
        .join(_posts, _posts.c.organisation_id == _organisations.c.id)
        .where(_posts.c.id == post_id)
    ).one()
    line = [int(part) for part in unit.path.split("/") if part]
    beside = _organisations.c.parent_id.in_(line), _organisations.c.kind.not_in(COMMITTEES)
    near = or_(_organisations.c.id.in_(line), and_(*beside))
    rows = db.execute(
        select(_people.c.id, _people.c.name, _posts.c.title, _organisations.c.short_name)
        .join(_appointments, _appointments.c.person_id == _people.c.id)
        .join(_posts, _posts.c.id == _appointments.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(near, in_force(_appointments.c, on))
        .order_by(func.length(_organisations.c.path).desc(), _organisations.c.id, _posts.c.rank)
    )
    named: dict[int, str] = {}
    for row in rows:
        post = post_name(row.short_name, row.title)
        named.setdefault(row.id, f"{row.name}（{post}）" if row.name != post else post)
    return tuple(Candidate(*one) for one in named.items())


def vacant_post(db: Connection, case_id: int) -> int:
    """The post that a case is about."""
    query = select(_vacancies.c.post_id).where(_vacancies.c.case_id == case_id)
    return int(db.execute(query).scalar_one())


def waits_on(db: Connection, post_id: int) -> int:
    """How many open slots wait on a post."""
    query = select(func.count()).select_from(_slots)
    waiting = _slots.c.post_id == post_id, _slots.c.state == SlotState.OPEN
    return int(db.execute(query.where(*waiting)).scalar_one())


def _asked_in_turn(here: Here, vacant: int) -> Iterator[int]:
    yield from superiors(here.db, vacant, here.on)
    with suppress(LookupError):
        operator = operator_post(here.db, here.organisation_id)
        if operator != vacant:
            yield operator
