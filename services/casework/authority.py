"""By what right somebody answers a slot: their own post, or 离岗委托 (INV-12, INV-17, rule O).

Asked within the transaction of the decision: an appointment or a substitution that ends while
somebody fills in the form is no basis any more.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, Row, bindparam, or_, select

from models.base import Key, table
from models.casework import Origin, Step
from models.organisation import Appointment
from models.substitution import Substitution
from policy.calendar import local_day
from policy.extension import subject_of
from services.casework.branch import LockedBranch
from services.casework.four_eyes import (
    asked_themselves,
    barred_by,
    judges_themselves,
    posts_of_interest,
    speaks_already,
)
from services.errors import NotAuthorised
from services.scope import covers, in_force, standing, stands, visible_case
from services.telling import tell_person

_appointments = table(Appointment)
_steps = table(Step)
_substitutions = table(Substitution)
_ON: ColumnElement[date] = bindparam("p_on", type_=Date)
_OF_POST = _substitutions.c.post_id == bindparam("p_post")
_GIVES = or_(
    covers(bindparam("p_mechanism")), _substitutions.c.slot_id == bindparam("p_slot", type_=Key)
)
"""离岗委托 of the case's mechanism, or 委托 of this one slot."""
# statements of every decision, built once: building one costs more than running it
_HELD = select(
    _appointments.c.id,
    select(_substitutions.c.id)
    .where(
        _OF_POST,
        _substitutions.c.person_id == bindparam("p_person"),
        stands(_ON),
        _GIVES,
    )
    .limit(1)
    .scalar_subquery()
    .label("substitution_id"),
).where(
    _appointments.c.post_id == bindparam("p_post"),
    _appointments.c.person_id == bindparam("p_person"),
    in_force(_appointments.c, _ON),
)
_INSTEAD = (
    select(
        *(_substitutions.c[name] for name in ("id", "person_id", "substitute_post_id", "slot_id")),
        _appointments.c.id.label("appointment_id"),
    )
    .join(
        _appointments,
        (_appointments.c.post_id == _substitutions.c.substitute_post_id)
        & (_appointments.c.person_id == _substitutions.c.substitute_id),
    )
    .where(
        _OF_POST,
        _substitutions.c.substitute_id == bindparam("p_person"),
        in_force(_appointments.c, _ON),
        stands(_ON),
        _GIVES,
    )
    .limit(1)
    .with_for_update(of=_substitutions, read=True)
)
"""Under a lock: whoever revokes it waits for the decision, or is before it."""
_FORMER = (
    select(
        _substitutions.c.starts_on,
        _substitutions.c.ends_on,
        _substitutions.c.ended_at,
        _steps.c.opened_at,
    )
    .join(_steps, _steps.c.id == bindparam("p_step"))
    .where(
        _OF_POST,
        _substitutions.c.substitute_id == bindparam("p_person"),
        _substitutions.c.starts_on <= _ON,
        _GIVES,
    )
    .order_by(_substitutions.c.id.desc())
    .limit(1)
)


class SubstitutionEnded(NotAuthorised):
    """您受委托代办的期限已过，或者委托已被撤销，这一项须由原承办人办理，本次未提交。"""

    code = "substitution_ended"


class OwnBusiness(NotAuthorised):
    """这张清单上有您本人或您所代的人逾期未办的事项，不能由您代为督促。"""

    code = "own_business"


class OwnRequest(NotAuthorised):
    """这一延期申请由您或您所代的人提出或承办，按规定须由其他人审批。"""

    code = "own_request"


class SpeaksAlready(NotAuthorised):
    """这一环节已请您以本人职务办理，或者您已代他人办理过，不能再代另一职务发表意见。"""

    code = "speaks_already"


@dataclass(frozen=True, slots=True)
class Basis:
    """The appointment by which a person answers, and the substitution if it is in another's place.

    ``other`` is to be told: the represented person, or who stands in for a holder who came first;
    None: nobody. ``by_post_id`` is the substitute's own post.
    """

    appointment_id: int
    substitution_id: int | None = None
    by_post_id: int | None = None
    other: int | None = None

    @property
    def noted(self) -> dict[str, int]:
        """What the audit entry says of it beside the appointment."""
        if self.substitution_id is None:
            return {}
        return {"substitution": self.substitution_id}


def authority(branch: LockedBranch, row: Row[Any]) -> Basis:
    """On what basis this person answers; who sees nothing is told nothing.

    ``row``: slot_id, post_id, step_id, key, origin, mode and apart_from of the slot and its step.
    """
    work, person_id = branch.work, branch.work.actor.person_id
    basis = basis_of(branch, row)
    keys, mechanism = row.apart_from, branch.mechanism_name
    barred = barred_by(work.db, person_id, branch.id, keys, work.today, mechanism)
    if barred is not None:
        raise NotAuthorised(_BARRED[basis.substitution_id is not None], apart_from=barred)
    if row.origin == Origin.EXTENSION and person_id is not None:
        subject, _ = subject_of(row.key)
        if asked_themselves(work.db, subject, person_id, work.today, mechanism):
            raise OwnRequest
    return basis


def basis_of(branch: LockedBranch, row: Row[Any]) -> Basis:
    """As :func:`authority`, without asking for four eyes: for acts that judge nothing."""
    held = branch.work.db.execute(_HELD, _wanted(branch, row)).first()
    if held is None:
        return _in_place_of(branch, row)
    if held.substitution_id is None:
        return Basis(held.id)
    return Basis(held.id, other=_substitute_of(branch, held.substitution_id))


_BARRED = (
    "您已办理过这一事项的前一环节，按规定须由其他人审核或核验。",
    "您或您所代的人已办理过这一事项的前一环节，按规定须由其他人审核或核验。",
)


def tell_other(branch: LockedBranch, row: Row[Any], decision_id: int, basis: Basis) -> None:
    """Who could have decided as well reads who did: the two are asked the same thing."""
    if basis.other is None:
        return
    tell_person(
        branch.work.db,
        key=f"decided:{decision_id}",
        person_id=basis.other,
        template="decided_for",
        context={
            "post_id": row.post_id,
            "about_step_id": row.step_id,
            "substitute_post_id": basis.by_post_id,
        },
        now=branch.work.now,
        case_id=branch.case_id,
    )


def _wanted(branch: LockedBranch, row: Row[Any]) -> dict[str, Any]:
    return {
        "p_post": row.post_id,
        "p_person": branch.work.actor.person_id,
        "p_on": branch.work.today,
        "p_mechanism": branch.mechanism_name,
        "p_slot": row.slot_id,
    }


def _substitute_of(branch: LockedBranch, substitution_id: int) -> int:
    query = select(_substitutions.c.substitute_id).where(_substitutions.c.id == substitution_id)
    return int(branch.work.db.execute(query).scalar_one())


def _in_place_of(branch: LockedBranch, row: Row[Any]) -> Basis:
    """The basis of somebody who does not hold the post; NotAuthorised, or NotFound, without one."""
    work, person_id = branch.work, branch.work.actor.person_id
    if person_id is None:
        raise NotAuthorised
    instead = work.db.execute(_INSTEAD, _wanted(branch, row)).first()
    if instead is None:
        if _was_theirs(branch, row):
            raise SubstitutionEnded
        visible_case(work.db, standing(work.db, person_id, work.today), branch.case_id)
        raise NotAuthorised
    if speaks_already(work.db, row.slot_id, row.step_id, person_id, work.today):
        raise SpeaksAlready
    if instead.slot_id is not None:
        _require_free(branch, row, instead.person_id)
    if row.origin == Origin.RUNG:
        mine = posts_of_interest(work.db, person_id, work.today, branch.mechanism_name)
        if judges_themselves(work.db, row.step_id, mine):
            raise OwnBusiness
    return Basis(instead.appointment_id, instead.id, instead.substitute_post_id, instead.person_id)


def _require_free(branch: LockedBranch, row: Row[Any], represented: int) -> None:
    """Who let somebody answer once (委托) gives no more than they have: four eyes bar both."""
    db, on = branch.work.db, branch.work.today
    barred = barred_by(db, represented, branch.id, row.apart_from, on, branch.mechanism_name)
    if barred is not None:
        raise NotAuthorised(_BARRED[1], apart_from=barred)


def _was_theirs(branch: LockedBranch, row: Row[Any]) -> bool:
    """Whether they could answer it as a substitute before, and therefore saw it."""
    wanted = _wanted(branch, row) | {"p_step": row.step_id}
    former = branch.work.db.execute(_FORMER, wanted).first()
    if former is None:
        return False
    if former.ended_at is not None and former.ended_at < former.opened_at:
        return False
    return bool(local_day(former.opened_at) < former.ends_on)
