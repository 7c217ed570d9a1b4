"""离岗委托: making, revoking and ending a substitution (design §8; INV-12, INV-17).

The holder of a post makes it for themselves, or the 系统运维员 of the organisation or above for
somebody who left in haste. It gives the substitute the open steps of the post, old and new, and
nothing else of it. Both are told when it is made, when it is revoked and when it ends.
"""

import logging
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from models.base import table
from models.casework import Slot, SlotState
from models.organisation import Person
from models.substitution import Substitution, SubstitutionEnd, SubstitutionMechanism
from policy.calendar import local_day
from services.batch import each_apart
from services.command import SYSTEM, Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import DutiesError, Invalid, NotFound
from services.sanitising import check_text
from services.scope import covered, standing, stands
from services.substitution_terms import Parties, Terms, check, operates_above, parties
from services.telling import tell_person, withdraw_of_substitution

STREAM = "substitution"
LONGEST_REASON = 200
"""Characters of a reason."""
_limits = table(SubstitutionMechanism)
_log = logging.getLogger(__name__)
_people = table(Person)
_slots = table(Slot)
_substitutions = table(Substitution)


class AlreadyEnded(DutiesError):
    """这一委托已经结束。"""

    status = 409
    code = "substitution_over"


def make(env: Env, actor: Actor, *, terms: Terms, reason: str, key: str) -> int:
    """Let somebody stand in for the holder of a post; the id of the substitution.

    Errors: NotFound for a post that is neither the actor's own nor below them as 系统运维员;
    :class:`CannotStandIn` with the rule that forbids it; Invalid for what is filled in wrongly.
    """
    given = reason.strip()

    def act(work: Work) -> dict[str, int]:
        return {"substitution": _make(work, terms, given)}

    body = terms.body() | {"reason": given}
    done = execute(env, actor, "substitution.make", key, body, act, rows=("CK-14",))
    return int(done["substitution"])


def revoke(env: Env, actor: Actor, *, substitution_id: int, key: str) -> None:
    """End a substitution before its time, as the represented person, the substitute (交还) or the
    系统运维员 above. NotFound for everybody else; :class:`AlreadyEnded`.
    """

    def act(work: Work) -> dict[str, int]:
        row = _locked(work, substitution_id)
        person_id = work.actor.person_id
        if person_id not in (row.person_id, row.substitute_id):
            _require_operator(work.db, person_id, row.post_id, work.today)
        if row.ended_at is not None:
            raise AlreadyEnded
        end(work, row, SubstitutionEnd.REVOKED)
        return {"substitution": substitution_id}

    body = {"substitution": substitution_id}
    execute(env, actor, "substitution.revoke", key, body, act)


def end_due(env: Env) -> int:
    """End those whose last day is over, or one of whose two does not hold the post any more; how
    many. Any number may run at once."""
    on = local_day(env.clock())
    with reading(env.engine) as db:
        due = list(db.execute(_due(on)).scalars())
    return each_apart(_log, due, lambda substitution_id: _end_one(env, substitution_id, on))


def _require_operator(db: Connection, person_id: int | None, post_id: int, on: date) -> None:
    if person_id is None or operates_above(db, standing(db, person_id, on), post_id) is None:
        raise NotFound


def _make(work: Work, terms: Terms, reason: str) -> int:
    between = parties(work.db, work.actor.person_id, terms, work.today)
    _check_reason(reason)
    work.confirmed |= check_text(work.actor, "substitution.make", "reason", reason)
    _lock(work.db, (between.person_id, between.substitute_id))
    check(work.db, terms, between, work.today, {name for name, _ in work.env.mechanisms})
    made_by = work.actor.person_id
    values = {
        "post_id": terms.post_id,
        "person_id": between.person_id,
        "substitute_post_id": terms.substitute_post_id,
        "substitute_id": between.substitute_id,
        "every_mechanism": not terms.mechanisms,
        "starts_on": terms.starts_on,
        "ends_on": terms.span.ends_on,
        "reason": reason,
        "made_by": made_by,
        "made_as": between.by_post_id,
        "made_at": work.now,
    }
    made = insert(_substitutions).values(values).returning(_substitutions.c.id)
    substitution_id = int(work.db.execute(made).scalar_one())
    if terms.mechanisms:
        rows = [
            {"substitution_id": substitution_id, "mechanism": name}
            for name in sorted(terms.mechanisms)
        ]
        work.db.execute(insert(_limits), rows)
    people = {"person": between.person_id, "by_person": between.substitute_id}
    work.audit(
        STREAM,
        {"act": "made", "substitution": substitution_id, **terms.body(), **people}
        | {"as": between.by_post_id},
    )
    _tell_made(work, substitution_id, terms, between)
    return substitution_id


def _tell_made(work: Work, substitution_id: int, terms: Terms, between: Parties) -> None:
    waits = covered(terms.post_id, terms.mechanisms or None)
    count = int(work.db.execute(select(func.count()).where(waits)).scalar_one())
    for person_id in (between.person_id, between.substitute_id):
        tell_person(
            work.db,
            key=f"substitution:{substitution_id}",
            person_id=person_id,
            template="substitution_made",
            context={
                "post_id": terms.post_id,
                "substitute_post_id": terms.substitute_post_id,
                "from_on": terms.starts_on.isoformat(),
                "until_on": terms.until_on.isoformat(),
                "count": count,
            },
            now=work.now,
        )


def _check_reason(reason: str) -> None:
    if not reason:
        raise Invalid("请写明委托的原因。", field="reason")
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"原因最长 {LONGEST_REASON} 个字。", field="reason")


def _lock(db: Connection, people: Iterable[int]) -> None:
    """Two arrangements that concern the same person are made one after the other."""
    wanted = select(_people.c.id).where(_people.c.id.in_(sorted(people))).order_by(_people.c.id)
    db.execute(wanted.with_for_update(key_share=True)).all()


def _locked(work: Work, substitution_id: int) -> Row[Any]:
    """Under its lock: a decision that rests on it is before or after, never beside."""
    query = select(_substitutions).where(_substitutions.c.id == substitution_id)
    row = work.db.execute(query.with_for_update(key_share=True)).first()
    if row is None:
        raise NotFound
    return row


def _due(on: date) -> Any:
    over = _substitutions.c.ends_on <= on
    left = or_(
        and_(_substitutions.c.starts_on <= on, ~stands(on)),
        and_(_substitutions.c.starts_on > on, ~stands(_substitutions.c.starts_on)),
    )
    return select(_substitutions.c.id).where(_substitutions.c.ended_at.is_(None), or_(over, left))


def _end_one(env: Env, substitution_id: int, on: date) -> int:
    def act(work: Work) -> dict[str, int]:
        row = _locked(work, substitution_id)
        if row.ended_at is None:
            over = row.ends_on <= on
            end(work, row, SubstitutionEnd.EXPIRED if over else SubstitutionEnd.LEFT)
        return {"substitution": substitution_id}

    key = f"substitution:{substitution_id}:{on.isoformat()}"
    body = {"substitution": substitution_id}
    execute(env, SYSTEM, "substitution.end", key, body, act)
    return 1


def end(work: Work, row: Row[Any], how: SubstitutionEnd) -> None:
    """End a substitution whose row is locked; both are told, but where it was for one slot (委托)
    that nobody is asked any more."""
    work.db.execute(
        update(_substitutions)
        .where(_substitutions.c.id == row.id)
        .values(ended_at=work.now, ended_how=how, ended_by=work.actor.person_id)
    )
    withdraw_of_substitution(work.db, row.id, work.now)
    work.audit(STREAM, {"act": how.value, "substitution": row.id})
    waits = select(_slots.c.id).where(_slots.c.id == row.slot_id, _slots.c.state == SlotState.OPEN)
    if row.slot_id is not None and work.db.execute(waits).first() is None:
        return
    for person_id in (row.person_id, row.substitute_id):
        tell_person(
            work.db,
            key=f"substitution-ended:{row.id}",
            person_id=person_id,
            template="substitution_ended",
            context={
                "post_id": row.post_id,
                "substitute_post_id": row.substitute_post_id,
                "why": how.value,
            },
            now=work.now,
        )
